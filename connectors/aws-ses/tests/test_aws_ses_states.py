"""What SES tells nobody of is polled: identities that become verified or lose that, and the
standing of the account.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage, trigger_stage

from fake_aws import FakeAws

_VALUES = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret-key"}


@pytest.fixture(name="aws")
def _aws() -> Iterator[FakeAws]:
    with FakeAws(identities=["example.com"]) as aws:
        yield aws


@pytest.fixture(name="stage")
def _stage(aws: FakeAws, tmp_path: Path) -> Iterator[TriggerStage]:
    with trigger_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", servers=1) as stage:
        stage.runtime.connections.add(
            "acme", "aws/apiKeySecret", {**_VALUES, "endpoint": aws.url, "region": "eu-west-1"}
        )
        yield stage


def _watch(stage: TriggerStage, trigger: str, **inputs: Any) -> None:
    """Switch a trigger on, and let it see how things are."""
    stage.all().add(
        {"name": "one", "trigger": f"aws-ses/{trigger}", "connection": "acme", "inputs": inputs}
    )
    stage.look()
    assert stage.all().show("one")["status"] == "active"


def _next_events(stage: TriggerStage) -> list[tuple[str, Any]]:
    """What the next poll tells: types and payloads."""
    before = len(stage.events("aws_ses.*"))
    stage.move(400)
    stage.look()
    assert stage.all().show("one")["status"] == "active", stage.all().show("one")
    return [(event.type, event.data["payload"]) for event in stage.events("aws_ses.*")[before:]]


def _row(name: str, status: str, *, sends: bool) -> dict[str, Any]:
    return {
        "IdentityName": name,
        "IdentityType": "DOMAIN",
        "VerificationStatus": status,
        "SendingEnabled": sends,
    }


def test_an_identity_is_told_once_it_is_verified_and_once_it_is_not(
    stage: TriggerStage, aws: FakeAws
) -> None:
    """Pending is nothing yet, what was verified before is not news; while SES misses DNS records it
    may still send; a failure ends it.
    """
    _watch(stage, "identityStatus")
    item = {
        "identity": "shop.example.com",
        "type": "DOMAIN",
        "verificationStatus": "SUCCESS",
        "sendingEnabled": True,
    }
    for status, sends, expected in (
        ("PENDING", False, []),
        ("SUCCESS", True, [("aws_ses.identityVerified", item)]),
        ("SUCCESS", True, []),
        (
            "TEMPORARY_FAILURE",
            True,
            [("aws_ses.identityUpdated", {**item, "verificationStatus": "TEMPORARY_FAILURE"})],
        ),
        ("FAILED", False, [("aws_ses.identityUnverified", None)]),
        ("TEMPORARY_FAILURE", False, []),
        ("SUCCESS", True, [("aws_ses.identityVerified", item)]),
    ):
        rows = [
            _row("example.com", "SUCCESS", sends=True),
            _row("shop.example.com", status, sends=sends),
        ]
        aws.configure(answers={"ListEmailIdentities": {"EmailIdentities": rows}})
        found = [(kind, payload.get("item")) for kind, payload in _next_events(stage)]
        assert found == expected, status


def test_a_real_list_has_pages_and_an_identity_that_is_deleted_is_not_verified(
    stage: TriggerStage, aws: FakeAws
) -> None:
    """The account's own list: 1,000 identities are a page. After a failure between two, SES may not
    know the token any more.
    """
    names = [f"d{number:04}.example.com" for number in range(1010)]
    aws.configure(identities=names)
    _watch(stage, "identityStatus")
    faults: list[dict[str, Any]] = [
        {"do": "pass"},
        {"do": "reset"},
        {"do": "status", "code": "BadRequestException", "message": "NextToken"},
    ]
    aws.script([{**fault, "operation": "ListEmailIdentities"} for fault in faults])
    aws.configure(identities=[*names[1:], "new.example.com"])
    stage.move(400)
    stage.look()
    assert stage.all().show("one")["status"] == "degraded"
    stage.move(400)
    stage.look()
    told = [(event.type, event.data["payload"]["id"]) for event in stage.events("aws_ses.*")]
    assert told == [
        ("aws_ses.identityVerified", "new.example.com"),
        ("aws_ses.identityUnverified", names[0]),
    ]
    assert stage.all().show("one")["status"] == "active"


def test_a_list_that_ses_throttles_is_read_a_page_at_a_time(
    stage: TriggerStage, aws: FakeAws
) -> None:
    """SES allows a call a second: what was read counts, the next page follows after a pause, and
    nothing has failed.
    """
    throttled = {
        "do": "status",
        "status": 429,
        "code": "TooManyRequestsException",
        "message": "Rate exceeded",
        "operation": "ListEmailIdentities",
    }
    aws.configure(identities=[f"d{number:04}.example.com" for number in range(3001)])
    _watch(stage, "identityStatus")
    aws.script([{"do": "pass", "operation": "ListEmailIdentities"}, throttled] * 3)
    stage.move(400)
    before = len(aws.requests)
    for _ in range(4):
        stage.look()
        assert stage.all().show("one")["status"] == "active"
        stage.move(6)
    assert [request.operation for request in aws.requests[before:]] == ["ListEmailIdentities"] * 7
    assert stage.events("subscription.*") == stage.events("aws_ses.*") == []


def test_changes_of_the_accounts_standing_are_told(stage: TriggerStage, aws: FakeAws) -> None:
    """Each change is one event of its kind, with the account as it is now and what was otherwise;
    going back is a change, too.
    """
    _watch(stage, "accountStatus")
    healthy = {
        "sendingEnabled": True,
        "enforcementStatus": "HEALTHY",
        "productionAccessEnabled": True,
    }
    assert _next_events(stage) == []
    aws.configure(paused=True)
    paused = (
        "aws_ses.sendingPaused",
        {**healthy, "sendingEnabled": False, "previous": {"sendingEnabled": True}},
    )
    assert _next_events(stage) == [paused]
    aws.configure(paused=False)
    resumed = ("aws_ses.sendingResumed", {**healthy, "previous": {"sendingEnabled": False}})
    assert _next_events(stage) == [resumed]
    aws.configure(paused=True)
    assert _next_events(stage) == [paused]
    aws.configure(enforcement_status="SHUTDOWN", sandbox=True)
    shut = {
        "sendingEnabled": False,
        "enforcementStatus": "SHUTDOWN",
        "productionAccessEnabled": False,
    }
    previous = {"enforcementStatus": "HEALTHY", "productionAccessEnabled": True}
    both = ["aws_ses.reputationChanged", "aws_ses.productionAccessChanged"]
    assert _next_events(stage) == [(kind, {**shut, "previous": previous}) for kind in both]
    assert _next_events(stage) == []


def test_another_region_has_a_standing_of_its_own_and_a_failure_is_no_change(
    stage: TriggerStage, aws: FakeAws
) -> None:
    """The subscription names the region; what does not answer as SES does is a failure, after which
    nothing was missed.
    """
    tested = len(aws.requests)
    _watch(stage, "accountStatus", awsRegion="eu-central-1")
    assert [(request.operation, request.region) for request in aws.requests[tested:]] == [
        ("GetAccount", "eu-central-1")
    ]
    aws.script([{"do": "body", "operation": "GetAccount", "body": "{}"}])
    stage.move(400)
    stage.look()
    assert stage.all().show("one")["status"] == "degraded"
    aws.configure(paused=True)
    assert [kind for kind, _ in _next_events(stage)] == ["aws_ses.sendingPaused"]


def test_a_policy_for_them_lets_nobody_do_more(stage: TriggerStage) -> None:
    """One permission each."""
    for trigger, permission in (
        ("identityStatus", "ses:ListEmailIdentities"),
        ("accountStatus", "ses:GetAccount"),
    ):
        found = stage.runtime.connections.policy("acme", [trigger])
        assert found["permissions"] == [permission]
