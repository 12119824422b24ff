"""Policies from outside: a service of the operator refuses calls, lets them wait for a person, and
withholds what they return.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.jackfield_store.journal.approving import BOB, VALUES, status_of, worked

from fake_aws import FakeAws
from jackfield import Result
from jackfield.callers import Caller
from jackfield.invocation import Enqueued
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, NotAllowed
from jackfield.pacing.turn import PostponedError
from jackfield_store.runtime import Jackfield
from nursery import mail
from policy_stub import ALLOW, SECRET, Policy, policy_service

READ: dict[str, Any] = {
    "connector": "aws-ses",
    "action": "getAccount",
    "connection": "acme-ses",
    "inputs": {"awsRegion": "eu-west-1"},
}
AGENT = Caller("agent", "invoke", remote=True)


@pytest.fixture(name="policy")
def _policy() -> Iterator[Policy]:
    with policy_service() as found:
        yield found


@contextmanager
def judged(url: str, aws: FakeAws, policy: Policy, **more: str) -> Iterator[Jackfield]:
    """A runtime whose calls a policy judges."""
    with Jackfield(
        database_url=url, environment={**policy.environment, **more}, connections=()
    ) as jackfield:
        jackfield.connections.add(
            "acme-ses", "aws-ses/apiKeySecret", {**VALUES, "endpoint": aws.url}, test=False
        )
        policy.asked.clear()
        yield jackfield


def _calls(jackfield: Jackfield, call: dict[str, Any]) -> dict[str, Any]:
    return {
        "invoke": lambda: jackfield.invoke(call, caller=AGENT),
        "ainvoke": lambda: asyncio.run(jackfield.ainvoke(call, caller=AGENT)),
        "enqueue": lambda: jackfield.enqueue(call, caller=AGENT),
        "prepare": lambda: jackfield.prepare(call, caller=AGENT),
        "batch": lambda: jackfield.enqueue_many([call], caller=AGENT)[0],
    }


WAYS = ("invoke", "ainvoke", "enqueue", "prepare", "batch")


def _refused(step: Any) -> JackfieldError:
    """The error of a call, returned or raised."""
    try:
        found = step()
    except JackfieldError as error:
        return error
    assert isinstance(found, Result), found
    assert found.error is not None, found.to_json()
    return found.error


@pytest.mark.parametrize("way", WAYS)
def test_a_policy_refuses_a_call_on_each_way_in(
    upgraded: str, aws: FakeAws, policy: Policy, way: str
) -> None:
    """With its reason; nothing is sent or queued. The question says what would be done, secrets
    masked.
    """
    policy.decide = lambda question: {
        "allow": question["effect"] == "read",
        "reason": "no mail on Fridays",
    }
    with judged(upgraded, aws, policy) as jackfield:
        error = _refused(_calls(jackfield, mail("order-1"))[way])
        assert (error.code, error.message) == (
            "not_allowed",
            "not allowed: a policy refuses it: no mail on Fridays",
        )
        (question,) = policy.asked
        assert {
            name: question[name]
            for name in (
                "hook",
                "workspace",
                "connector",
                "action",
                "effect",
                "connection",
                "dryRun",
            )
        } == {
            "hook": "call",
            "workspace": "default",
            "connector": "aws-ses",
            "action": "sendEmail",
            "effect": "write",
            "connection": "acme-ses",
            "dryRun": False,
        }
        assert (question["caller"]["name"], question["inputs"]["subject"]) == ("agent", "order-1")
        assert (worked(jackfield), aws.messages) == ([], [])


@pytest.mark.parametrize("way", WAYS)
def test_a_policy_lets_a_call_wait_for_a_person(
    upgraded: str, aws: FakeAws, policy: Policy, way: str
) -> None:
    """As a rule does; once approved, the worker asks the policy again."""
    policy.decide = lambda question: {"allow": True, "approve": question["hook"] == "call"}
    with judged(upgraded, aws, policy) as jackfield:
        found = _calls(jackfield, mail("order-1"))[way]()
        if way == "prepare":
            assert found.approval.rule == "a policy asks for a person's approval"
            return
        assert found.status == "waiting"
        identifier = (
            found.invocation_id if isinstance(found, Enqueued) else found.meta.invocation_id
        )
        jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).approve(identifier)
        assert policy.hooks() == ["call"]
        assert [result.status for result in worked(jackfield)] == ["succeeded"]
        assert policy.hooks() == ["call", "call", "output"]
        assert len(aws.messages) == 1


def test_what_was_approved_is_refused_by_a_policy_of_now(
    upgraded: str, aws: FakeAws, policy: Policy
) -> None:
    """A worker's question is the last one."""
    policy.decide = lambda _question: {"allow": True, "approve": True}
    with judged(upgraded, aws, policy) as jackfield:
        identifier = jackfield.invoke(mail("order-1"), caller=AGENT).meta.invocation_id
        jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).approve(identifier)
        policy.decide = lambda _question: {"allow": False}
        (result,) = worked(jackfield)
        assert result.error is not None
        assert (result.error.code, "a policy refuses it" in result.error.message) == (
            "cancelled",
            True,
        )
        assert aws.messages == []


def _late(policy: Policy) -> None:
    policy.gate = threading.Event()


def _broken(policy: Policy) -> None:
    policy.status = 500


def _undefined(policy: Policy) -> None:
    policy.body = b"{}"


def _nonsense(policy: Policy) -> None:
    policy.body = b'{"result": [1]}'


def _html(policy: Policy) -> None:
    policy.body = b"<html>"


def _huge(policy: Policy) -> None:
    policy.body = b'{"result": {"allow": true, "x": "' + b"x" * 2_000_000 + b'"}}'


FAULTS = {
    "late": _late,
    "500": _broken,
    "undefined": _undefined,
    "no object": _nonsense,
    "no JSON": _html,
    "huge": _huge,
}


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "enqueue", "batch"])
@pytest.mark.parametrize("fault", FAULTS)
def test_without_a_decision_nothing_but_a_read_is_made(
    upgraded: str, aws: FakeAws, policy: Policy, fault: str, way: str
) -> None:
    """A write is refused, and may be repeated; a read is made, and its output is withheld."""
    with judged(upgraded, aws, policy) as jackfield:
        FAULTS[fault](policy)
        error = _refused(_calls(jackfield, mail("order-1"))[way])
        assert (error.code, error.retryable, "nothing was sent" in error.message) == (
            "unavailable",
            True,
            True,
        )
        assert (worked(jackfield), aws.messages) == ([], [])
        if way == "invoke":
            read = jackfield.invoke(READ, caller=AGENT)
            assert (read.status, read.output) == ("succeeded", None)
            assert [warning["message"] for warning in read.meta.warnings] == [
                "the output is withheld until a policy decides"
            ]


@pytest.mark.parametrize("fault", ["late", "500", "huge"])
def test_a_batch_asks_a_service_that_is_away_once(
    upgraded: str, aws: FakeAws, policy: Policy, fault: str
) -> None:
    """Each other line is refused, or queued as a read, without waiting for it again."""
    with judged(upgraded, aws, policy) as jackfield:
        FAULTS[fault](policy)
        found = jackfield.enqueue_many(
            [*(mail(f"order-{number}") for number in range(5)), READ], caller=AGENT
        )
        refused = [
            one.error.code for one in found if isinstance(one, Result) and one.error is not None
        ]
        assert (refused, policy.hooks(), isinstance(found[-1], Enqueued)) == (
            ["unavailable"] * 5,
            ["call"],
            True,
        )


def test_a_queued_call_waits_for_a_decision(upgraded: str, aws: FakeAws, policy: Policy) -> None:
    """What was accepted does not fail while the service is away: its row goes back to the queue."""
    with judged(upgraded, aws, policy) as jackfield:
        identifier = jackfield.enqueue(mail("order-1"), caller=AGENT)
        assert isinstance(identifier, str)
        policy.status = 500
        with pytest.raises(PostponedError):
            worked(jackfield)
        assert (status_of(jackfield, identifier), aws.messages) == (("queued", None), [])


def test_members_of_an_output_are_withheld(upgraded: str, aws: FakeAws, policy: Policy) -> None:
    """From the caller, and from the journal; a replay asks again, and the status stays."""
    policy.decide = lambda question: {
        "allow": True,
        "withhold": ["/MessageId"] if question["hook"] == "output" else [],
    }
    with judged(upgraded, aws, policy) as jackfield:
        call = {**mail("order-1"), "idempotencyKey": "one"}
        found = jackfield.invoke(call, caller=AGENT)
        assert (found.status, found.output, list(found.meta.warnings)) == (
            "succeeded",
            {},
            [{"path": "/MessageId", "message": "withheld by a policy"}],
        )
        entry = jackfield.journal_of().find(found.meta.invocation_id)
        assert entry.result is not None
        assert entry.result["output"] == {}
        policy.asked.clear()
        again = jackfield.invoke(call, caller=AGENT)
        assert (again.meta.replayed, again.output, policy.hooks()) == (True, {}, ["call", "output"])
        queued = jackfield.enqueue(call, caller=AGENT)
        assert isinstance(queued, Result)
        assert (queued.output, policy.hooks()) == ({}, ["call", "output"] * 2)
        (batched,) = jackfield.enqueue_many([call], caller=AGENT)
        assert isinstance(batched, Result)
        assert (batched.output, policy.hooks()[-1], len(aws.messages)) == ({}, "output", 1)


@pytest.mark.parametrize(
    "withhold",
    [
        ["/EnforcementStatus", "/SendQuota/Max24HourSend", "/missing/0"],
        "all",
        ["nonsense", 1],
        [""],
    ],
)
def test_places_are_json_pointers(
    upgraded: str, aws: FakeAws, policy: Policy, withhold: Any
) -> None:
    """One that names nothing withholds nothing, and an answer that makes no sense all of it."""
    policy.decide = lambda question: {
        "allow": True,
        **({"withhold": withhold} if question["hook"] == "output" else {}),
    }
    with judged(upgraded, aws, policy) as jackfield:
        found = jackfield.invoke(READ, caller=AGENT)
        assert found.status == "succeeded"
        if isinstance(withhold, list) and len(withhold) == 3:
            assert found.output is not None
            assert "EnforcementStatus" not in found.output
            assert {warning["path"] for warning in found.meta.warnings} <= set(withhold[:2])
        else:
            assert found.output is None


def test_a_listing_has_what_the_policy_leaves(upgraded: str, aws: FakeAws, policy: Policy) -> None:
    """Patterns hide actions and connectors; without a decision, reads are listed."""
    policy.decide = lambda question: (
        {"withhold": ["aws-ses/sendEmail"]} if question["hook"] == "listing" else ALLOW
    )
    with judged(upgraded, aws, policy) as jackfield:
        seen = jackfield.catalog_of(AGENT).find("aws-ses").actions
        assert ("sendEmail" in seen, "getAccount" in seen) == (False, True)
        assert policy.hooks() == ["listing"]
        policy.status = 500
        effects = {
            action.effect for action in jackfield.catalog_of(AGENT).find("aws-ses").actions.values()
        }
        assert effects == {"read"}


def test_without_a_policy_nothing_is_asked(upgraded: str, aws: FakeAws, policy: Policy) -> None:
    """Neither for calls nor for listings."""
    with Jackfield(database_url=upgraded, environment={}, connections=()) as jackfield:
        jackfield.connections.add(
            "acme-ses", "aws-ses/apiKeySecret", {**VALUES, "endpoint": aws.url}, test=False
        )
        assert jackfield.invoke(mail("order-1")).status == "succeeded"
        assert (jackfield.pipeline.policies.is_on, policy.asked) == (False, [])


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"JACKFIELD_POLICY_URL": "ftp://x", "JACKFIELD_POLICY_SECRET": SECRET},
            "JACKFIELD_POLICY_URL is not valid",
        ),
        ({"JACKFIELD_POLICY_URL": "http://127.0.0.1:1"}, "JACKFIELD_POLICY_SECRET must be set"),
        (
            {"JACKFIELD_POLICY_URL": "", "JACKFIELD_POLICY_SECRET": SECRET},
            "JACKFIELD_POLICY_URL is empty",
        ),
        ({"JACKFIELD_POLICY_URL": ""}, "JACKFIELD_POLICY_URL is empty"),
        ({"JACKFIELD_POLICY_SECRET": SECRET}, "is set, and JACKFIELD_POLICY_URL is not"),
        (
            {
                "JACKFIELD_POLICY_URL": "http://127.0.0.1:1",
                "JACKFIELD_POLICY_SECRET": "whsec_c2hvcnQ=",
            },
            "at least 24 bytes",
        ),
    ],
)
def test_its_settings_are_checked_at_the_start(variables: dict[str, str], said: str) -> None:
    """No process begins with a policy that it cannot ask."""
    with pytest.raises(InvalidInvocation, match=said):
        Jackfield(database_url="none", environment=variables, connections=())


def test_streams_are_not_judged_and_are_refused(
    upgraded: str, aws: FakeAws, policy: Policy
) -> None:
    """Their events would pass the policy by."""
    with judged(upgraded, aws, policy) as jackfield:
        stream = jackfield.stream(READ, caller=AGENT)
        assert [*stream] == []
        assert isinstance(stream.result.error, NotAllowed)


def test_a_dry_run_is_judged_without_an_approval(
    upgraded: str, aws: FakeAws, policy: Policy
) -> None:
    """It may be refused; where an approval is demanded, it needs none."""
    policy.decide = lambda _question: {"allow": True, "approve": True}
    with judged(upgraded, aws, policy) as jackfield:
        found = jackfield.invoke({**mail("order-1"), "dryRun": True}, caller=AGENT)
        assert (found.status, policy.asked[0]["dryRun"]) == ("succeeded", True)
