"""Rules for the next attempt of a delivery, and for pausing a failing callback."""

from __future__ import annotations

from random import SystemRandom
from typing import NamedTuple

from jackfield.kernel.clock import iso
from jackfield_service.subjects.callbacks.claims import ONE
from jackfield_service.subjects.callbacks.sending import Attempt
from jackfield_service.subjects.events.counts import count_deliveries
from jackfield_store.access import DEFAULT
from jackfield_store.access.platform_tokens import pattern_of
from jackfield_store.database import Row, Transaction
from jackfield_store.database.batches import RowUnit
from jackfield_store.database.outbox import record

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
PAUSES = (
    5.0,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
"""Seconds between two attempts, as Standard Webhooks advise: ten attempts in about three days."""
_JITTER = 0.2
WARN_AFTER, PAUSE_AFTER = 4 * _DAY, 5 * _DAY
"""Seconds of uninterrupted failures after which the pause of a callback is announced, and after
which it is paused.
"""
_PROBE_EVERY = _HOUR
"""Seconds between two attempts to a callback that was paused for its failures."""
_GONE = 410
_EXHAUSTED_EVERY = _HOUR
_LONG = 60.0
"""Seconds of failures after which a success makes all waiting deliveries due."""

_SENT = f"{ONE} AND event = :event"
"""SQL condition for the delivery of an attempt: after a restore of the database, another event's
delivery may have its number.
"""
_DELIVERED = f"""
UPDATE deliveries SET state = 'delivered', ended_at = :now, held_until = 0, last_status = :status, log = :log WHERE {_SENT}
"""
_FAILED = f"""
UPDATE deliveries SET state = :state, ended_at = :ended_at, next_at = :next_at, held_until = 0, last_status = :status, log = :log
WHERE {_SENT}
"""
_CALLBACK = """
SELECT status, failing_since, warned_at, exhausted_at, probe_at FROM callbacks WHERE workspace = :workspace AND id = :callback
"""
_RECOVERED = """
UPDATE callbacks SET failing_since = NULL, warned_at = NULL,
    status = CASE WHEN probe_at IS NOT NULL THEN 'active' ELSE status END,
    reason = CASE WHEN probe_at IS NOT NULL THEN NULL ELSE reason END, probe_at = NULL
WHERE workspace = :workspace AND id = :callback
"""
_FAILS = (
    "UPDATE callbacks SET failing_since = COALESCE(failing_since, :now) WHERE workspace = "
    ":workspace AND id = :callback"
)
_WARNED = (
    "UPDATE callbacks SET warned_at = :now WHERE workspace = :workspace AND id = :callback "
    "AND warned_at IS NULL"
)
_PAUSED = """
UPDATE callbacks SET status = 'paused', reason = :reason, probe_at = :probe_at
WHERE workspace = :workspace AND id = :callback AND status = 'active'
"""
_PROBED = (
    "UPDATE callbacks SET probe_at = :probe_at WHERE workspace = :workspace AND id = "
    ":callback AND probe_at IS NOT NULL"
)
_EXHAUSTED = (
    "UPDATE callbacks SET exhausted_at = :now WHERE workspace = :workspace AND id = :callback"
)


class Outcome(NamedTuple):
    """An attempt and its delivery: the current row, and its sealed log."""

    workspace: str
    row: Row
    attempt: Attempt
    log: bytes


def pause_before(attempts: int, wait: float | None, chance: float | None = None) -> float | None:
    """Return the seconds until the next attempt after ``attempts``, at least the receiver's
    requested wait; None after the last attempt.
    """
    if attempts > len(PAUSES):
        return None
    spread = 1 + _JITTER * (2 * (SystemRandom().random() if chance is None else chance) - 1)
    return max(PAUSES[attempts - 1] * spread, wait or 0.0)


def delivered(outcome: Outcome, now: float) -> RowUnit:
    """Return the unit that records a successful attempt to a healthy callback: one statement,
    shared by all such attempts in a commit.
    """
    values = {
        **_place(outcome),
        "event": outcome.row.event,
        "source": outcome.row.source,
        "now": now,
        "status": outcome.attempt.status,
        "log": outcome.log,
    }
    return RowUnit(_DELIVERED, _DELIVERED, values, count_deliveries)


def note_delivered(transaction: Transaction, outcome: Outcome, now: float) -> bool:
    """Record a successful attempt. A failing callback becomes healthy, and a callback paused for
    its failures active. Return whether all its waiting deliveries must be made due.
    """
    place = _place(outcome)
    changed = delivered(outcome, now)(transaction)
    state = transaction.find(_CALLBACK, place)
    if not changed or state is None or state.failing_since is None:
        return False
    transaction.change(_RECOVERED, place)
    if state.status == "paused" and state.probe_at is not None:
        record(
            transaction,
            _told_in(outcome),
            "callback.resumed",
            outcome.row.callback,
            now,
            {"callback": outcome.row.callback},
        )
    return bool(now - state.failing_since > _LONG)


def note_failed(transaction: Transaction, outcome: Outcome, now: float) -> int:
    """Record a failed attempt: the next attempt, or the end of the delivery, and the consequence
    for the callback. Return the number of changed deliveries: 0 if the delivery is no longer
    pending.
    """
    place, attempt = _place(outcome), outcome.attempt
    pause = None if attempt.final else pause_before(outcome.row.attempts, attempt.wait)
    values = {
        "event": outcome.row.event,
        "state": "dead" if pause is None else "pending",
        "ended_at": now if pause is None else None,
        "next_at": now if pause is None else now + pause,
        "status": attempt.status,
        "log": outcome.log,
    }
    changed = transaction.change(_FAILED, {**place, **values})
    if not attempt.final:
        transaction.change(_FAILS, {**place, "now": now})
    state = transaction.find(_CALLBACK, place)
    if not changed or state is None:
        return changed
    if pause is None:
        _note_exhausted(transaction, outcome, state, now)
    if attempt.status == _GONE:
        _pause(transaction, outcome, now, "it answered 410: it wants no more events", None)
    elif state.status == "paused":
        transaction.change(_PROBED, {**place, "probe_at": now + _PROBE_EVERY})
    elif state.failing_since is not None:
        _note_failing(transaction, outcome, state, now)
    return changed


def _note_exhausted(transaction: Transaction, outcome: Outcome, state: Row, now: float) -> None:
    """Record an event about a dead delivery, once an hour: a receiver that is gone would cause one
    for each event.
    """
    if state.exhausted_at is None or now - state.exhausted_at >= _EXHAUSTED_EVERY:
        row, place = outcome.row, _place(outcome)
        facts = {
            "callback": row.callback,
            "delivery": row.id,
            "eventId": row.event,
            "eventType": row.type,
            "attempts": row.attempts,
            "error": outcome.attempt.error,
        }
        record(transaction, _told_in(outcome), "callback.exhausted", row.callback, now, facts)
        transaction.change(_EXHAUSTED, {**place, "now": now})


def _note_failing(transaction: Transaction, outcome: Outcome, state: Row, now: float) -> None:
    """Announce the pause of a callback a day before, then pause it."""
    failing = now - state.failing_since
    if failing >= WARN_AFTER and state.warned_at is None:
        facts = {
            "callback": outcome.row.callback,
            "error": outcome.attempt.error,
            "failingSince": iso(state.failing_since),
        }
        facts["pausesAt"] = iso(
            max(state.failing_since + PAUSE_AFTER, now + PAUSE_AFTER - WARN_AFTER)
        )
        record(transaction, _told_in(outcome), "callback.failing", outcome.row.callback, now, facts)
        transaction.change(_WARNED, {**_place(outcome), "now": now})
    elif (
        failing >= PAUSE_AFTER
        and state.warned_at is not None
        and now - state.warned_at >= PAUSE_AFTER - WARN_AFTER
    ):
        reason = (
            f"no delivery has succeeded since {iso(state.failing_since)}: {outcome.attempt.error}"
        )
        _pause(transaction, outcome, now, reason, now + _PROBE_EVERY)


def _pause(
    transaction: Transaction, outcome: Outcome, now: float, reason: str, probe_at: float | None
) -> None:
    if transaction.change(_PAUSED, {**_place(outcome), "reason": reason, "probe_at": probe_at}):
        facts = {"callback": outcome.row.callback, "reason": reason}
        record(transaction, _told_in(outcome), "callback.paused", outcome.row.callback, now, facts)


def _told_in(outcome: Outcome) -> str:
    """Return the workspace whose events report on a callback: the operator's for a platform's
    callback, which has no workspace.
    """
    return outcome.workspace if pattern_of(outcome.workspace) is None else DEFAULT


def _place(outcome: Outcome) -> dict[str, object]:
    return {
        "workspace": outcome.workspace,
        "callback": outcome.row.callback,
        "sequence": outcome.row.sequence,
    }
