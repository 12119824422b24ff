"""Over a connection with a simulator's own key, outputs are what boto3 returns: masks change
nothing (docs/reference/masking.md).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import boto3
import pytest

from moto_rig import Rig, moto_rig

REGION = "us-east-1"
BUCKET = "my-test-bucket"
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("s3/getObject", {"Bucket": BUCKET, "Key": "my-test/1"}),
    ("s3/getObject", {"Bucket": BUCKET, "Key": "minioadmin"}),
    ("s3/headObject", {"Bucket": BUCKET, "Key": "my-test/1"}),
    ("s3/listObjectsV2", {"Bucket": BUCKET, "MaxKeys": 2}),
    ("s3/listObjectsV2", {"Bucket": BUCKET, "Prefix": "my-test/", "Delimiter": "/"}),
    ("s3/listObjects", {"Bucket": BUCKET, "MaxKeys": 1}),
    ("s3/getObjectTagging", {"Bucket": BUCKET, "Key": "my-test/1"}),
    ("s3/getBucketLocation", {"Bucket": BUCKET}),
    ("s3/getBucketTagging", {"Bucket": BUCKET}),
    ("s3/listBuckets", {}),
    ("dynamodb/getItem", {"TableName": "test", "Key": {"pk": {"S": "my-test"}}}),
    ("dynamodb/getItem", {"TableName": "test", "Key": {"pk": {"S": "secret"}}}),
    ("dynamodb/scan", {"TableName": "test", "Limit": 1}),
    (
        "dynamodb/query",
        {
            "TableName": "test",
            "KeyConditionExpression": "pk = :v",
            "ExpressionAttributeValues": {":v": {"S": "secret"}},
        },
    ),
    ("dynamodb/describeTable", {"TableName": "test"}),
    ("dynamodb/listTables", {}),
    ("sqs/getQueueUrl", {"QueueName": "test"}),
    ("sqs/listQueues", {}),
    (
        "sqs/getQueueAttributes",
        {"QueueUrl": "test", "AttributeNames": ["QueueArn", "VisibilityTimeout"]},
    ),
    ("sns/listTopics", {}),
    ("iam/getUser", {"UserName": "test"}),
    ("iam/listUsers", {}),
    ("iam/listRoles", {}),
    ("ssm/getParameter", {"Name": "/test/secret"}),
    ("ssm/getParametersByPath", {"Path": "/test"}),
    ("ssm/describeParameters", {}),
    ("secretsmanager/describeSecret", {"SecretId": "secret"}),
    ("secretsmanager/listSecrets", {}),
    ("kms/listAliases", {}),
    ("logs/describeLogGroups", {"logGroupNamePrefix": "test"}),
    ("events/listRules", {"NamePrefix": "test"}),
    ("kinesis/listStreams", {}),
)
"""More than thirty reads of what ``furnish`` made, full of the words."""


def furnish(client: Callable[[str], Any]) -> None:
    """Make objects, items and names of the words."""
    s3, dynamodb = client("s3"), client("dynamodb")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "test", "Value": "secret"}]})
    for key in ("my-test/1", "minioadmin", "secret/latest"):
        s3.put_object(
            Bucket=BUCKET,
            Key=key,
            Body=b"this is a test of secret bytes, minioadmin",
            Metadata={"test": "latest"},
            Tagging="test=secret",
        )
    definitions = {
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    dynamodb.create_table(TableName="test", BillingMode="PAY_PER_REQUEST", **definitions)
    for key in ("my-test", "secret", "minioadmin"):
        dynamodb.put_item(
            TableName="test",
            Item={"pk": {"S": key}, "test": {"S": "latest"}, "blob": {"B": b"a test, a secret"}},
        )
    client("sqs").create_queue(QueueName="test")
    client("sns").create_topic(Name="test-secret")
    client("iam").create_user(UserName="test")
    client("ssm").put_parameter(Name="/test/secret", Value="minioadmin, test", Type="String")
    client("secretsmanager").create_secret(
        Name="secret", Description="a test", SecretString="minioadmin"
    )
    client("kms").create_alias(
        AliasName="alias/test", TargetKeyId=client("kms").create_key()["KeyMetadata"]["KeyId"]
    )
    client("logs").create_log_group(logGroupName="test/secret")
    client("events").put_rule(
        Name="test", ScheduleExpression="rate(1 day)", Description="secret minioadmin"
    )
    client("kinesis").create_stream(StreamName="test", ShardCount=1)


@pytest.fixture(name="rig", scope="module")
def _rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with moto_rig(tmp_path_factory.mktemp("moto")) as rig:
        furnish(lambda service: _client(rig, service, "test"))
        yield rig


def _client(rig: Rig, service: str, secret: str) -> Any:
    return boto3.client(
        service,
        REGION,
        endpoint_url=rig.connection["values"]["endpoint"],
        aws_access_key_id=secret,
        aws_secret_access_key=secret,
    )


@pytest.mark.parametrize("secret", ["test", "minioadmin", "secret"])
def test_outputs_over_a_public_default_are_boto3s(rig: Rig, secret: str) -> None:
    """More than 30 calls of twelve services each: files, names, items, ARNs and page tokens are
    whole, and nothing is withheld.
    """
    values = {**rig.connection["values"], "accessKeyId": secret, "secretAccessKey": secret}
    over = Rig(rig.jackfield, values["endpoint"])
    over.connection = {"type": "apiKeySecret", "values": values}
    assert len(CALLS) > 30
    differing = [name for name, inputs in CALLS if _differs(over, secret, name, inputs)]
    assert differing == []


def _differs(rig: Rig, secret: str, name: str, inputs: dict[str, Any]) -> bool:
    service, _, key = name.partition("/")
    found = rig.result(name, **inputs).to_json()
    client = _client(rig, service, secret)
    method = next(
        method
        for method, operation in client.meta.method_to_api_mapping.items()
        if operation.lower() == key.lower()
    )
    expected = getattr(client, method)(**inputs)
    expected.pop("ResponseMetadata")
    withheld = [
        warning for warning in found["meta"].get("warnings", ()) if "withheld" in warning["message"]
    ]
    return bool(withheld) or _known(found.get("output")) != _known(_plain(expected))


def _plain(value: Any) -> Any:
    """boto3's answer in the notation of outputs, but for times."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return "a time"
    content = value.read() if hasattr(value, "read") else value
    return {"data": base64.b64encode(content).decode()} if isinstance(content, bytes) else content


def _known(value: Any) -> str:
    """An answer as text, without what both write in their own way: times, and the type of a
    body.
    """
    if isinstance(value, dict):
        kept = {
            name: _known(item)
            for name, item in value.items()
            if not (name == "contentType" and "data" in value)
        }
        return json.dumps(kept, sort_keys=True)
    if isinstance(value, list):
        return json.dumps([_known(item) for item in value])
    is_time = isinstance(value, str) and (
        value == "a time" or (value[:2] == "20" and value.endswith("Z") and value[10:11] == "T")
    )
    return "a time" if is_time else json.dumps(value)
