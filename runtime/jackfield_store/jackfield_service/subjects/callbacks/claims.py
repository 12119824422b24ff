"""Statements of the dispatcher: due deliveries of a callback, and the claim of their sender."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from jackfield.kernel.errors import JackfieldError
from jackfield_service.subjects.callbacks.callback import COLUMNS, Callback
from jackfield_service.subjects.events.feed import EVENT_COLUMNS
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.blocked import BlockedWorkspaces

HOLD = 60.0
"""Seconds for which a process holds its claims: longer than a batch may take. After that, another
process may send the deliveries.
"""
CALLBACKS = f"SELECT {COLUMNS} FROM callbacks"
HEADS = "SELECT workspace, last FROM event_heads"
EVENT = f"SELECT {EVENT_COLUMNS} FROM events WHERE workspace = :workspace AND sequence = :sequence"
NEXT = f"""
SELECT {EVENT_COLUMNS} FROM events WHERE workspace = :workspace AND sequence > :after AND sequence <= :until ORDER BY sequence LIMIT :limit
"""
MOVE = (
    "UPDATE callbacks SET position = :to WHERE workspace = :workspace AND id = :callback AND "
    "position = :from"
)
_DUE = """
SELECT workspace, callback, sequence, id, event, type, attempts + 1 AS attempts, log, COALESCE(source, workspace) AS source,
    COALESCE(event_sequence, sequence) AS event_sequence FROM deliveries
WHERE workspace = :workspace AND callback = :callback AND state = 'pending' AND next_at <= :until AND held_until <= :free
ORDER BY next_at, sequence LIMIT :limit
"""
NEXT_DUE = """
SELECT workspace, id, (
    SELECT next_at FROM deliveries
    WHERE workspace = callbacks.workspace AND callback = callbacks.id AND state = 'pending' AND held_until <= :free
    ORDER BY next_at, sequence LIMIT 1
) AS next_at FROM callbacks
"""
"""SQL query for the due time of each callback's next unclaimed delivery, by one index look-up
each.
"""
ONE = (
    "workspace = :workspace AND callback = :callback AND sequence = :sequence AND state || "
    "'' = 'pending'"
)
"""SQL condition for a pending delivery by its key. It hides the state from PostgreSQL's planner.
For a new, grown table without statistics, the planner would prefer the index by state to the key,
and read all pending deliveries for each one.
"""
_HELD = (
    f"UPDATE deliveries SET held_until = :held_until, attempts = attempts + 1 WHERE {ONE} "
    "AND held_until <= :free"
)
_RELEASE = f"""
UPDATE deliveries SET held_until = 0, attempts = attempts - 1, next_at = CASE WHEN next_at < :later THEN :later ELSE next_at END
WHERE {ONE}
"""
_PUT_OFF = """
SELECT sequence, next_at FROM deliveries
WHERE workspace = :workspace AND callback = :callback AND state = 'pending' AND (next_at, sequence) > (:after, :sequence)
ORDER BY next_at, sequence LIMIT :limit
"""
_NOW = f"UPDATE deliveries SET next_at = :now WHERE {ONE} AND next_at > :now"
_SLICE, _LAST = 500, 2**62
_NEVER = 1e18


class ClaimRequest(NamedTuple):
    """Request to claim deliveries to a callback: at most ``room`` batches of ``batch`` deliveries,
    of a kind whose number of free batches is limited.
    """

    workspace: str
    callback: Callback
    kind: str
    room: int
    batch: int


def claim(
    database: Database,
    blocked: BlockedWorkspaces,
    asked: Sequence[ClaimRequest],
    free: Mapping[str, int],
    now: float,
    held: float,
) -> list[list[Row] | None]:
    """Claim due deliveries in one commit, the longest overdue first, until no batch is free. Return
    the claimed rows of each request; None for a request for which no batch was free, or whose
    workspace is blocked.

    Claims that end at ``held`` or before have expired. Rows are locked when they are selected, so
    that one statement can change them all.
    """
    due, left = _DUE + database.dialect.skips_locked, Counter(free)

    def unit(
        names: Collection[str], transaction: Transaction
    ) -> list[tuple[int, list[Row] | None]]:
        nonlocal left
        left, found = (
            Counter(free if len(names) == every else left),
            list[tuple[int, list[Row] | None]](),
        )
        for place, item in enumerate(asked):
            if item.workspace not in names:
                continue
            room = min(item.room, left[item.kind], left["all"])
            rows = (
                None
                if room <= 0
                else _claimed(
                    transaction, due, item.callback, item.workspace, room * item.batch, now, held
                )
            )
            used = math.ceil(len(rows or ()) / item.batch)
            left.subtract({item.kind: used, "all": used})
            found.append((place, rows))
        return found

    workspaces = {item.workspace for item in asked}
    every = len(workspaces)
    rows = dict(
        blocked.together(
            workspaces,
            "the delivery of events",
            lambda names: database.record(partial(unit, names)),
        )
    )
    return [rows.get(place) for place in range(len(asked))]


def _claimed(
    transaction: Transaction,
    due: str,
    callback: Callback,
    workspace: str,
    limit: int,
    now: float,
    free: float,
) -> list[Row]:
    """Claim deliveries to a callback. A callback paused for its failures is tried from time to
    time, with its oldest delivery; any other paused callback, never.
    """
    place = {"workspace": workspace, "callback": callback.id, "free": free}
    until = now if callback.status != "paused" else _NEVER if opens_at(callback) <= now else -1.0
    rows = transaction.execute(due, {**place, "until": until, "limit": limit})
    if rows:
        transaction.change_many(
            _HELD, [{**place, "sequence": row.sequence, "held_until": now + HOLD} for row in rows]
        )
    return rows


def opens_at(callback: Callback) -> float:
    """Return the time before which nothing is sent to a callback."""
    if callback.status != "paused":
        return 0.0
    return _NEVER if callback.probe_at is None else callback.probe_at


def make_due(database: Database, workspace: str, callback: str, now: float) -> None:
    """Make postponed deliveries to a callback due, in short commits, since other processes write
    and claim rows meanwhile.
    """
    place = {
        "workspace": workspace,
        "callback": callback,
        "now": now,
        "after": now,
        "sequence": _LAST,
        "limit": _SLICE,
    }

    def unit(transaction: Transaction) -> Row | None:
        rows = transaction.execute(_PUT_OFF, place)
        if rows:
            transaction.change_many(_NOW, [{**place, "sequence": row.sequence} for row in rows])
        return rows[-1] if len(rows) == _SLICE else None

    while (last := database.record(unit)) is not None:
        place |= {"after": last.next_at, "sequence": last.sequence}


def release(database: Database, workspace: str, rows: Sequence[Row], later: float = 0.0) -> None:
    """Release claimed deliveries without an attempt; another process may send them at once, or at
    ``later``.
    """
    values = [
        {"workspace": workspace, "callback": row.callback, "sequence": row.sequence, "later": later}
        for row in rows
    ]
    with suppress(JackfieldError):  # else they are due when the claim has ended
        database.record(lambda transaction: transaction.change_many(_RELEASE, values))
