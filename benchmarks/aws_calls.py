"""Calls of virtual AWS connectors through the whole pipe against boto3, over kept connections to a
server in another process.
"""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, Scene, compared
from benchmarks.own_server import running, serve

_ITEM = {f"attribute{number}": {"S": f"value {number}"} for number in range(10)}
_TIME = 1_760_000_000.25
_SECRETS = {
    "SecretList": [
        {
            "ARN": f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:s{number}",
            "Name": f"s{number}",
            "LastChangedDate": _TIME + number,
            "CreatedDate": _TIME,
            "SecretVersionsToStages": {"v1": ["AWSCURRENT"]},
        }
        for number in range(100)
    ]
}
_OBJECTS = "".join(
    f"<Contents><Key>k{number}</Key><LastModified>2026-01-31T08:30:00.000Z</LastModified><ETag>&quot;e{number}&quot;</ETag>"
    f"<Size>{number}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    for number in range(100)
)
_INSTANCES = "".join(
    f"<item><instanceId>i-{number:08}</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState>"
    f"<instanceType>t3.micro</instanceType><launchTime>2026-01-31T08:30:00.000Z</launchTime><vpcId>vpc-1</vpcId><privateIpAddress>10.0.0.1"
    f"</privateIpAddress><tagSet><item><key>Name</key><value>n{number}</value></item></tagSet></item>"
    for number in range(100)
)
_ANSWERS: Mapping[bytes, str] = {
    b"PutItem": "{}",
    b"SendMessage": json.dumps(
        {"MessageId": "m", "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592"}
    ),
    b"ListSecrets": json.dumps(_SECRETS),
    b"list-type=2": f"<ListBucketResult><Name>b</Name><KeyCount>100</KeyCount><IsTruncated>false</IsTruncated>{_OBJECTS}</ListBucketResult>",
    b"DescribeInstances": "<DescribeInstancesResponse><reservationSet><item><reservationId>r</reservationId><instancesSet>"
    f"{_INSTANCES}</instancesSet></item></reservationSet></DescribeInstancesResponse>",
}
"""Answers by a word of the request."""
_CALLS: Mapping[str, tuple[str, str, str, dict[str, Any], float]] = {
    "put": ("dynamodb", "putItem", "put_item", {"TableName": "table", "Item": _ITEM}, 0.6),
    "send": (
        "sqs",
        "sendMessage",
        "send_message",
        {"QueueUrl": "http://queue/q", "MessageBody": "hello"},
        0.6,
    ),
    "list secrets": ("secretsmanager", "listSecrets", "list_secrets", {}, 0.6),
    "list objects": ("s3", "listObjectsV2", "list_objects_v2", {"Bucket": "bucket"}, 0.8),
    "list instances": ("ec2", "describeInstances", "describe_instances", {}, 0.6),
}
"""Service, action, method of boto3, inputs, and the goal: S3 goes through botocore's client."""
_KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "bench-4711"}


def lines() -> Iterator[Line]:
    """Measure writes and lists of 100."""
    with running("benchmarks.aws_calls") as url:
        for name, (service, action, _, _, goal) in _CALLS.items():
            what = f"aws.{service} {action}{' of 100' if name.startswith('list') else ''}"
            for scene, how in (
                (generated, "generated call"),
                (through_pipe, "through the whole pipe"),
            ):
                found = compared(*(Scene(side, (name, url)) for side in (scene, boto)))
                yield found.line(f"{what}, {how}, CPU time over boto3", at_most=goal)


@contextmanager
def through_pipe(name: str, url: str) -> Iterator[Callable[[], object]]:
    """Call by an invocation."""
    from jackfield import Jackfield
    from moto_rig import EVERYTHING, offer

    service, action, _, inputs, _ = _CALLS[name]
    connection = {
        "bench": {
            "type": "aws/apiKeySecret",
            "values": {**_KEYS, "endpoint": url, "region": "eu-west-1"},
        }
    }
    invocation = {
        "connector": f"aws.{service}",
        "action": action,
        "connection": "bench",
        "inputs": inputs,
    }
    with tempfile.TemporaryDirectory() as home:
        environment = offer(Path(home), {"default": EVERYTHING})
        with Jackfield(
            database_url="none", environment=environment, connections=[connection]
        ) as jackfield:
            yield lambda: jackfield.invoke(invocation).unwrap()


@contextmanager
def boto(name: str, url: str) -> Iterator[Callable[[], object]]:
    """Call through boto3."""
    import boto3
    from botocore.config import Config

    service, _, method, inputs, _ = _CALLS[name]
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={})
    session = boto3.Session(_KEYS["accessKeyId"], _KEYS["secretAccessKey"], region_name="eu-west-1")
    call = getattr(session.client(service, endpoint_url=url, config=config), method)
    yield lambda: call(**inputs)


@dataclass(frozen=True)
class _Clients:
    """The one client of a connection, without the pipe around it."""

    made: Any
    region: str = "eu-west-1"

    def client(self, *_: object, **__: object) -> Any:
        """Return the client."""
        return self.made


@contextmanager
def generated(name: str, url: str) -> Iterator[Callable[[], object]]:
    """Call the generated part: the check of the inputs, their conversion, the operation, and the
    check of the output.
    """
    from jackfield.schema import compile_schema
    from jackfield_aws.clients import _watched  # what a connection opens, also in the baseline
    from jackfield_aws.keys import Keys
    from jackfield_aws.sessions import ClientSpec
    from jackfield_aws.virtual.inputs import InputModel
    from jackfield_aws.virtual.operations import OWN, callable_of, describe

    service, action, _, inputs, _ = _CALLS[name]
    called = action[0].upper() + action[1:]
    about, (operation, shape) = describe(service, called), callable_of(service, called)
    schema, output, model = (
        compile_schema(about.inputs),
        compile_schema(about.output),
        InputModel(OWN, shape),
    )
    keys = Keys(_KEYS["accessKeyId"], _KEYS["secretAccessKey"])
    clients: Any = _Clients(
        _watched(ClientSpec(service, "eu-west-1", url, keys, validates=False, as_json=True))
    )
    given = {"awsRegion": "eu-west-1", **inputs}
    yield lambda: output.check(
        operation(model.model_validate(schema.check(given).value), clients).model_dump()
    )


def _talk(connection: socket.socket) -> None:
    answers = {word: _answer(text) for word, text in _ANSWERS.items()}
    with connection:
        while request := _request(connection.recv):
            connection.sendall(next(answer for word, answer in answers.items() if word in request))


def _answer(text: str) -> bytes:
    kind = "application/x-amz-json-1.1" if text.startswith("{") else "text/xml"
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nx-amzn-RequestId: r\r\nContent-Length: "
        f"{len(text)}\r\n\r\n{text}"
    ).encode()


def _request(receive: Callable[[int], bytes]) -> bytes:
    """Read one request; return nothing at the end of the connection."""
    found = b""
    while b"\r\n\r\n" not in found:
        piece = receive(65536)
        if not piece:
            return b""
        found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    sizes = [
        int(line.partition(b":")[2])
        for line in head.lower().splitlines()
        if line.startswith(b"content-length:")
    ]
    while sizes and len(body) < sizes[0]:
        body += receive(65536)
    return head + body


if __name__ == "__main__":
    serve(_talk)
