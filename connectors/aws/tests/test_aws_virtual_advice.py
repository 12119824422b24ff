"""Rules of virtual actions as callers meet them: what is refused before sending, what only advises,
and the permissions to grant.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aws_paged import Pages
from jackfield import Jackfield
from moto_rig import EVERYTHING, Rig, offer

ACCEPTED = {"status_code": 200, "headers": {}, "body": ""}


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Any]]:
    """A server that accepts everything and notes it, and a runtime with a connection to it."""
    environment = offer(tmp_path_factory.mktemp("home"), {"default": EVERYTHING})
    with Pages() as server, Jackfield(database_url="none", environment=environment) as jackfield:
        server.answers = [ACCEPTED]
        yield Rig(jackfield, server.url), server


@pytest.mark.parametrize(
    ("action", "inputs", "path"),
    [
        ("s3/deleteObject", {"Bucket": "b", "Key": ""}, "/Key"),
        ("s3/listObjectsV2", {"Bucket": ""}, "/Bucket"),
        ("apigateway/getRestApi", {"restApiId": ""}, "/restApiId"),
        ("apigateway/getRestApi", {"restApiId": ".."}, "/restApiId"),
        ("lambda/deleteFunction", {"FunctionName": ""}, "/FunctionName"),
        ("s3control/getAccessGrant", {"AccountId": "", "AccessGrantId": "g"}, "/AccountId"),
        ("neptune-graph/getGraph", {"graphIdentifier": ""}, "/graphIdentifier"),
        ("route53/deleteHostedZone", {"Id": "/hostedzone/"}, "/Id"),
    ],
)
def test_labels_that_name_another_resource_are_refused(
    stand: tuple[Rig, Any], action: str, inputs: dict[str, Any], path: str
) -> None:
    """An empty label or one of dots is an invalid input at its own place, and nothing is sent."""
    rig, server = stand
    server.asked = []
    found = rig.result(action, **inputs)
    assert found.error is not None
    assert (found.error.code, {item.path for item in found.error.details}, server.asked) == (
        "invalid_input",
        {path},
        [],
    )


@pytest.mark.parametrize(
    ("action", "inputs", "sent"),
    [
        ("s3/putObject", {"Bucket": "b", "Key": "k", "StorageClass": "BRAND_NEW"}, "BRAND_NEW"),
        (
            "ecs/updateService",
            {"service": "s", "availabilityZoneRebalancing": "SOMETIMES"},
            "SOMETIMES",
        ),
        (
            "logs/createLogGroup",
            {"logGroupName": "a name that fits no pattern!"},
            "a name that fits no pattern!",
        ),
    ],
)
def test_values_and_patterns_of_the_model_only_advise(
    stand: tuple[Rig, Any], action: str, inputs: dict[str, Any], sent: str
) -> None:
    """AWS accepts new values before a new botocore knows them, so what the model does not list is
    sent; the schema shows what it does.
    """
    rig, server = stand
    server.asked = []
    assert rig.result(action, **inputs).status == "succeeded"
    assert sent in server.asked[0]
    service, _, key = action.partition("/")
    properties = rig.jackfield.catalog.find(f"aws.{service}").actions[key].inputs["properties"]
    named = properties[list(inputs)[-1]]
    assert "enum" not in named
    assert "pattern" not in named or key == "putObject"  # a header has no line breaks


def test_a_refusal_names_the_values_that_the_model_does_not_have(stand: tuple[Rig, Any]) -> None:
    """Once AWS has refused the request, the hint says which value is in no list of this version,
    and the nearest one that is.
    """
    rig, server = stand
    body = (
        "<Error><Code>InvalidStorageClass</Code><Message>The storage class you specified is "
        "not valid</Message></Error>"
    )
    server.asked, server.answers = (
        [],
        [{"status_code": 400, "headers": {"Content-Type": "application/xml"}, "body": body}],
    )
    try:
        found = rig.result(
            "s3/putObject", Bucket="b", Key="k", StorageClass="STANDARD_AI", ACL="private"
        )
    finally:
        server.answers = [ACCEPTED]
    assert found.error is not None
    assert found.error.code == "rejected"
    assert "'STANDARD_AI' at /StorageClass is none of the " in str(found.error.hint)
    assert "did you mean 'STANDARD_IA'?" in str(found.error.hint)
    assert "/ACL" not in str(found.error.hint)


@pytest.mark.parametrize(
    ("action", "inputs", "words"),
    [
        ("codecatalyst/listSpaces", {}, "bearer tokens"),
        (
            "cloudfront-keyvaluestore/listKeys",
            {"KvsARN": "arn:aws:cloudfront::123456789012:key-value-store/a"},
            "Signature Version 4A",
        ),
    ],
)
def test_services_that_cannot_be_signed_in_to_say_so(
    stand: tuple[Rig, Any], action: str, inputs: dict[str, Any], words: str
) -> None:
    """A service that takes other credentials, or a signature that needs another package, is a
    connection that does not fit.
    """
    rig, server = stand
    server.asked = []
    found = rig.result(action, **inputs)
    assert found.error is not None
    assert (found.error.code, server.asked) == ("invalid_connection", [])
    assert words in found.error.message


def test_policies_have_the_actions_of_iam(tmp_path: Path) -> None:
    """A connection's policy for some actions names what IAM calls them, which is not always the
    operation's name.
    """
    values = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s"}
    environment = offer(tmp_path, {"default": {"services": ["s3", "lambda", "sqs"]}})
    stored = {"acme": {"type": "aws/apiKeySecret", "values": values}}
    with Jackfield(database_url="none", environment=environment, connections=[stored]) as jackfield:
        wanted = [
            "aws.s3/headObject",
            "aws.s3/listObjectsV2",
            "aws.s3/copyObject",
            "aws.lambda/invoke",
            "aws.sqs/sendMessageBatch",
        ]
        found = jackfield.connections.policy("acme", wanted)
    assert set(found["permissions"]) == {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "lambda:InvokeFunction",
        "sqs:SendMessage",
    }
