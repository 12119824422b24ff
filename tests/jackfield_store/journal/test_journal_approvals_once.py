"""An approval is used once, and says for ever what was decided, whatever somebody writes into the
rows of the database.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.jackfield_store.journal.approving import BOB, asked, runtime, status_of, worked

from fake_aws import FakeAws
from jackfield.callers import Caller
from jackfield.kernel.clock import SystemClock
from jackfield_store.database import Transaction
from jackfield_store.journal import Queue
from jackfield_store.recording.decisions import ApprovalClosed, WaitingCalls
from jackfield_store.recording.single_use import audit_of, beginning, returning
from jackfield_store.runtime import Jackfield


def _approvals(jackfield: Jackfield) -> WaitingCalls:
    return jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)


def _rows(jackfield: Jackfield, identifier: str) -> dict[str, dict[str, Any]]:
    """The rows of a call, as somebody copies them."""
    with jackfield.storage.database.read() as transaction:
        found = {
            table: transaction.find(f"SELECT * FROM {table} WHERE id = :id", {"id": identifier})
            for table in ("invocations", "approvals")
        }
    return {table: row.as_dict() for table, row in found.items() if row is not None}


def _put_back(jackfield: Jackfield, rows: dict[str, dict[str, Any]], **other: Any) -> None:
    """Write a call's rows as they were, with other values in some columns of the call."""
    with jackfield.storage.database.write() as transaction:
        for table, row in rows.items():
            values = {**row, **(other if table == "invocations" else {})}
            sets = ", ".join(
                f"{name} = :{name}" for name in values if name not in ("workspace", "id")
            )
            transaction.change(
                f"UPDATE {table} SET {sets} WHERE workspace = :workspace AND id = :id", values
            )


@pytest.mark.parametrize("delivery", [0, 1])
def test_rows_that_are_put_back_run_nothing_again(
    upgraded: str, aws: FakeAws, delivery: int
) -> None:
    """Whether as they were when the call was approved, or as if a lost worker had begun it."""
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        _approvals(jackfield).approve(identifier)
        copied = _rows(jackfield, identifier)
        assert [result.status for result in worked(jackfield)] == ["succeeded"]
        _put_back(jackfield, copied, delivery=delivery)
        (again,) = worked(jackfield)
        assert again.error is not None
        assert (again.error.code, "begun before" in again.error.message) == (
            ["cancelled", "in_doubt"][delivery],
            True,
        )
        assert len(aws.messages) == 1


def test_nobody_approves_a_second_time_what_was_put_back(upgraded: str, aws: FakeAws) -> None:
    """A call that waits again, although the audit log knows of a decision, is cancelled by whoever
    looks at it.
    """
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        copied = _rows(jackfield, identifier)
        approvals = _approvals(jackfield)
        approvals.approve(identifier)
        worked(jackfield)
        _put_back(jackfield, copied)
        with pytest.raises(ApprovalClosed, match="its row in the database was changed"):
            approvals.approve(identifier)
        assert (status_of(jackfield, identifier), worked(jackfield), len(aws.messages)) == (
            ("failed", "cancelled"),
            [],
            1,
        )


@pytest.mark.parametrize("event", ["approval.begun", "approval.approved"])
def test_a_hole_in_the_audit_log_lets_nothing_run(upgraded: str, aws: FakeAws, event: str) -> None:
    """Who removes the entry that says that a call was begun, or approved, breaks the chain, and
    nothing is made then.
    """
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        _approvals(jackfield).approve(identifier)
        copied = _rows(jackfield, identifier)
        worked(jackfield)
        _put_back(jackfield, copied)
        with jackfield.storage.database.write() as transaction:
            transaction.change("DELETE FROM audit_entries WHERE event = :event", {"event": event})
        (again,) = worked(jackfield)
        assert again.error is not None
        assert (again.error.code, "audit log" in again.error.message) == ("cancelled", True)
        assert len(aws.messages) == 1


def test_a_call_that_was_given_back_is_begun_again(upgraded: str, aws: FakeAws) -> None:
    """A worker that was stopped before it sent anything leaves the approved call to another one;
    the audit log says so.
    """
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        _approvals(jackfield).approve(identifier)
        (claimed,) = Queue(jackfield.storage.database).claim(1)
        journal = jackfield.journal
        assert journal is not None
        known = claimed.of(journal.opened_inputs(identifier, claimed.sealed))

        def nothing(_transaction: Transaction) -> int:
            return 1

        clock = SystemClock()
        jackfield.storage.database.record(beginning(nothing, journal, clock, known, "write"))
        jackfield.storage.database.record(
            returning(journal.giving_back(known), journal, clock, known)
        )
        assert [result.status for result in worked(jackfield)] == ["succeeded"]
        events = [
            entry.about["event"]
            for entry in audit_of(journal, clock).list(target=f"invocation:{identifier}")[0]
        ]
        assert events == [
            "approval.begun",
            "approval.returned",
            "approval.begun",
            "approval.approved",
        ]
        assert len(aws.messages) == 1


TAMPERED = {
    "action": "UPDATE invocations SET action = 'getAccount' WHERE id = :id",
    "rule": "UPDATE approvals SET rule = 'harmless' WHERE id = :id",
    "requester": """UPDATE approvals SET requested_by = '{"caller": "cli:ada"}' WHERE id = :id""",
    "requester's form": "UPDATE approvals SET requested_by = 'ada' WHERE id = :id",
    "time": "UPDATE approvals SET requested_at = 1 WHERE id = :id",
    "decided": """UPDATE approvals SET decided_by = '{"kind": "cli", "id": "carl"}' WHERE id = :id""",
    "decided when": "UPDATE approvals SET decided_at = 1 WHERE id = :id",
    "why": "UPDATE approvals SET why = 'the board agreed' WHERE id = :id",
    "status": "UPDATE approvals SET status = 'declined' WHERE id = :id",
    "undecided": (
        "UPDATE approvals SET status = 'cancelled', decided_by = NULL, decided_at = NULL, "
        "why = NULL WHERE id = :id"
    ),
    "about": "UPDATE approvals SET about = NULL WHERE id = :id",
}


@pytest.mark.parametrize("column", TAMPERED)
def test_a_decided_row_that_was_changed_says_so(upgraded: str, aws: FakeAws, column: str) -> None:
    """What was asked for is shown as it was sealed, and that the row has changed."""
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        approvals = _approvals(jackfield)
        approvals.approve(identifier, "it is fine")
        worked(jackfield)
        before = approvals.show(identifier)
        assert "damage" not in before
        jackfield.storage.database.record(
            lambda transaction: transaction.change(TAMPERED[column], {"id": identifier})
        )
        after = approvals.show(identifier)
        assert (
            after["damage"]
            == approvals.list()[0][0]["damage"]
            == "its row in the database was changed"
        )
        if column != "about":
            asked_for = (
                "connector",
                "connectorVersion",
                "action",
                "effect",
                "connection",
                "reason",
                "requestedBy",
                "requestedAt",
                "expiresAt",
            )
            assert {name: after[name] for name in asked_for} == {
                name: before[name] for name in asked_for
            }


@pytest.mark.parametrize("end", ["decline", "cancel"])
def test_a_call_that_was_not_approved_is_sound(upgraded: str, aws: FakeAws, end: str) -> None:
    """Its row has no damage; one of which somebody says that it was approved has."""
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        approvals = _approvals(jackfield)
        _ = (
            approvals.decline(identifier, "no")
            if end == "decline"
            else jackfield.cancel(identifier)
        )
        assert "damage" not in approvals.show(identifier)
        jackfield.storage.database.record(
            lambda transaction: transaction.change("UPDATE approvals SET status = 'approved'", {})
        )
        assert approvals.show(identifier)["damage"]
