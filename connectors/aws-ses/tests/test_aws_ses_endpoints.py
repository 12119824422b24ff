"""Endpoints that do not have what is asked of them, and regions that contradict one another."""

from __future__ import annotations

from typing import Any

import pytest

from fake_aws import FakeAws
from jackfield import Jackfield
from smtp_rig import connected, rig

MAIL: dict[str, Any] = {"to": ["ada@example.com"], "sender": "noreply@example.com", "subject": "Hello", "text": "Hello"}
MISSING = {
    "do": "status", "status": 501, "code": "InternalFailure", "always": True,
    "message": "API for service 'sesv2' not yet implemented or pro feature",
}  # fmt: skip


def test_f3_an_endpoint_without_ses_v2_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 501 is a refusal, for the send and for the connection's test: the endpoint does not support SES v2."""
    script = [{**MISSING, "operation": f"sesv2:{name}"} for name in ("SendEmail", "GetAccount")]
    values = {"accessKeyId": "AKIAABCDEFGHIJKLWXYZ", "secretAccessKey": "secret", "region": "eu-west-1"}
    with FakeAws(script=script, identities=["example.com"]) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        connections = [{"acme": {"type": "aws/apiKeySecret", "values": values}}]
        with Jackfield(connections=connections, database_url="none") as jackfield:
            result = jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "connection": "acme", "inputs": MAIL})
            tested = jackfield.test("acme")
    assert result.error is not None
    assert (result.status, result.error.code, result.meta.attempts) == ("failed", "rejected", 1)
    assert "does not support SES v2" in result.error.message
    assert result.error.hint
    (step,) = [step for step in tested["lastTest"]["steps"] if step["key"] == "quota"]
    assert (tested["status"], step["passed"], step["mandatory"]) == ("failing", False, True)
    assert "does not support SES v2" in step["message"]


def test_a_sandbox_can_be_tried_with_the_mailbox_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of a connection whose account is in the sandbox names the simulator, which takes mail without verification."""
    values = {"accessKeyId": "AKIAABCDEFGHIJKLWXYZ", "secretAccessKey": "secret", "region": "eu-west-1"}
    with FakeAws(sandbox=True) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        connections = [{"acme": {"type": "aws/apiKeySecret", "values": values}}]
        with Jackfield(connections=connections, database_url="none") as jackfield:
            steps = {step["key"]: step for step in jackfield.test("acme")["lastTest"]["steps"]}
    assert not steps["sandbox"]["passed"]
    assert "its mailbox simulator (success@simulator.amazonses.com" in steps["sandbox"]["hint"]


def test_f4_a_policy_over_smtp_has_one_source() -> None:
    """Over SMTP only ses:SendRawEmail is needed, and both members of the answer say so."""
    with connected({"hostname": "email-smtp.us-east-1.amazonaws.com", "username": "AKIAX", "password": "p"}) as (jackfield, _):
        found = jackfield.connections.policy("link")
    assert found["permissions"] == found["identityPolicy"]["Statement"][0]["Action"] == ["ses:SendRawEmail"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_f7_another_region_than_the_smtp_endpoints_is_told(dry_run: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A region that contradicts the endpoint's is told once in the log, for a dry run too; the endpoint decides where it is sent."""
    with rig() as it:
        for region in ("eu-west-1", "eu-west-1", "eu-central-1"):
            assert it.send({"dryRun": dry_run}, awsRegion=region).status == "succeeded"
    told = [record.getMessage() for record in caplog.records if "'awsRegion'" in record.getMessage()]
    assert len(told) == 1
    assert "SMTP endpoint of eu-central-1, not in eu-west-1" in told[0]
