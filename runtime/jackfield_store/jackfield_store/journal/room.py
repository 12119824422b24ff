"""Room that a workspace has in the queue, by its limit ``queued``, counted in the transaction that adds to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.kernel.errors import LimitReached
from jackfield_store.database import Database, Transaction
from jackfield_store.journal import statements as sql

_QUEUED = """
SELECT COALESCE(SUM(invocations), 0) AS n FROM invocation_counts
WHERE workspace = :workspace AND width = 0 AND slot = 0 AND status = 'queued'
"""


def room_in_queue(transaction: Transaction, workspace: str, most: float) -> int:
    """Return how many invocations more may wait, of which there may be ``most``."""
    return max(0, int(most) - int(transaction.execute(_QUEUED, {"workspace": workspace})[0].n))


def require_room(transaction: Transaction, workspace: str, most: float | None) -> None:
    """Check that one more may wait; None is no limit.

    :raises LimitReached: if it may not.
    """
    if most is not None and not room_in_queue(transaction, workspace, most):
        raise LimitReached("queued", most)


def is_queue_full(database: Database, workspace: str, most: float | None) -> bool:
    """Return whether as many wait as may."""
    if most is None:
        return False
    with database.read() as transaction:
        return not room_in_queue(transaction, workspace, most)


def insert_within(transaction: Transaction, workspace: str, rows: Sequence[Mapping[str, Any]], most: float | None) -> frozenset[str]:
    """Queue rows in their order, as many as may wait, and return their ids; one whose idempotency key is held takes no room."""
    room, queued = len(rows) if most is None else room_in_queue(transaction, workspace, most), frozenset[str]()
    while rows and room:
        found = sql.insert_queued(transaction, workspace, rows[:room])
        rows, room, queued = rows[room:], room - len(found), queued | found
    return queued
