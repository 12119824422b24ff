"""What is queued over a connection follows it to a new name, once; idempotency keys stay with the
name that was called.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.jackfield_store.journal.approving import (
    BOB,
    RULE,
    VALUES,
    asked,
    runtime,
    status_of,
    worked,
)

from fake_aws import FakeAws
from jackfield.callers import Caller
from jackfield.kernel.errors import InvalidConnection
from jackfield_store.journal import Queue
from jackfield_store.recording.decisions import ApprovalSpoiled
from jackfield_store.runtime import Jackfield
from nursery import mail

_OTHER = {**VALUES, "accessKeyId": "AKIAIOSFODNN7ANOTHER"}


def _queued(jackfield: Jackfield, key: str | None) -> str:
    invocation = {
        name: value for name, value in mail("order-1").items() if name != "idempotencyKey"
    }
    found = jackfield.enqueue(invocation if key is None else {**invocation, "idempotencyKey": key})
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("key", [None, "k-1"])
def test_a_queued_call_follows_its_connection(
    upgraded: str, aws: FakeAws, key: str | None, *, is_async: bool
) -> None:
    """It goes over the connection that it was queued for, whatever has the old name by now, and the
    journal has the new name.
    """
    with runtime(upgraded, aws, rule=None) as jackfield:
        identifier = _queued(jackfield, key)
        renamed = jackfield.connections.rename("acme-ses", "acme")
        assert "idempotency keys stay with 'acme-ses'" in renamed["warnings"][1]
        jackfield.connections.add(
            "acme-ses", "aws-ses/apiKeySecret", {**_OTHER, "endpoint": aws.url}
        )
        if is_async:
            (claimed,) = Queue(jackfield.storage.database).claim(1)
            result = asyncio.run(jackfield.arun(claimed))
        else:
            (result,) = worked(jackfield)
        assert (result.status, result.meta.invocation_id) == ("succeeded", identifier)
        entry = jackfield.journal_of().find(identifier)
        assert (entry.connection, entry.status) == ("acme", "succeeded")
        assert [one.access_key_id for one in aws.requests if one.operation == "SendEmail"] == [
            VALUES["accessKeyId"]
        ]
        assert worked(jackfield) == []
    assert len(aws.messages) == 1


def test_a_key_stays_with_the_name_that_was_called(upgraded: str, aws: FakeAws) -> None:
    """With the new name, the same key is another request, before the call has run and after it: it
    is refused, and nothing is sent.
    """
    with runtime(upgraded, aws, rule=None) as jackfield:
        _queued(jackfield, "k-1")
        jackfield.connections.rename("acme-ses", "acme")
        repeated = {**mail("order-1"), "idempotencyKey": "k-1", "connection": "acme"}
        for _ in range(2):
            found = jackfield.invoke(repeated)
            assert found.error is not None
            assert (found.error.code, found.error.retryable) == ("idempotency_conflict", False)
            worked(jackfield)
        old = jackfield.invoke({**repeated, "connection": "acme-ses"})
        assert old.error is not None
        assert old.error.code == "unknown_connection"
    assert len(aws.messages) == 1


def test_what_waits_for_an_approval_ends_with_a_rename(upgraded: str, aws: FakeAws) -> None:
    """A person was shown the old name: approved before or after the rename, it is cancelled, and
    nothing is sent.
    """
    with runtime(upgraded, aws, RULE) as jackfield:
        first, second = (
            asked(jackfield, idempotencyKey=key).meta.invocation_id for key in ("one", "two")
        )
        approvals = jackfield.approvals_of(Caller("bob"), BOB)
        approvals.approve(first)
        assert approvals.spoiled_reason(second) is None
        jackfield.connections.rename("acme-ses", "acme")
        reason = "its connection 'acme-ses' was renamed to 'acme' since it was asked for"
        assert (approvals.spoiled_reason(second), approvals.spoiled_reason(first)) == (reason, None)
        with pytest.raises(ApprovalSpoiled, match=f"cancelled: {reason}; nothing was sent"):
            approvals.approve(second)
        (result,) = worked(jackfield)
        assert result.error is not None
        assert (
            result.error.code,
            "the name of the connection has changed" in result.error.message,
        ) == ("cancelled", True)
        assert [status_of(jackfield, one) for one in (first, second)] == [
            ("failed", "cancelled")
        ] * 2
    assert aws.messages == []


def test_a_queued_call_of_a_removed_connection_fails(upgraded: str, aws: FakeAws) -> None:
    """By the name that it was queued with, though the connection was renamed before; a rename to
    the same name changes nothing.
    """
    with runtime(upgraded, aws, rule=None) as jackfield:
        identifier = _queued(jackfield, None)
        same = jackfield.connections.rename("acme-ses", "acme-ses")
        assert same["warnings"] == [
            "nothing was changed: the connection is named 'acme-ses' already"
        ]
        jackfield.connections.rename("acme-ses", "acme")
        jackfield.connections.remove("acme")
        (result,) = worked(jackfield)
        assert result.error is not None
        assert (result.error.code, status_of(jackfield, identifier)) == (
            "unknown_connection",
            ("failed", "unknown_connection"),
        )
        with pytest.raises(InvalidConnection):
            jackfield.connections.add("acme", "aws-ses/nothing", {})
    assert aws.messages == []


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("taken", ["added", "renamed", "hidden by a file"])
def test_a_queued_call_takes_no_other_connection(
    upgraded: str, aws: FakeAws, taken: str, *, named: bool
) -> None:
    """One that has the name of the removed one by now, in whatever way, or is the only one that
    fits a call that named none.
    """
    with runtime(upgraded, aws, rule=None) as jackfield:
        invocation = (
            mail("order-1")
            if named
            else {name: value for name, value in mail("order-1").items() if name != "connection"}
        )
        identifier = jackfield.enqueue(invocation)
        jackfield.connections.remove("acme-ses")
        other = {**_OTHER, "endpoint": aws.url}
        if taken != "hidden by a file":
            jackfield.connections.add(
                "acme-ses" if taken == "added" else "other", "aws-ses/apiKeySecret", other
            )
        if taken == "renamed":
            jackfield.connections.rename("other", "acme-ses")
        if taken != "hidden by a file":
            (result,) = worked(jackfield)
    if taken == "hidden by a file":
        filed = {"acme-ses": {"type": "aws-ses/apiKeySecret", "values": other}}
        with Jackfield(database_url=upgraded, environment={}, connections=[filed]) as jackfield:
            (result,) = worked(jackfield)
    assert result.error is not None
    assert (result.meta.invocation_id, result.error.code) == (identifier, "unknown_connection")
    assert (
        result.error.message
        == "the connection that this call was queued over is gone; 'acme-ses' is another one"
    )
    assert aws.messages == []
