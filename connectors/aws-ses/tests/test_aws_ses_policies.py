"""The policies that ``connections policy`` prints are enough for every call that is made, and no
action in them is too much.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield_aws.policies import (
    assume_policy,
    identity_policy,
    session_policy,
    session_policy_text,
    trust_policy,
)
from jackfield_aws_ses import connector
from jackfield_aws_ses.addresses import parse_mailbox
from moto_server import moto_server, tell

ROLE_ARN = "arn:aws:iam::123456789012:role/acme-ses"
VALUES = {
    "roleARN": ROLE_ARN,
    "accessKeyId": "AKIAACME",
    "secretAccessKey": "acme-secret",
    "externalId": "acme-4711",
    "region": "eu-west-1",
}
MAIL: dict[str, Any] = {
    "to": ["ada@example.com"],
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello",
}
LIST: tuple[str, dict[str, Any]] = ("listIdentities", {})
SIMPLE: tuple[str, dict[str, Any]] = ("sendEmail", MAIL)
RAW = ("sendEmail", {**MAIL, "headers": {f"X-Header-{number}": "x" for number in range(20)}})
"""More headers than a simple message takes."""
CALLS = (LIST, SIMPLE, RAW)


def runtime(values: Mapping[str, Any]) -> Jackfield:
    """A runtime with one connection."""
    return Jackfield(
        connections=[{"acme": {"type": "aws/awsAssumeRole", "values": values}}], database_url="none"
    )


def outcomes(values: Mapping[str, Any], calls: tuple[tuple[str, Any], ...] = CALLS) -> list[str]:
    """``succeeded`` or the error code of each call, with a session of its own."""
    found = []
    for action, inputs in calls:
        with runtime(values) as jackfield:
            result = jackfield.invoke(
                {"connector": "aws-ses", "action": action, "connection": "acme", "inputs": inputs}
            )
        found.append(result.error.code if result.error is not None else result.status)
    return found


def allowed(actions: list[str] | None = None) -> list[str]:
    """The actions of the IAM policy for some of our actions."""
    with runtime(VALUES) as jackfield:
        found: list[str] = jackfield.connections.policy("acme", actions)["identityPolicy"][
            "Statement"
        ][0]["Action"]
    return found


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """An AWS that checks permissions, of raw messages too."""
    with FakeAws(identities=["example.com"], strict_raw=True) as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        yield fake


def configure(aws: FakeAws, allow: list[str]) -> None:
    """Let the role do what ``allow`` says."""
    aws.reset(sessions=True)
    aws.configure(roles={ROLE_ARN: {"externalId": "acme-4711", "allow": allow}})


def test_the_policy_is_enough(aws: FakeAws) -> None:
    """With the policy for all actions, every call is allowed."""
    configure(aws, allowed())
    assert outcomes(VALUES) == ["succeeded"] * 3
    assert set(aws.calls()) == {"sts:AssumeRole", "ses:ListIdentities", "sesv2:SendEmail"}


@pytest.mark.parametrize("left_out", ["ses:ListIdentities", "ses:SendEmail", "ses:SendRawEmail"])
def test_no_action_is_too_much(aws: FakeAws, left_out: str) -> None:
    """Without any one of its actions one call is forbidden, and the others are not."""
    assert left_out in allowed()
    configure(aws, [action for action in allowed() if action != left_out])
    assert sorted(outcomes(VALUES)) == ["forbidden", "succeeded", "succeeded"]


@pytest.mark.parametrize(
    ("actions", "calls", "others"),
    [(["listIdentities"], (LIST,), (SIMPLE, RAW)), (["aws-ses/sendEmail"], (SIMPLE, RAW), (LIST,))],
)
def test_chosen_actions(aws: FakeAws, actions: list[str], calls: Any, others: Any) -> None:
    """A policy for chosen actions allows these and no others."""
    configure(aws, allowed(actions))
    assert outcomes(VALUES, calls) == ["succeeded"] * len(calls)
    assert outcomes(VALUES, others) == ["forbidden"] * len(others)


def test_a_policy_is_for_triggers_too() -> None:
    """Named, a trigger has what it needs to register, read and remove; a policy for everything has
    that too; a narrowed session fits.
    """
    found = allowed(["mailEvents"])
    assert {"sns:Subscribe", "sns:ConfirmSubscription", "ses:GetConfigurationSet"} <= set(found)
    assert not {"ses:SendEmail", "sqs:ReceiveMessage"} & set(found)
    assert {*found, *allowed(["aws-ses/mailQueue"])} < set(allowed())
    needed = [
        connector.permissions(),
        *(trigger.permissions for trigger in connector.triggers.values()),
    ]
    assert set(allowed()) == {name for one in needed for name in one["aws:iam"]}
    assert all(session_policy_text(session_policy(one["aws:iam"])) for one in needed)


def test_a_connection_test_needs_no_more(aws: FakeAws) -> None:
    """With the policy for any actions a connection passes every step of its test; without
    ``ses:GetAccount`` the quota's is optional.
    """
    with runtime(VALUES) as jackfield:
        policy = jackfield.connections.policy("acme", ["sendEmail"])["identityPolicy"]
    configure(aws, [action for statement in policy["Statement"] for action in statement["Action"]])
    with runtime(VALUES) as jackfield:
        assert all(
            step["passed"] for step in jackfield.connections.test("acme")["lastTest"]["steps"]
        )
    configure(aws, allowed(["sendEmail"]))
    with runtime(VALUES) as jackfield:
        found = jackfield.connections.test("acme")
    assert found["status"] == "ok"
    (quota,) = [step for step in found["lastTest"]["steps"] if step["key"] == "quota"]
    assert (quota["passed"], quota["mandatory"]) == (False, False)
    assert "ses:GetAccount" in quota["hint"]


def test_a_connection_test_asks_for_no_permission_that_is_there(aws: FakeAws) -> None:
    """Where GetAccount fails for another reason, the hint is about that reason."""
    configure(aws, [*allowed(), "ses:GetAccount"])
    aws.script(
        [
            {
                "do": "status",
                "operation": "sesv2:GetAccount",
                "status": 500,
                "code": "InternalFailure",
            }
        ]
    )
    with runtime(VALUES) as jackfield:
        steps = jackfield.connections.test("acme")["lastTest"]["steps"]
    (quota,) = [step for step in steps if step["key"] == "quota"]
    assert (
        quota["hint"]
        == "The failure is on the side of the endpoint, which is not AWS's own: see its log."
    )


@pytest.mark.parametrize(
    "fault",
    [
        {
            "do": "status",
            "status": 403,
            "code": "UnrecognizedClientException",
            "message": "The security token is invalid.",
        },
        {"do": "body", "status": 200, "body": "<html>hello</html>", "contentType": "text/html"},
        {"do": "reset", "always": True},
    ],
    ids=["unknown keys", "a web server", "nobody"],
)
def test_what_could_not_send_fails_the_test(aws: FakeAws, fault: dict[str, Any]) -> None:
    """Credentials that SES does not know, and an endpoint that is not SES's, fail the test: the
    first send would.
    """
    configure(aws, [*allowed(), "ses:GetAccount"])
    aws.script([{"operation": "sesv2:GetAccount", **fault}])
    with runtime(VALUES) as jackfield:
        found = jackfield.connections.test("acme")
    assert (found["status"], found["lastTest"]["steps"][-1]["key"]) == ("failing", "quota")


@contextmanager
def moto(permissions: list[str]) -> Iterator[dict[str, Any]]:
    """Serve moto's IAM, STS and SES with authorisation enforced; yield the values of a connection
    whose policies we made.
    """
    with moto_server() as url:
        spec = {
            "region_name": "eu-west-1",
            "endpoint_url": url,
            "aws_access_key_id": "setup",
            "aws_secret_access_key": "setup",
        }
        iam = boto3.client("iam", **spec)
        user = iam.create_user(UserName="jackfield")["User"]["Arn"]
        key = iam.create_access_key(UserName="jackfield")["AccessKey"]
        role = iam.create_role(
            RoleName="ses", AssumeRolePolicyDocument=json.dumps(trust_policy(user, "acme-4711"))
        )["Role"]["Arn"]
        iam.put_role_policy(
            RoleName="ses",
            PolicyName="ses",
            PolicyDocument=json.dumps(identity_policy(permissions)),
        )
        iam.put_user_policy(
            UserName="jackfield",
            PolicyName="assume",
            PolicyDocument=json.dumps(assume_policy(role)),
        )
        boto3.client("sesv2", **spec).create_email_identity(EmailIdentity="example.com")
        tell(url, "reset-auth", "0")
        keys = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
        try:
            yield {**VALUES, **keys, "roleARN": role, "endpoint": url, "stsEndpoint": url}
        finally:
            tell(url, "reset-auth", "inf")


def test_moto_agrees() -> None:
    """Moto's IAM, with authorisation enforced and the policies attached, allows what it checks, and
    forbids it without.
    """
    for left_out, expected in (
        (None, ["succeeded"] * 2),
        ("ses:ListIdentities", ["forbidden", "succeeded"]),
        ("ses:SendEmail", ["succeeded", "forbidden"]),
    ):
        with moto([action for action in allowed() if action != left_out]) as values:
            assert outcomes(values, (LIST, SIMPLE)) == expected


@pytest.mark.parametrize(
    "sender",
    [
        "Noreply@Example.com",
        "Ada <Noreply@EXAMPLE.com>",
        "Noreply@Example.com (Ada)",
        "Noreply@bücher.Example",
        "a@straße.de",
        "a@例え。テスト",
    ],
)
def test_policy_names_the_address_that_is_sent(sender: str) -> None:
    """IAM compares the From address exactly: the condition has the address as it is normalised
    before it is sent.
    """
    statement = identity_policy(["ses:SendEmail"], sender)["Statement"][0]
    assert statement["Condition"] == {
        "StringEquals": {"ses:FromAddress": parse_mailbox(sender).address}
    }
    wild = identity_policy(["ses:SendEmail"], "*@Mail.Bücher.Example")["Statement"][0]
    assert wild["Condition"] == {"StringLike": {"ses:FromAddress": "*@mail.xn--bcher-kva.example"}}
