"""Policies made from the calls of everyday tasks, judged by moto with IAM enforced: each is enough,
and none has a statement too many.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest

from jackfield import Jackfield
from jackfield.invocation.result import Result
from moto_server import moto_server, tell

SPEC = {"region_name": "eu-west-1", "aws_access_key_id": "setup", "aws_secret_access_key": "setup"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
ROLE = "arn:aws:iam::123456789012:role/reader"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"
FIXED = ("s3", "sqs")
"""Services for which moto asks with the resource; others are asked for the action alone."""
Call = Callable[..., Any]


class Stand:
    """Moto's services with everything that the tasks use, a user whose policy changes, and a
    runtime over the user's key.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        spec = {**SPEC, "endpoint_url": url}
        self._iam = boto3.client("iam", **spec)
        self._iam.create_user(UserName="task")
        key = self._iam.create_access_key(UserName="task")["AccessKey"]
        self._iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))
        boto3.client("sns", **spec).create_topic(Name="news")
        table = {"AttributeName": "pk", "KeyType": "HASH"}
        boto3.client("dynamodb", **spec).create_table(
            TableName="items",
            KeySchema=[table],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.key = boto3.client("kms", **spec).create_key()["KeyMetadata"]["Arn"]
        boto3.client("secretsmanager", **spec).create_secret(Name="db", SecretString="s")
        boto3.client("ssm", **spec).put_parameter(Name="/app/one", Value="1", Type="String")
        boto3.client("logs", **spec).create_log_group(logGroupName="app")
        s3 = boto3.client("s3", **spec)
        for bucket in ("reports", "archive"):
            s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )
        s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
        self.queue = boto3.client("sqs", **spec).create_queue(QueueName="jobs")["QueueUrl"]
        values = {
            "accessKeyId": key["AccessKeyId"],
            "secretAccessKey": key["SecretAccessKey"],
            "region": "eu-west-1",
            "endpoint": url,
        }
        connection = {"connections": {"m": {"type": "aws/apiKeySecret", "values": values}}}
        self.runtime = Jackfield(connections=[connection], database_url="none")

    def fresh(self) -> str:
        """Store the file that tasks read, and return its version in the bucket with versions."""
        tell(self.url, "reset-auth", "inf")
        s3 = boto3.client("s3", endpoint_url=self.url, **SPEC)
        s3.put_object(Bucket="reports", Key="a/b.txt", Body=b"x")
        boto3.client("sqs", endpoint_url=self.url, **SPEC).send_message(
            QueueUrl=self.queue, MessageBody="m"
        )
        return str(s3.put_object(Bucket="archive", Key="a.txt", Body=b"x")["VersionId"])

    def permit(self, statements: list[Any]) -> None:
        """Give the user a policy, and enforce it."""
        tell(self.url, "reset-auth", "inf")
        document = {
            "Version": "2012-10-17",
            "Statement": statements or [{"Effect": "Deny", "Action": "none:None", "Resource": "*"}],
        }
        self._iam.put_user_policy(
            UserName="task", PolicyName="task", PolicyDocument=json.dumps(document)
        )
        tell(self.url, "reset-auth", "0")

    def run(
        self, task: Callable[[Stand, Call, str], None]
    ) -> tuple[list[dict[str, Any]], list[Result]]:
        """Run a task to its first refusal; return its calls and their Results."""
        version, calls, results = self.fresh(), list[dict[str, Any]](), list[Result]()
        tell(self.url, "reset-auth", "0")

        def call(action: str, **inputs: Any) -> Any:
            calls.append({"action": f"aws.{action}", "inputs": inputs})
            connector, _, name = f"aws.{action}".partition("/")
            found = self.runtime.invoke(
                {
                    "connector": connector,
                    "action": name,
                    "connection": "m",
                    "inputs": inputs,
                    "timeoutSeconds": 60,
                }
            )
            results.append(found)
            if found.status != "succeeded":
                raise _Refused
            return found.output

        with contextlib.suppress(_Refused):
            task(self, call, version)
        return calls, results


class _Refused(Exception):
    """A call of a task did not succeed."""


def _in_parts(_stand: Stand, call: Call, _version: str) -> None:
    upload = call("s3/createMultipartUpload", Bucket="reports", Key="big")["UploadId"]
    call("s3/uploadPart", Bucket="reports", Key="big", PartNumber=1, UploadId=upload, Body="x")
    call("s3/listParts", Bucket="reports", Key="big", UploadId=upload)
    call("s3/abortMultipartUpload", Bucket="reports", Key="big", UploadId=upload)


def _moved(_stand: Stand, call: Call, _version: str) -> None:
    call("s3/getObject", Bucket="reports", Key="a/b.txt")
    call("s3/putObject", Bucket="archive", Key="b.txt", Body="x")
    call("s3/deleteObject", Bucket="reports", Key="a/b.txt")


def _worked_off(stand: Stand, call: Call, _version: str) -> None:
    (message,) = call("sqs/receiveMessage", QueueUrl=stand.queue)["Messages"][:1]
    call("sqs/deleteMessage", QueueUrl=stand.queue, ReceiptHandle=message["ReceiptHandle"])


def _items(_stand: Stand, call: Call, _version: str) -> None:
    call("dynamodb/putItem", TableName="items", Item={"pk": "a"})
    call("dynamodb/getItem", TableName="items", Key={"pk": "a"})


def _one(action: str, **inputs: Any) -> Callable[[Stand, Call, str], None]:
    def task(stand: Stand, call: Call, version: str) -> None:
        given = {
            name: value(stand, version) if callable(value) else value
            for name, value in inputs.items()
        }
        call(action, **given)

    return task


TASKS: Mapping[str, Callable[[Stand, Call, str], None]] = {
    "upload a file": _one("s3/putObject", Bucket="reports", Key="new", Body="x"),
    "download a file": _one("s3/getObject", Bucket="reports", Key="a/b.txt"),
    "ask for a file": _one("s3/headObject", Bucket="reports", Key="a/b.txt"),
    "delete a file": _one("s3/deleteObject", Bucket="reports", Key="a/b.txt"),
    "download a version": _one(
        "s3/getObject", Bucket="archive", Key="a.txt", VersionId=lambda _, version: version
    ),
    "delete a version": _one(
        "s3/deleteObject", Bucket="archive", Key="a.txt", VersionId=lambda _, version: version
    ),
    "read the tags of a file": _one("s3/getObjectTagging", Bucket="reports", Key="a/b.txt"),
    "tag a file": _one(
        "s3/putObjectTagging",
        Bucket="reports",
        Key="a/b.txt",
        Tagging={"TagSet": [{"Key": "k", "Value": "v"}]},
    ),
    "list files": _one("s3/listObjectsV2", Bucket="reports"),
    "list versions": _one("s3/listObjectVersions", Bucket="archive"),
    "find the region of a bucket": _one("s3/getBucketLocation", Bucket="reports"),
    "upload in parts": _in_parts,
    "move a file to another bucket": _moved,
    "send a message": _one(
        "sqs/sendMessage", QueueUrl=lambda stand, _: stand.queue, MessageBody="m"
    ),
    "work a message off": _worked_off,
    "count messages": _one(
        "sqs/getQueueAttributes", QueueUrl=lambda stand, _: stand.queue, AttributeNames=["All"]
    ),
    "publish to a topic": _one("sns/publish", TopicArn=TOPIC, Message="m"),
    "store and read an item": _items,
    "look at a key": _one("kms/describeKey", KeyId=lambda stand, _: stand.key),
    "look at a secret": _one("secretsmanager/describeSecret", SecretId="db"),
    "store a parameter": _one("ssm/putParameter", Name="/app/one", Value="2", Overwrite=True),
    "look at a role": _one("iam/getRole", RoleName="reader"),
    "keep logs for a week": _one("logs/putRetentionPolicy", logGroupName="app", retentionInDays=7),
}


@pytest.fixture(name="stand", scope="module")
def _stand() -> Iterator[Stand]:
    """One moto for all tasks; its rules are off afterwards."""
    with moto_server() as url:
        stand = Stand(url)
        try:
            yield stand
        finally:
            stand.runtime.close()
            tell(url, "reset-auth", "inf")


@pytest.mark.parametrize("name", TASKS)
def test_the_policy_of_a_task_is_enough_and_no_statement_is_too_many(
    stand: Stand, name: str
) -> None:
    """A task runs with the policy that its own calls make, and is refused without any one of the
    policy's statements.
    """
    task = TASKS[name]
    stand.permit([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    calls, results = stand.run(task)
    assert [found.status for found in results] == ["succeeded"] * len(calls)
    statements = stand.runtime.connections.policy("m", calls=calls)["identityPolicy"]["Statement"]
    for statement in statements:
        assert statement["Resource"] != "*"
        if not all(
            action.startswith(FIXED) for action in statement["Action"]
        ) and "role" not in str(statement["Resource"]):
            statement["Resource"] = "*"
    stand.permit(statements)
    assert [found.status for found in stand.run(task)[1]] == ["succeeded"] * len(calls)
    singles = [
        {**statement, "Action": [action]}
        for statement in statements
        for action in statement["Action"]
    ]
    for left_out in singles:
        stand.permit([one for one in singles if one is not left_out])
        last = stand.run(task)[1][-1].to_json()
        assert (last["status"], last["error"]["code"]) == ("failed", "forbidden"), left_out
