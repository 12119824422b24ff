"""Dapr's bindings of AWS beside SES, against moto's servers: components, operations, metadata and
responses as Dapr documents them.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.jackfield_dapr.sidecars import SidecarClient, asked, bindings_of, sidecar, written

from jackfield_store.runtime import Jackfield
from moto_server import moto_server

KEYS = {"region": "us-east-1", "accessKey": "AKIDDAPR", "secretKey": "dapr-secret"}


@pytest.fixture
def moto() -> Iterator[str]:
    """A server of all services, with nothing in them."""
    with moto_server() as url:
        yield url


def client(service: str, url: str) -> Any:
    """AWS's own client, which makes what bindings use and sees what they did."""
    return boto3.client(
        service,
        "us-east-1",
        endpoint_url=url,
        aws_access_key_id="AKIDOWNER",
        aws_secret_access_key="s",
    )


@contextlib.contextmanager
def bucket(folder: Path, url: str, **metadata: str) -> Iterator[tuple[SidecarClient, Any]]:
    """A sidecar for a bucket, and AWS's client."""
    owner = client("s3", url)
    owner.create_bucket(Bucket="reports")
    written(
        folder,
        "bindings.aws.s3",
        bucket="reports",
        endpoint=url,
        forcePathStyle="true",
        **KEYS,
        **metadata,
    )
    with sidecar(folder) as running:
        yield running, owner


def content(owner: Any, key: str) -> bytes:
    """What an object of the bucket contains."""
    found: bytes = owner.get_object(Bucket="reports", Key=key)["Body"].read()
    return found


def test_s3_creates_an_object_under_the_key_of_the_request(folder: Path, moto: str) -> None:
    """The text of the data becomes the object, with its media type; the answer names its place, and
    the key in the metadata.
    """
    with bucket(folder, moto) as (running, owner):
        reply = asked(
            running, "create", "Hello World", key="a/b c.txt", **{"Content-Type": "text/plain"}
        )
        assert (reply.status, reply.json) == (
            200,
            {"location": f"{moto}/reports/a/b%20c.txt", "versionID": None},
        )
        assert reply.headers["metadata.key"] == "a/b c.txt"
        assert content(owner, "a/b c.txt") == b"Hello World"
        assert owner.head_object(Bucket="reports", Key="a/b c.txt")["ContentType"] == "text/plain"


def test_s3_makes_a_key_if_none_is_given(folder: Path, moto: str) -> None:
    """Without a key, the object has a UUID for its name, which the answer tells; an object as data
    is stored as JSON text.
    """
    with bucket(folder, moto) as (running, owner):
        reply = asked(running, "create", {"a": [1, "ü"]})
        assert json.loads(content(owner, reply.headers["metadata.key"])) == {"a": [1, "ü"]}
        assert len(reply.headers["metadata.key"]) == 36


def test_s3_decodes_and_encodes_base64(folder: Path, moto: str) -> None:
    """Octets go in and out as base64, if the component or the request says so; what is not base64
    is refused.
    """
    octets = bytes(range(256))
    with bucket(folder, moto, decodeBase64="true") as (running, owner):
        assert asked(running, "create", base64.b64encode(octets).decode(), key="k").status == 200
        assert content(owner, "k") == octets
        assert asked(running, "get", key="k").body == octets
        assert base64.b64decode(asked(running, "get", key="k", encodeBase64="true").body) == octets
        assert "the data is not base64" in asked(running, "create", "%%", key="k2").message


def test_s3_reads_an_object_that_is_larger_than_an_output(folder: Path, moto: str) -> None:
    """An object of three megabytes comes back whole, and nothing of it stays in the store."""
    url = f"sqlite:///{folder.parent}/jackfield.db"
    with bucket(folder, moto) as (_, owner):
        owner.put_object(Bucket="reports", Key="big", Body=b"0123456789" * 300_000)
        with sidecar(folder, database_url=url) as running:
            assert asked(running, "get", key="big").body == b"0123456789" * 300_000
    with Jackfield(database_url=url) as jackfield:
        assert jackfield.files.list("default") == ([], None)


def test_s3_deletes_and_says_which_object_is_missing(folder: Path, moto: str) -> None:
    """A deleted object is gone (204 without a body); to read it then fails in AWS's words, and
    without a key nothing is asked.
    """
    with bucket(folder, moto) as (running, owner):
        owner.put_object(Bucket="reports", Key="k", Body=b"x")
        assert (
            asked(running, "delete", key="k").status,
            owner.list_objects(Bucket="reports").get("Contents"),
        ) == (204, None)
        assert "NoSuchKey" in asked(running, "get", key="k").message
        for operation in ("get", "delete", "presign"):
            assert "required metadata 'key' missing" in asked(running, operation).message


def test_s3_lists_as_the_document_shows(folder: Path, moto: str) -> None:
    """All members of the documented answer are there; limit, prefix and marker come from the data,
    which may be missing.
    """
    with bucket(folder, moto) as (running, owner):
        for key in ("file1", "file2", "other"):
            owner.put_object(Bucket="reports", Key=key, Body=b"x")
        found = asked(running, "list", {"maxResults": 1, "prefix": "file"}).json
        assert (
            [item["Key"] for item in found["Contents"]],
            found["IsTruncated"],
            found["MaxKeys"],
        ) == (["file1"], True, 1)
        assert {"CommonPrefixes", "Delimiter", "Marker", "Name", "NextMarker", "Prefix"} <= set(
            found
        )
        assert [
            item["Key"] for item in asked(running, "list", {"marker": "file1"}).json["Contents"]
        ] == ["file2", "other"]
        assert [item["Key"] for item in asked(running, "list").json["Contents"]] == [
            "file1",
            "file2",
            "other",
        ]


def test_s3_stores_with_class_and_tags(folder: Path, moto: str) -> None:
    """The storage class of the component and the tags of the request are those of the object; tags
    of another form are refused.
    """
    with bucket(folder, moto, storageClass="STANDARD_IA") as (running, owner):
        assert asked(running, "create", "x", key="k", tags="project=a b,stage=test").status == 200
        tags = owner.get_object_tagging(Bucket="reports", Key="k")["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"project": "a b", "stage": "test"}
        assert owner.head_object(Bucket="reports", Key="k")["StorageClass"] == "STANDARD_IA"
        assert "'tags' must be pairs" in asked(running, "create", "x", key="k", tags="a").message


def test_s3_presigns_where_the_operator_offers_it(
    folder: Path, moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A presigned URL hands out access: it needs the operator's offer of ``presignGet``, and the
    refusal names it.
    """
    with bucket(folder, moto) as (running, _):
        assert (
            "'aws.s3.presignGet' exists but is not offered here"
            in asked(running, "presign", key="k", presignTTL="15m").message
        )
        assert (
            "'presignTTL' must be a duration"
            in asked(running, "presign", key="k", presignTTL="soon").message
        )
    home = tmp_path / "home"
    home.mkdir()
    (home / "offers.json").write_text(
        json.dumps({"default": {"aws": {"services": ["s3", "s3.presignGet"]}}})
    )
    monkeypatch.setenv("JACKFIELD_HOME", str(home))
    with sidecar(folder) as running:
        found = asked(running, "create", "x", key="k", presignTTL="15m").json["presignURL"]
        assert (found.startswith(f"{moto}/reports/k?"), "X-Amz-Expires=900" in found) == (
            True,
            True,
        )
        assert (
            asked(running, "presign", key="k", presignTTL="1h")
            .json["presignURL"]
            .startswith(f"{moto}/reports/k?")
        )


def test_s3_reads_no_file_of_its_host(folder: Path, moto: str) -> None:
    """A request that names a file is refused: whoever may call could read any file of the sidecar's
    host.
    """
    with bucket(folder, moto) as (running, _):
        assert (
            "'filePath' is not supported"
            in asked(running, "create", key="k", filePath="/etc/passwd").message
        )


def test_sqs_sends_the_data_as_they_are(folder: Path, moto: str) -> None:
    """The data's JSON text is the message, found by the queue's name; nothing is answered."""
    owner = client("sqs", moto)
    url = owner.create_queue(QueueName="jobs")["QueueUrl"]
    written(folder, "bindings.aws.sqs", queueName="jobs", endpoint=moto, **KEYS)
    with sidecar(folder) as running:
        assert (
            asked(running, "create", {"order": 1}).status,
            asked(running, "create", "text").status,
        ) == (204, 204)
    found = owner.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert {message["Body"] for message in found} == {'{"order":1}', '"text"'}


def test_sqs_says_that_there_is_no_such_queue(folder: Path, moto: str) -> None:
    """AWS's own code names the fault."""
    written(folder, "bindings.aws.sqs", queueName="nowhere", endpoint=moto, **KEYS)
    with sidecar(folder) as running:
        assert "NonExistentQueue" in asked(running, "create", "x").message


def test_sns_publishes_message_and_subject(folder: Path, moto: str) -> None:
    """Message and subject are those of the data; an object is published as JSON, and a missing
    subject is none at all.
    """
    sns, sqs = client("sns", moto), client("sqs", moto)
    topic = sns.create_topic(Name="news")["TopicArn"]
    queue = sqs.create_queue(QueueName="readers")["QueueUrl"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:readers"
    )
    written(folder, "bindings.aws.sns", topicArn=topic, endpoint=moto, **KEYS)
    with sidecar(folder) as running:
        assert asked(running, "create", {"message": "hi", "subject": "Late"}).status == 204
        assert asked(running, "create", {"message": {"a": 1}}).status == 204
        assert (
            'must be an object with a "message"'
            in asked(running, "create", {"subject": "x"}).message
        )
        assert "must be a JSON object" in asked(running, "create", "hi").message
    told = [
        json.loads(item["Body"])
        for item in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    ]
    assert sorted((item["Message"], item.get("Subject")) for item in told) == [
        ("hi", "Late"),
        ('{"a": 1}', None),
    ]


def test_dynamodb_puts_an_item(folder: Path, moto: str) -> None:
    """Each JSON value becomes an attribute of its type."""
    owner = client("dynamodb", moto)
    key = [{"AttributeName": "id", "AttributeType": "S"}]
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    owner.create_table(
        TableName="items", AttributeDefinitions=key, KeySchema=schema, BillingMode="PAY_PER_REQUEST"
    )
    written(folder, "bindings.aws.dynamodb", table="items", endpoint=moto, **KEYS)
    with sidecar(folder) as running:
        assert (
            asked(
                running,
                "create",
                {"id": "a", "n": 12.5, "yes": True, "none": None, "many": [1, {"x": "y"}]},
            ).status
            == 204
        )
        assert "must be a JSON object" in asked(running, "create", [1]).message
    assert owner.get_item(TableName="items", Key={"id": {"S": "a"}})["Item"] == {
        "id": {"S": "a"},
        "n": {"N": "12.5"},
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "many": {"L": [{"N": "1"}, {"M": {"x": {"S": "y"}}}]},
    }


def test_components_of_aws_share_their_fields(folder: Path) -> None:
    """Keys, roles and places mean the same in each; an endpoint without a scheme is https, and http
    with ``disableSSL``.
    """
    written(
        folder,
        "bindings.aws.s3",
        bucket="b",
        awsRegion="eu-west-1",
        endpoint="s3.eu-west-1.amazonaws.com",
        forcePathStyle="true",
    )
    (found,) = bindings_of(folder).connections.values()
    assert found == {
        "type": "aws/awsDefault",
        "values": {
            "region": "eu-west-1",
            "endpoint": "https://s3.eu-west-1.amazonaws.com",
            "s3Addressing": "path",
        },
    }
    written(
        folder,
        "bindings.aws.sns",
        topicArn="t",
        endpoint="minio.local:9000",
        disableSSL="true",
        assumeRoleArn="arn:x",
        **KEYS,
    )
    (found,) = bindings_of(folder).connections.values()
    assert (found["type"], found["values"]["roleARN"], found["values"]["endpoint"]) == (
        "aws/awsAssumeRole",
        "arn:x",
        "http://minio.local:9000",
    )


@pytest.mark.parametrize(
    ("kind", "metadata", "says"),
    [
        ("bindings.aws.s3", KEYS, "these fields are missing: bucket"),
        (
            "bindings.aws.s3",
            {**KEYS, "bucket": "b", "insecureSSL": "true"},
            "certificates are always verified",
        ),
        (
            "bindings.aws.sqs",
            {**KEYS, "trustAnchorArn": "arn:x", "queueName": "q"},
            "SPIFFE identity",
        ),
        ("bindings.aws.kinesis", KEYS, "did you mean 'bindings.aws.sqs'?"),
        ("bindings.aws.s4", KEYS, "did you mean 'bindings.aws.s3'?"),
        ("bindings.htp", {}, "did you mean 'bindings.http'?"),
    ],
)
def test_a_component_that_cannot_work_is_refused(
    folder: Path, kind: str, metadata: dict[str, str], says: str
) -> None:
    """What is missing, unsafe or unknown is named; an unknown type with the nearest one that is
    known.
    """
    written(folder, kind, **metadata)
    assert any(says in item.text for item in bindings_of(folder).problems), bindings_of(
        folder
    ).problems


def test_an_operation_of_another_binding_is_refused(folder: Path, moto: str) -> None:
    """The refusal lists the operations that there are, in Dapr's words."""
    with bucket(folder, moto) as (running, _):
        assert asked(running, "bulkGet").message.endswith(
            "binding outbox does not support operation bulkGet. supported operations:create get "
            "delete list presign"
        )
