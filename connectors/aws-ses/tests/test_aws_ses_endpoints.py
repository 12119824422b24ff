"""Endpoints that do not have what is asked of them, and regions that contradict one another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.invocation import Result
from smtp_rig import connected, rig

MAIL: dict[str, Any] = {
    "to": ["ada@example.com"],
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello",
}
MISSING = {
    "do": "status",
    "status": 501,
    "code": "InternalFailure",
    "always": True,
    "message": "API for service 'sesv2' not yet implemented or pro feature",
}


@contextmanager
def stood(
    monkeypatch: pytest.MonkeyPatch, script: list[dict[str, Any]], **more: Any
) -> Iterator[tuple[Jackfield, FakeAws]]:
    """A runtime with one connection to an endpoint that the environment names."""
    values = {
        "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
        "secretAccessKey": "secret",
        "region": "eu-west-1",
    }
    with FakeAws(script=script, **more) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        with Jackfield(
            connections=[{"acme": {"type": "aws/apiKeySecret", "values": values}}],
            database_url="none",
        ) as jackfield:
            yield jackfield, aws


def call(jackfield: Jackfield, action: str, inputs: dict[str, Any]) -> Result:
    """Call an action of the connector."""
    return jackfield.invoke(
        {"connector": "aws-ses", "action": action, "connection": "acme", "inputs": inputs}
    )


NO_VERSION_2 = [{**MISSING, "operation": f"sesv2:{name}"} for name in ("SendEmail", "GetAccount")]


def test_an_endpoint_without_version_2_gets_the_message_through_version_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LocalStack Community answers 501, a refusal: nothing was sent, and version 1 takes the same
    message with its hidden recipients, attachments and tags.
    """
    mail = {
        **MAIL,
        "bcc": ["eve@example.com"],
        "html": "<p>Hello</p>",
        "tags": {"kind": "welcome"},
        "configurationSetName": "daily",
        "attachments": {"a.txt": "content"},
    }
    text = "From: noreply@example.com\r\nTo: ada@example.com\r\nSubject: Raw\r\n\r\nHello\r\n"
    raw = {"to": ["ada@example.com"], "bcc": ["eve@example.com"], "message": text}
    with stood(
        monkeypatch, NO_VERSION_2, identities=["example.com"], configuration_sets=["daily"]
    ) as (jackfield, aws):
        for action, inputs in (("sendEmail", mail), ("sendRawEmail", raw)):
            result = call(jackfield, action, inputs)
            assert result.unwrap()["MessageId"]
            assert result.meta.attempts == 1
        first, second = aws.messages
    assert first.service == second.service == "ses"
    assert {*first.recipients} == {*second.recipients} == {"ada@example.com", "eve@example.com"}
    assert (first.content.subject, first.content.attachments[0].data) == ("Hello", b"content")
    assert b"eve@" not in first.raw
    assert second.content.subject == "Raw"


def test_a_refusal_of_version_1_is_told_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that has neither version, and one that refuses the sender."""
    neither = [*NO_VERSION_2, {**MISSING, "operation": "ses:SendRawEmail"}]
    for script, text in ((neither, "does not implement"), (NO_VERSION_2, "not verified")):
        with stood(monkeypatch, script, identities=["another.com"]) as (jackfield, _):
            error = call(jackfield, "sendEmail", MAIL).error
        assert error is not None
        assert (error.code, text in error.message, bool(error.hint)) == ("rejected", True, True)


@pytest.mark.parametrize(
    "answer",
    [
        MISSING,
        {
            "do": "status",
            "status": 404,
            "code": "NoSuchKey",
            "message": "The specified key does not exist.",
        },
        {
            "do": "body",
            "status": 404,
            "body": "<!doctype html><html>Not Found</html>",
            "contentType": "text/html",
        },
    ],
    ids=["501", "404", "a page"],
)
def test_m5_a_connection_with_an_endpoint_of_its_own_passes_without_ses(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    """MinIO and LocalStack have no account of SES: the step says so, and does not decide about the
    connection; wrong keys do.
    """
    with stood(monkeypatch, [{**answer, "operation": "sesv2:GetAccount"}]) as (jackfield, _):
        tested = jackfield.test("acme")
    (step,) = [step for step in tested["lastTest"]["steps"] if step["key"] == "quota"]
    assert (tested["status"], step["passed"], step["mandatory"]) == ("ok", False, False)
    wrong = {
        **MISSING,
        "status": 403,
        "code": "InvalidClientTokenId",
        "operation": "sesv2:GetAccount",
    }
    with stood(monkeypatch, [wrong]) as (jackfield, _):
        assert jackfield.test("acme")["status"] == "failing"


def test_a_sandbox_can_be_tried_with_the_mailbox_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of a connection whose account is in the sandbox names the simulator, which takes
    mail without verification.
    """
    values = {
        "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
        "secretAccessKey": "secret",
        "region": "eu-west-1",
    }
    with FakeAws(sandbox=True) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        connections = [{"acme": {"type": "aws/apiKeySecret", "values": values}}]
        with Jackfield(connections=connections, database_url="none") as jackfield:
            steps = {step["key"]: step for step in jackfield.test("acme")["lastTest"]["steps"]}
    assert not steps["sandbox"]["passed"]
    assert "its mailbox simulator (success@simulator.amazonses.com" in steps["sandbox"]["hint"]


def test_f4_a_policy_over_smtp_has_one_source() -> None:
    """Over SMTP only ses:SendRawEmail is needed, and both members of the answer say so."""
    with connected(
        {"hostname": "email-smtp.us-east-1.amazonaws.com", "username": "AKIAX", "password": "p"}
    ) as (jackfield, _):
        found = jackfield.connections.policy("link")
    assert (
        found["permissions"]
        == found["identityPolicy"]["Statement"][0]["Action"]
        == ["ses:SendRawEmail"]
    )


@pytest.mark.parametrize("dry_run", [True, False])
def test_f7_another_region_than_the_smtp_endpoints_is_told(
    dry_run: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A region that contradicts the endpoint's is told once in the log, for a dry run too; the
    endpoint decides where it is sent.
    """
    with rig() as it:
        for region in ("eu-west-1", "eu-west-1", "eu-central-1"):
            assert it.send({"dryRun": dry_run}, awsRegion=region).status == "succeeded"
    told = [
        record.getMessage() for record in caplog.records if "'awsRegion'" in record.getMessage()
    ]
    assert len(told) == 1
    assert "SMTP endpoint of eu-central-1, not in eu-west-1" in told[0]
