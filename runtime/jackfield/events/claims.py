"""Statements of the dispatcher: what is due to a callback, and who sends it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from jackfield.database import Database, Row, Transaction
from jackfield.dataclass import replace
from jackfield.errors import JackfieldError
from jackfield.events.callback import COLUMNS, Callback
from jackfield.events.feed import EVENT_COLUMNS

HOLD = 60.0
"""Seconds for which a process has what it claimed: longer than a batch may take. After that another one sends it."""
CALLBACKS = f"SELECT {COLUMNS} FROM callbacks"
HEADS = "SELECT workspace, last FROM event_heads"
EVENT = f"SELECT {EVENT_COLUMNS} FROM events WHERE workspace = :workspace AND sequence = :sequence"
NEXT = f"SELECT {EVENT_COLUMNS} FROM events WHERE workspace = :workspace AND sequence > :after ORDER BY sequence LIMIT :limit"
MOVE = "UPDATE callbacks SET position = :to WHERE workspace = :workspace AND id = :callback AND position = :from"
_ROW = f"SELECT {COLUMNS} FROM callbacks WHERE workspace = :workspace AND id = :id"
_DUE = """
SELECT workspace, callback, sequence, id, event, type, attempts + 1 AS attempts, log FROM deliveries
WHERE workspace = :workspace AND callback = :callback AND state = 'pending' AND next_at <= :until AND held_until <= :free
ORDER BY next_at, sequence LIMIT :limit
"""
_NEXT_DUE = "SELECT MIN(next_at) AS next_at FROM deliveries WHERE workspace = :workspace AND callback = :callback AND state = 'pending'"
_HELD = """
UPDATE deliveries SET held_until = :held_until, attempts = attempts + 1
WHERE workspace = :workspace AND callback = :callback AND sequence = :sequence AND state = 'pending' AND held_until <= :free
"""
_RELEASE = """
UPDATE deliveries SET held_until = 0, attempts = attempts - 1
WHERE workspace = :workspace AND callback = :callback AND sequence = :sequence AND state = 'pending'
"""
_NEVER = 1e18


def due_in(database: Database, workspace: str, callback: Callback, now: float, free: float) -> float:
    """Return the seconds until a delivery to a callback is due, 0 if one is. What is held until ``free`` or before is not held any more.

    A callback that was paused for its failures is tried with its oldest delivery from time to time; one that was paused otherwise, never.
    """
    until = _until(callback, now)
    if until is None:
        return _NEVER if callback.probe_at is None else max(0.2, callback.probe_at - now)
    place = {"workspace": workspace, "callback": callback.id}
    if database.look_up(_DUE, {**place, "until": until, "free": free, "limit": 1}) is not None:
        return 0.0
    row = database.look_up(_NEXT_DUE, place)
    return _NEVER if row is None or row.next_at is None else max(0.2, row.next_at - now)


def claim(database: Database, asked: Sequence[tuple[Callback, str, int]], now: float, free: float) -> list[list[Row]]:
    """Claim due deliveries to callbacks of workspaces, up to a number for each, the ones that are due longest first; in one commit."""

    def unit(transaction: Transaction) -> list[list[Row]]:
        return [_claimed(transaction, callback, workspace, limit, now, free) for callback, workspace, limit in asked]

    return database.record(unit)


def _claimed(transaction: Transaction, callback: Callback, workspace: str, limit: int, now: float, free: float) -> list[Row]:
    place = {"workspace": workspace, "callback": callback.id, "free": free}
    rows = transaction.execute(_DUE, {**place, "until": _until(callback, now), "limit": limit})
    return [row for row in rows if transaction.change(_HELD, {**place, "sequence": row.sequence, "held_until": now + HOLD})]


def _until(callback: Callback, now: float) -> float | None:
    """Return the time up to which deliveries are due; None if nothing is sent to the callback."""
    if callback.status != "paused":
        return now
    return None if callback.probe_at is None or callback.probe_at > now else _NEVER


def release(database: Database, workspace: str, rows: Sequence[Row]) -> None:
    """Give claimed deliveries back that were not attempted; another process may send them at once."""
    values = [{"workspace": workspace, "callback": row.callback, "sequence": row.sequence} for row in rows]
    with suppress(JackfieldError):  # else they are due when the claim has ended
        database.record(lambda transaction: transaction.change_many(_RELEASE, values))


def moved(callback: Callback, position: int) -> Callback:
    """Return a callback with another position."""
    return replace(callback, position=position)


def moved_row(database: Database, row: Row) -> Row:
    """Return the present row of a callback."""
    return database.look_up(_ROW, {"workspace": row.workspace, "id": row.id}) or row
