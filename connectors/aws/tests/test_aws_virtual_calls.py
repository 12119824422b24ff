"""Virtual actions against moto: several services and protocols, paginated lists complete, files,
waiters, errors.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from aws_paged import Pages
from jackfield import Jackfield
from moto_rig import EVERYTHING, Rig, moto_rig, offer


@pytest.fixture(name="rig", scope="module")
def _rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with moto_rig(tmp_path_factory.mktemp("home")) as rig:
        rig.output("s3/createBucket", Bucket="files")
        rig.output("iam/createUser", UserName="bob")
        yield rig


def test_s3_stores_and_returns_text_and_bytes(rig: Rig) -> None:
    """A text and a file go to S3 and come back as files with their media types; metadata stay as
    they are.
    """
    rig.output(
        "s3/putObject",
        Bucket="files",
        Key="a.txt",
        Body="grüße",
        ContentType="text/plain",
        Metadata={"for": "ada"},
    )
    rig.output(
        "s3/putObject",
        Bucket="files",
        Key="b.bin",
        Body={"data": "AAEC", "contentType": "image/png"},
    )
    text, found = (
        rig.output("s3/getObject", Bucket="files", Key="a.txt"),
        rig.output("s3/getObject", Bucket="files", Key="b.bin"),
    )
    assert text["Body"] == {"data": "Z3LDvMOfZQ==", "contentType": "text/plain"}
    assert text["Metadata"] == {"for": "ada"}
    assert found["Body"]["data"] == "AAEC"
    assert text["LastModified"].endswith("Z")
    json.dumps(text)


def test_an_empty_key_never_becomes_another_request(rig: Rig) -> None:
    """Deleting the object with the empty key is refused before anything is sent: the request would
    delete the bucket.
    """
    found = rig.result("s3/deleteObject", Bucket="files", Key="")
    assert found.error is not None
    assert found.error.code == "invalid_input"
    assert found.error.details[0].path == "/Key"


def test_lists_are_complete_over_several_pages(rig: Rig) -> None:
    """One page gives the inputs of the next; ``fetchAll`` merges them, for tokens that are texts,
    maps, several, and expressions.
    """
    rig.output("s3/createBucket", Bucket="paged")
    rig.output(
        "s3/putBucketVersioning", Bucket="paged", VersioningConfiguration={"Status": "Enabled"}
    )
    for number in range(7):
        rig.output("s3/putObject", Bucket="paged", Key=f"k{number}", Body="x")
    first = rig.result("s3/listObjectsV2", Bucket="paged", MaxKeys=2)
    assert first.meta.complete is False
    assert first.meta.next is not None
    second = rig.output("s3/listObjectsV2", Bucket="paged", MaxKeys=2, **first.meta.next)
    assert [item["Key"] for item in second["Contents"]] == ["k2", "k3"]
    for action, member in (
        ("s3/listObjectsV2", "Contents"),
        ("s3/listObjects", "Contents"),
        ("s3/listObjectVersions", "Versions"),
    ):
        found = rig.result(action, Bucket="paged", MaxKeys=2, fetchAll=True)
        assert found.output is not None
        assert found.meta.complete is True
        assert [item["Key"] for item in found.output[member]] == [
            f"k{number}" for number in range(7)
        ], action


def test_dynamodb_items_are_counted_over_pages(rig: Rig) -> None:
    """A scan with a page token that is a map merges the items and adds up the counts; binary
    attributes are files.
    """
    rig.output(
        "dynamodb/createTable",
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )
    rig.output("dynamodb/describeTable", TableName="t", waitUntil="tableExists")
    for number in range(5):
        rig.output(
            "dynamodb/putItem",
            TableName="t",
            Item={"k": {"S": str(number)}, "b": {"B": {"data": "AAE="}}},
        )
    found = rig.output("dynamodb/scan", TableName="t", Limit=2, fetchAll=True)
    assert found["Count"] == 5
    assert len(found["Items"]) == 5
    assert found["Items"][0]["b"] == {"B": {"data": "AAE="}}
    assert "LastEvaluatedKey" not in found
    bad = rig.result(
        "dynamodb/putItem", TableName="t", Item={"k": {"S": "x"}, "b": {"B": {"data": "!!"}}}
    )
    assert bad.error is not None
    assert [item.path for item in bad.error.details] == ["/Item/b/B"]


def test_services_of_every_protocol_answer(rig: Rig) -> None:
    """Query, JSON, REST and EC2 protocols work, global services need no region, and times are RFC
    3339.
    """
    queue = rig.output("sqs/createQueue", QueueName="q")["QueueUrl"]
    rig.output("sqs/sendMessage", QueueUrl=queue, MessageBody="hello")
    assert rig.output("sqs/receiveMessage", QueueUrl=queue)["Messages"][0]["Body"] == "hello"
    topic = rig.output("sns/createTopic", Name="news")["TopicArn"]
    assert rig.output("sns/publish", TopicArn=topic, Message="x")["MessageId"]
    assert rig.output("iam/createUser", UserName="ada")["User"]["CreateDate"].endswith("Z")
    assert rig.output("sts/getCallerIdentity")["Account"] == "123456789012"
    assert rig.output("secretsmanager/createSecret", Name="s", SecretString="v")["Name"] == "s"
    assert rig.output("secretsmanager/getSecretValue", SecretId="s")["SecretString"] == "v"
    rig.output("logs/createLogGroup", logGroupName="/a")
    assert [
        group["logGroupName"]
        for group in rig.output("logs/describeLogGroups", fetchAll=True)["logGroups"]
    ] == ["/a"]
    assert rig.output("kms/createKey", Description="d")["KeyMetadata"]["Enabled"] is True
    rig.output("kinesis/createStream", StreamName="st", ShardCount=1)
    assert rig.output("kinesis/describeStream", StreamName="st", waitUntil="streamExists")[
        "StreamDescription"
    ]["Shards"]
    assert rig.output("ec2/describeRegions")["Regions"]


def test_an_idempotency_key_becomes_the_token(rig: Rig) -> None:
    """The token of an operation comes from the invocation, so each attempt sends the same one."""
    first = rig.result("secretsmanager/createSecret", Name="twice", SecretString="v")
    assert first.output is not None
    assert len(first.output["VersionId"]) == 36


def test_each_attempt_sends_the_same_token(tmp_path: Path) -> None:
    """An attempt that ends in doubt is repeated with its token, so that AWS recognises it; another
    invocation has another token.
    """
    created = {
        "status_code": 200,
        "headers": {"Content-Type": "application/x-amz-json-1.1"},
        "body": '{"Name": "s"}',
    }
    seen: list[set[str]] = []
    with (
        Pages() as server,
        Jackfield(
            database_url="none", environment=offer(tmp_path, {"default": EVERYTHING})
        ) as jackfield,
    ):
        rig = Rig(jackfield, server.url)
        for _ in range(2):
            server.asked, server.answers = (
                [],
                [{"status_code": 500, "headers": {}, "body": "{}"}, created],
            )
            rig.output("secretsmanager/createSecret", Name="s", SecretString="v")
            assert len(server.asked) == 2
            seen.append(
                {
                    found
                    for request in server.asked
                    for found in re.findall('"ClientRequestToken": "([^"]+)"', request)
                }
            )
    assert [len(tokens) for tokens in seen] == [1, 1]
    assert seen[0] != seen[1]


def _event(kind: str, payload: bytes) -> bytes:
    """One event in AWS's encoding (application/vnd.amazon.eventstream)."""
    headers = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in ((b":message-type", b"event"), (b":event-type", kind.encode()))
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return message + struct.pack(">I", crc32(message))


@pytest.mark.parametrize("count", [10_000, 10_001])
def test_a_stream_of_events_is_whole_or_no_answer(tmp_path: Path, count: int) -> None:
    """Events become a list; more of them than an answer holds are an error, and not the first ones
    alone.
    """
    body = _event("Records", b"a,b\n") * count
    asked: dict[str, Any] = {
        "Bucket": "files",
        "Key": "k",
        "Expression": "SELECT * FROM s3object",
        "ExpressionType": "SQL",
        "InputSerialization": {"CSV": {}},
        "OutputSerialization": {"CSV": {}},
    }
    with (
        Pages() as server,
        Jackfield(
            database_url="none", environment=offer(tmp_path, {"default": EVERYTHING})
        ) as jackfield,
    ):
        server.answers = [
            {
                "status_code": 200,
                "headers": {"content-type": "application/vnd.amazon.eventstream"},
                "body": body,
            }
        ]
        found = Rig(jackfield, server.url).result("s3/selectObjectContent", **asked)
    if count == 10_000:
        assert found.output is not None
        assert len(found.output["Payload"]) == count
        assert found.output["Payload"][0] == {"Records": {"Payload": {"data": "YSxiCg=="}}}
    else:
        assert found.error is not None
        assert "more than 10,000 events" in found.error.message
        assert len(server.asked) == 1


def test_errors_have_codes_of_their_own(rig: Rig) -> None:
    """A missing queue, key and object are ``not_found``, whatever status and code the service
    answers with; an existing one conflicts.
    """
    missing: tuple[tuple[str, dict[str, Any]], ...] = (
        ("sqs/getQueueUrl", {"QueueName": "nope"}),
        ("s3/getObject", {"Bucket": "files", "Key": "nope"}),
        ("secretsmanager/getSecretValue", {"SecretId": "nope"}),
        ("iam/getUser", {"UserName": "nope"}),
    )
    for action, inputs in missing:
        found = rig.result(action, **inputs)
        assert found.error is not None, action
        assert found.error.code == "not_found", action
    again = rig.result("iam/createUser", UserName="bob")
    assert again.error is not None
    assert again.error.code == "conflict"


def test_a_waiter_ends_with_what_it_waits_for(rig: Rig) -> None:
    """Waiting for the end of a missing object succeeds at once; waiting for its beginning ends at
    the deadline as ``timeout``.
    """
    assert (
        rig.output("s3/headObject", Bucket="files", Key="nope", waitUntil="objectNotExists") == {}
    )
    late = rig.result(
        "s3/headObject", Bucket="files", Key="nope", waitUntil="objectExists", timeout=0.5
    )
    assert late.error is not None
    assert late.error.code == "timeout"


def test_a_date_that_does_not_exist_is_refused_before_sending(rig: Rig) -> None:
    """What the schema lets through and botocore cannot write is an invalid input, not a bug."""
    found = rig.result("ec2/describeSpotPriceHistory", StartTime="2026-02-31")
    assert found.error is not None
    assert found.error.code == "invalid_input"
