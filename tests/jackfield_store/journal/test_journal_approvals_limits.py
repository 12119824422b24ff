"""Calls that wait for a person have a limit of their own, and leave that of the queue alone."""

from __future__ import annotations

from typing import Any

import pytest
from tests.jackfield_store.journal.approving import (
    BOB,
    RULE,
    asked,
    runtime,
    status_of,
    worked,
    workspaces_of,
)

from fake_aws import FakeAws
from jackfield.callers import Caller
from jackfield.invocation import Enqueued
from jackfield.kernel.errors import LimitReached
from jackfield.pacing.turn import PostponedError
from jackfield_service.subjects.tenants.usage import in_use
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from nursery import mail

_READ: dict[str, Any] = {
    "connector": "aws-ses",
    "action": "getAccount",
    "connection": "acme-ses",
    "inputs": {},
}


def test_as_many_wait_as_may(upgraded: str, aws: FakeAws) -> None:
    """One more is refused with the limit's name and what to do; a decision makes room, and a repeat
    under a key needs none.
    """
    with runtime(upgraded, aws, {**RULE, "limits": {"waiting": 2}}) as jackfield:
        first = asked(jackfield, idempotencyKey="1")
        asked(jackfield, idempotencyKey="2")
        refused = jackfield.invoke({**mail("order-1"), "idempotencyKey": "3"})
        assert refused.error is not None
        assert (refused.error.code, refused.error.message) == (
            "rate_limited",
            "the workspace's limit 'waiting' of 2 is reached",
        )
        assert "Decide on some" in (refused.error.hint or "")
        with pytest.raises(LimitReached, match="'waiting' of 2"):
            jackfield.enqueue({**mail("order-1"), "idempotencyKey": "3"})
        assert asked(jackfield, idempotencyKey="1").meta.invocation_id == first.meta.invocation_id
        database = jackfield.storage.database
        assert (in_use(database, "default", "waiting"), in_use(database, "default", "queued")) == (
            2,
            0,
        )
        jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).approve(
            first.meta.invocation_id
        )
        assert (in_use(database, "default", "waiting"), in_use(database, "default", "queued")) == (
            1,
            1,
        )
        asked(jackfield, idempotencyKey="3")
        assert [result.status for result in worked(jackfield)] == ["succeeded"]


def test_what_waits_for_a_person_is_not_queued(upgraded: str, aws: FakeAws) -> None:
    """The queue's limit has room for as many as before, and its own calls meet that limit alone."""
    with runtime(upgraded, aws, {**RULE, "limits": {"queued": 1}}) as jackfield:
        for number in range(3):
            asked(jackfield, idempotencyKey=str(number))
        jackfield.enqueue(_READ)
        with pytest.raises(LimitReached, match="'queued' of 1"):
            jackfield.enqueue(_READ)


def test_a_batch_fills_each_limit(upgraded: str, aws: FakeAws) -> None:
    """In its order, and each of the rest is told which one it has met."""
    with runtime(upgraded, aws, {**RULE, "limits": {"queued": 1, "waiting": 2}}) as jackfield:
        mails = [{**mail(f"order-{number}"), "idempotencyKey": str(number)} for number in range(3)]
        found = jackfield.enqueue_many([mails[0], _READ, mails[1], mails[2], _READ, mails[0]])
        said = [
            one.status
            if isinstance(one, Enqueued)
            else one.error and one.error.message.split("'")[2]
            for one in found
        ]
        assert said == ["waiting", "queued", "waiting", "waiting", "queued", "waiting"]
        assert [isinstance(one, Enqueued) for one in found] == [
            True,
            True,
            True,
            False,
            False,
            True,
        ]
        assert isinstance(found[5], Enqueued)
        assert found[5].replayed


def _filled(jackfield: Jackfield, caller: Caller, count: int) -> list[str]:
    """The outcomes of a batch whose invocations have keys of their own."""
    mails = [{**mail("order-1"), "idempotencyKey": f"{caller.name}-{n}"} for n in range(count)]
    return [
        one.status if isinstance(one, Enqueued) else one.error.code if one.error else ""
        for one in jackfield.enqueue_many(mails, caller=caller)
    ]


def test_one_caller_does_not_fill_the_list(upgraded: str, aws: FakeAws) -> None:
    """Without a setting, 100 calls of a token wait; others have their own, and the process's code
    has no limit. The limit is a setting: 0 is none, and what waits then goes on waiting.
    """
    agent = Caller("agent", "invoke", remote=True)
    other = Caller("other", "invoke", remote=True)
    with runtime(upgraded, aws) as jackfield:
        assert _filled(jackfield, agent, 102) == ["waiting"] * 100 + ["rate_limited"] * 2
        refused = jackfield.invoke({**mail("order-1"), "idempotencyKey": "more"}, caller=agent)
        assert refused.error is not None
        assert (refused.error.code, refused.error.message) == (
            "rate_limited",
            "the workspace's limit 'waiting' of 100 is reached",
        )
        assert "it is one for each caller" in (refused.error.hint or "")
        assert asked(jackfield, caller=other, idempotencyKey="1").status == "waiting"
        assert asked(jackfield, idempotencyKey="2").status == "waiting"
        workspaces_of(jackfield).set("default", {"limits": {"waiting": 0}})
        over = asked(jackfield, caller=agent, idempotencyKey="3").meta.invocation_id
        workspaces_of(jackfield).set("default", {"limits": {"waiting": None}})
        with pytest.raises(LimitReached, match="'waiting' of 100"):
            jackfield.enqueue({**mail("order-1"), "idempotencyKey": "4"}, caller=agent)
        assert status_of(jackfield, over) == ("waiting", None)
        jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).approve(over)
        assert [result.status for result in worked(jackfield)] == ["succeeded"]


def test_an_equal_call_needs_no_room(upgraded: str, aws: FakeAws) -> None:
    """It joins the one that waits, although no other may begin to wait."""
    agent = Caller("agent", "invoke", remote=True)
    call = {name: value for name, value in mail("order-1").items() if name != "idempotencyKey"}
    rule = {**RULE, "twins": "join", "limits": {"waiting": 1}}
    with runtime(upgraded, aws, rule) as jackfield:
        first, again = (jackfield.invoke(call, caller=agent) for _ in range(2))
        assert again.meta.twin_of == first.meta.invocation_id
        other = jackfield.invoke(
            {**call, "inputs": {**call["inputs"], "subject": "another"}}, caller=agent
        )
        assert other.error is not None
        assert other.error.code == "rate_limited"


def test_an_approved_call_takes_its_place_of_a_quota_when_it_begins(
    upgraded: str, aws: FakeAws
) -> None:
    """Asking costs nothing. Of two that were approved the second one waits for the next span, and
    stays approved.
    """
    quotas = [{"count": 1, "per": "month", "of": {"effect": "write"}}]
    with runtime(upgraded, aws, {**RULE, "quotas": quotas}) as jackfield:
        identifiers = [
            asked(jackfield, idempotencyKey=str(number)).meta.invocation_id for number in range(2)
        ]
        approvals = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        for identifier in identifiers:
            approvals.approve(identifier)
        queue, found = Queue(jackfield.storage.database), list[str]()
        for claimed in queue.claim(10):
            try:
                found.append(jackfield.run(claimed).status)
            except PostponedError as later:
                assert queue.postpone(claimed, later.at)
                found.append("later")
        assert sorted(found) == ["later", "succeeded"]
        assert sorted(status_of(jackfield, identifier)[0] for identifier in identifiers) == [
            "queued",
            "succeeded",
        ]
