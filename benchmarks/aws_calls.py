"""Calls of virtual AWS connectors through the whole pipe against boto3, over kept connections to a server in another process."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, cpu_each, paired
from benchmarks.own_server import running, serve

_ROUNDS = 9
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
    b"SendMessage": json.dumps({"MessageId": "m", "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592"}),
    b"ListSecrets": json.dumps(_SECRETS),
    b"list-type=2": f"<ListBucketResult><Name>b</Name><KeyCount>100</KeyCount><IsTruncated>false</IsTruncated>{_OBJECTS}</ListBucketResult>",
    b"DescribeInstances": "<DescribeInstancesResponse><reservationSet><item><reservationId>r</reservationId><instancesSet>"
    f"{_INSTANCES}</instancesSet></item></reservationSet></DescribeInstancesResponse>",
}
"""Answers by a word of the request."""
_CALLS: tuple[tuple[str, str, str, dict[str, Any], int], ...] = (
    ("dynamodb", "putItem", "put_item", {"TableName": "table", "Item": _ITEM}, 200),
    ("sqs", "sendMessage", "send_message", {"QueueUrl": "http://queue/q", "MessageBody": "hello"}, 200),
    ("secretsmanager", "listSecrets", "list_secrets", {}, 50),
    ("s3", "listObjectsV2", "list_objects_v2", {"Bucket": "bucket"}, 50),
    ("ec2", "describeInstances", "describe_instances", {}, 25),
)
_KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "bench-4711"}


def lines() -> Iterator[Line]:
    """Measure writes and lists of 100."""
    from jackfield import Jackfield
    from moto_rig import EVERYTHING, offer

    with tempfile.TemporaryDirectory() as home, running("benchmarks.aws_calls") as url:
        environment = offer(Path(home), {"default": EVERYTHING})
        with Jackfield(database_url="none", environment=environment, connections=[_connection(url)]) as jackfield:
            for service, action, method, inputs, count in _CALLS:
                yield from _compared(jackfield, url, service, action, method, inputs, count)


def _connection(url: str) -> dict[str, Any]:
    return {"bench": {"type": "aws/apiKeySecret", "values": {**_KEYS, "endpoint": url, "region": "eu-west-1"}}}


def _compared(jackfield: Any, url: str, service: str, action: str, method: str, inputs: dict[str, Any], count: int) -> Iterator[Line]:
    theirs = getattr(_boto(service, url), method)
    invocation = {"connector": f"aws.{service}", "action": action, "connection": "bench", "inputs": inputs}

    def ours() -> None:
        jackfield.invoke(invocation).unwrap()

    def bare() -> None:
        theirs(**inputs)

    is_list = count < _CALLS[0][-1]
    goal = 0.8 if is_list else 1.05
    for name, measured in (("generated call", _generated(service, action, url, inputs)), ("through the whole pipe", ours)):
        for call in (measured, bare):
            cpu_each(call, 20)
        ratio, mine, other = paired(lambda one=measured: cpu_each(one, count), lambda: cpu_each(bare, count), _ROUNDS)  # type: ignore[misc]
        what = f"aws.{service} {action}{' of 100' if is_list else ''}, {name}, CPU time over boto3"
        yield Line(what, f"{ratio:.2f}× ({mine * 1e6:.0f} µs / {other * 1e6:.0f} µs)", f"≤ {goal}×", ratio <= goal)


@dataclass(frozen=True)
class _Clients:
    """The one client of a connection, without the pipe around it."""

    made: Any
    region: str = "eu-west-1"

    def client(self, *_: object, **__: object) -> Any:
        """Return the client."""
        return self.made


def _generated(service: str, action: str, url: str, inputs: dict[str, Any]) -> Callable[[], object]:
    """Return the generated part of a call: the check of the inputs, their conversion, the operation, and the check of the output."""
    from jackfield.schema import compile_schema
    from jackfield_aws.keys import Keys
    from jackfield_aws.sessions import ClientSpec, make_client
    from jackfield_aws.virtual.inputs import InputModel
    from jackfield_aws.virtual.operations import OWN, callable_of, describe

    name = action[0].upper() + action[1:]
    about, (operation, shape) = describe(service, name), callable_of(service, name)
    schema, output, model = compile_schema(about.inputs), compile_schema(about.output), InputModel(OWN, shape)
    keys = Keys(_KEYS["accessKeyId"], _KEYS["secretAccessKey"])
    clients: Any = _Clients(make_client(ClientSpec(service, "eu-west-1", url, keys, validates=False, as_json=True)))
    given = {"awsRegion": "eu-west-1", **inputs}

    def call() -> object:
        answer = operation(model.model_validate(schema.check(given).value), clients).model_dump()
        return output.check(answer)

    return call


def _boto(service: str, url: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=_KEYS["accessKeyId"],
        aws_secret_access_key=_KEYS["secretAccessKey"],
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={}),
    )


def _talk(connection: socket.socket) -> None:
    answers = {word: _answer(text) for word, text in _ANSWERS.items()}
    with connection:
        while request := _request(connection.recv):
            connection.sendall(next(answer for word, answer in answers.items() if word in request))


def _answer(text: str) -> bytes:
    kind = "application/x-amz-json-1.1" if text.startswith("{") else "text/xml"
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nx-amzn-RequestId: r\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


def _request(receive: Callable[[int], bytes]) -> bytes:
    """Read one request; return nothing at the end of the connection."""
    found = b""
    while b"\r\n\r\n" not in found:
        piece = receive(65536)
        if not piece:
            return b""
        found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    sizes = [int(line.partition(b":")[2]) for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    while sizes and len(body) < sizes[0]:
        body += receive(65536)
    return head + body


if __name__ == "__main__":
    serve(_talk)
