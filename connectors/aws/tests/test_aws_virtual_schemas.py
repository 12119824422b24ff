"""Schemas of virtual actions: they compile, and agree with botocore's own validator except where
they are stricter on purpose.
"""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any

import pytest

from aws_shapes import Judge, disagreements
from jackfield.schema import compile_schema
from jackfield_aws.virtual import index_change, models
from jackfield_aws.virtual.index import Index, build
from jackfield_aws.virtual.operations import OWN, describe


@functools.cache
def operations() -> list[tuple[str, str]]:
    """Each service with each of its operations."""
    index = Index()
    return [(service, name) for service in index.services for name, _, _ in index.rows(service)]


def test_the_index_has_every_operation_of_the_installed_botocore() -> None:
    """The shipped index was made from the pinned botocore: 439 services with 19,791 operations that
    botocore can send.
    """
    index = Index()
    assert index.botocore == models.botocore_version()
    assert list(index.services) == models.services()
    assert len(operations()) == sum(head.count for head in index.services.values()) == 19_791


def test_a_part_of_the_shipped_index_is_what_the_models_make_of_it(tmp_path: Path) -> None:
    """For thirty services, among them those of each protocol, the shipped index has what the
    installed models say; and for all, the types of connections that `jackfield_aws` declares.
    """
    some = [
        "s3",
        "ec2",
        "sqs",
        "sts",
        "dynamodb",
        "iam",
        "sesv2",
        "lambda",
        "route53",
        *random.Random(4711).sample(models.services(), 21),
    ]
    part, shipped = tmp_path / "index.bin", Index()
    part.write_bytes(build(some))
    for service in some:
        assert list(Index(str(part)).rows(service)) == list(shipped.rows(service)), (
            f"{service}: run 'make awsindex'"
        )
    assert Index(str(part)).connection_types == shipped.connection_types, "run 'make awsindex'"


# 'make awsindex' is for new versions of botocore, whose number is compared at each commit
@pytest.mark.campaign
def test_the_shipped_index_is_what_the_models_make_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A new botocore, text rule or effect needs a new index: ``make awsindex`` writes it."""
    assert index_change.main(["--check"]) == 0
    assert "439 services" in capsys.readouterr().out


def test_a_new_index_says_what_changes(tmp_path: Path) -> None:
    """An operation that came, went, or has another effect is a line, so that what is offered does
    not grow unseen.
    """
    old, new = Index(), tmp_path / "index.bin"
    new.write_bytes(build(["sqs", "sts"]))
    found = index_change.changes(old, Index(str(new)))
    assert "- s3.PutObject" in found
    assert not [line for line in found if line[2:].startswith(("sqs.", "sts."))]
    assert "+ s3.PutObject (idempotent)" in index_change.changes(Index(str(new)), old)


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.campaign)])
def test_schemas_agree_with_botocore(count: int) -> None:
    """Of many operations, botocore accepts every input that the schema accepts, and the schema
    refuses more only by known rules.
    """
    for service, name in random.Random(4711).sample(operations(), count):
        assert disagreements(service, name, 20, 20)[1] == []


@pytest.mark.parametrize(
    ("service", "name", "inputs", "path"),
    [
        ("s3", "DeleteObject", {"Bucket": "b", "Key": ""}, "/Key"),
        ("s3", "DeleteObject", {"Bucket": "..", "Key": "k"}, "/Bucket"),
        (
            "s3",
            "PutObject",
            {"Bucket": "b", "Key": "k", "ContentType": "a\r\nX: y"},
            "/ContentType",
        ),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Metadata": {"a": "ü"}}, "/Metadata/a"),
        ("s3control", "GetAccessGrant", {"AccountId": "", "AccessGrantId": "g"}, "/AccountId"),
        ("apigateway", "GetRestApi", {"restApiId": ".."}, "/restApiId"),
        (
            "sqs",
            "ReceiveMessage",
            {"QueueUrl": "q", "MaxNumberOfMessages": 2**31},
            "/MaxNumberOfMessages",
        ),
        (
            "sqs",
            "ReceiveMessage",
            {"QueueUrl": "q", "VisibilityTimeout": True},
            "/VisibilityTimeout",
        ),
        ("ec2", "DescribeSpotPriceHistory", {"StartTime": "10:00"}, "/StartTime"),
        (
            "bedrock-runtime",
            "Converse",
            {"modelId": "m", "messages": [{"role": "user", "content": [{}]}]},
            "/messages/0/content/0",
        ),
        ("dynamodb", "PutItem", {"TableName": "t", "Item": {}, "Nope": 1}, "/Nope"),
        (
            "omics",
            "PutS3AccessPolicy",
            {"s3AccessPointArn": "a" * 60, "s3AccessPolicy": ""},
            "/s3AccessPolicy",
        ),
    ],
)
def test_what_must_not_be_sent_is_refused(
    service: str, name: str, inputs: dict[str, Any], path: str
) -> None:
    """Labels that change the request, line breaks in headers, numbers that the wire cannot hold and
    unknown members are refused.
    """
    found = compile_schema(describe(service, name, texts=False).inputs).check(
        {"awsRegion": "eu-west-1", **inputs}
    )
    assert path in {detail.path for detail in found.details}


def test_new_values_of_a_list_and_keys_of_dots_are_accepted() -> None:
    """Enums only advise, and an S3 key may be anything."""
    schema = describe("s3", "PutObject").inputs
    found = compile_schema(schema).check(
        {"awsRegion": "eu-west-1", "Bucket": "b", "Key": "../x", "StorageClass": "BRAND_NEW"}
    )
    assert not found.details
    assert "STANDARD" in schema["properties"]["StorageClass"]["x-jackfield"]["values"]


def test_ids_of_route_53_are_taken_as_its_answers_have_them() -> None:
    """An ID may have the prefix of the answer that it comes from, which botocore cuts off; what is
    left is neither empty nor dots.
    """
    schema = compile_schema(describe("route53", "GetHostedZone", texts=False).inputs)
    for name in ("Z0123456789ABCDEFGHIJ", "/hostedzone/Z0123456789ABCDEFGHIJ"):
        assert not schema.check({"awsRegion": "us-east-1", "Id": name}).details
    for name in ("", "/hostedzone/", "hostedzone/..", "."):
        assert schema.check({"awsRegion": "us-east-1", "Id": name}).details, name


def test_lists_without_a_paginator_have_pages_if_one_list_and_one_token_are_certain() -> None:
    """No paginator lists SES identities, yet there is one token and one list; the operation that
    acts, or has two lists, gets none.
    """
    found = describe("sesv2", "ListEmailIdentities", texts=False).pagination
    assert found is not None
    assert (found.tokens, found.items, found.size_input) == (
        (("NextToken", "NextToken"),),
        "EmailIdentities",
        "PageSize",
    )
    assert describe("sqs", "SendMessageBatch", texts=False).pagination is None
    assert describe("appflow", "ListConnectorEntities", texts=False).pagination is None


def test_a_page_token_may_be_of_any_length() -> None:
    """The provider makes page tokens, so the model's limit does not refuse one."""
    schema = compile_schema(describe("route53", "ListHostedZones", texts=False).inputs)
    assert not schema.check({"awsRegion": "us-east-1", "Marker": "m" * 5_000}).details


def test_a_page_that_says_there_is_more_is_never_the_last() -> None:
    """Without a token the list cannot be continued, but it is not called complete."""
    paging = describe("kinesis", "ListStreams", texts=False).pagination
    assert paging is not None
    assert not paging.ends({"HasMoreStreams": True, "StreamNames": ["a"]})
    assert not paging.ends({"HasMoreStreams": True, "StreamNames": ["a"], "NextToken": "t"})
    assert paging.ends({"HasMoreStreams": False, "StreamNames": ["a"]})


@pytest.mark.parametrize("count", [4, pytest.param(40, marks=pytest.mark.campaign)])
def test_labels_are_never_empty(count: int) -> None:
    """Every string that is sent in the path has at least one character, in all operations of many
    services.
    """
    for service in random.Random(7).sample(models.services(), count):
        for name in models.operations(service):
            shape = models.service_model(service).operation_model(name).input_shape
            labels = [
                key
                for key, member in (shape.members.items() if shape else ())
                if member.serialization.get("location") == "uri"
            ]
            if labels:
                properties = Judge(service, name).properties
                assert all(
                    properties[key].get("minLength", 0) >= 1
                    for key in labels
                    if properties[key].get("type") == "string"
                ), name


def test_own_inputs_hide_none_of_a_service() -> None:
    """No operation has a member with the name of an input of jackfield's own, apart from a region
    of its own.
    """
    for service in ("resiliencehub", "s3", "ec2", "dynamodb"):
        for name in models.operations(service):
            shape = models.service_model(service).operation_model(name).input_shape
            assert not (OWN - {"awsRegion"}) & {*(shape.members if shape is not None else ())}


_EFFECTS = {
    "read": (
        "s3.GetObject dynamodb.Query sts.AssumeRole kms.Decrypt "
        "secretsmanager.GetSecretValue ec2.DescribeInstances"
    ),
    "idempotent": (
        "s3.DeleteObject s3.PutObject ec2.RunInstances secretsmanager.CreateSecret "
        "sqs.PurgeQueue dynamodb.PutItem"
    ),
    "write": "sqs.SendMessage sqs.ReceiveMessage dynamodb.UpdateItem lambda.Invoke "
    "kinesis.PutRecord events.PutEvents sesv2.SendEmail "
    "iam.CreateAccessKey stepfunctions.StartExecution license-manager.CheckInLicense "
    "logs.PutLogEvents sns.Publish "
    "cognito-idp.GetUserAttributeVerificationCode",
}


@pytest.mark.parametrize(("effect", "names"), _EFFECTS.items())
def test_effects_are_those_of_the_review(effect: str, names: str) -> None:
    """What acts twice when repeated is a write, whatever its name says."""
    for service, _, name in (item.partition(".") for item in names.split()):
        assert describe(service, name, texts=False).effect == effect, (service, name)


def test_permissions_differ_from_names_where_iam_does() -> None:
    """Permissions are IAM's own actions."""
    found = {
        (service, name): describe(service, name, texts=False).permissions
        for service, name in (
            ("s3", "HeadObject"),
            ("s3", "ListObjectsV2"),
            ("lambda", "Invoke"),
            ("cloudwatch", "PutMetricData"),
            ("sqs", "SendMessageBatch"),
            ("sts", "AssumeRoleWithSAML"),
            ("apigateway", "GetRestApis"),
            ("dynamodb", "PutItem"),
        )
    }
    assert list(found.values()) == [
        ("s3:GetObject",),
        ("s3:ListBucket",),
        ("lambda:InvokeFunction",),
        ("cloudwatch:PutMetricData",),
        ("sqs:SendMessage",),
        (),
        ("apigateway:GET",),
        ("dynamodb:PutItem",),
    ]
