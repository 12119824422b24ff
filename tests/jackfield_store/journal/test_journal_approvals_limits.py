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


def test_the_limit_is_a_setting(upgraded: str, aws: FakeAws) -> None:
    """It is set and removed as others are, and 0 lets no call wait."""
    with runtime(upgraded, aws, {**RULE, "limits": {"waiting": 0}}) as jackfield:
        assert workspaces_of(jackfield).find("default").settings.limits == {"waiting": 0}
        found = jackfield.invoke(mail("order-1"))
        assert found.error is not None
        assert found.error.code == "rate_limited"
        workspaces_of(jackfield).set("default", {"limits": {"waiting": None}})
        assert status_of(jackfield, asked(jackfield).meta.invocation_id) == ("waiting", None)


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
