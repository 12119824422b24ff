"""Limits of a workspace for invocations that have not begun, counted in the transaction that adds
one.

Invocations that wait for a worker count against ``queued``, invocations that wait for a person
against ``waiting``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import LimitReached
from jackfield_store.database import Database, Transaction
from jackfield_store.journal import statements as sql

if TYPE_CHECKING:
    from jackfield.invocation.entry import Draft

QUEUED, WAITING = "queued", "waiting"
_WAITING = "SELECT COUNT(*) AS n FROM approvals WHERE workspace = :workspace AND status = 'waiting'"
_COUNTS: Mapping[str, str] = {
    QUEUED: f"""
SELECT COALESCE(SUM(invocations + 0.0), 0) - ({_WAITING}) AS n FROM invocation_counts
WHERE workspace = :workspace AND width = 0 AND slot = 0 AND status = 'queued'
""",
    WAITING: _WAITING,
}
_DECIDE = (
    "Decide on some of those that wait for a person. Who manages the workspace can raise the limit."
)


def limit_of(draft: Draft) -> str:
    """Return the name of the limit that an invocation counts against."""
    return QUEUED if draft.approval is None else WAITING


def in_use(transaction: Transaction, workspace: str, limit: str = QUEUED) -> int:
    """Return the number of invocations that a limit counts now."""
    return int(transaction.execute(_COUNTS[limit], {"workspace": workspace})[0].n)


def limit_reached(limit: str, most: float) -> LimitReached:
    """Build the error of an invocation beyond a limit."""
    return LimitReached(limit, most) if limit == QUEUED else LimitReached(limit, most, hint=_DECIDE)


def require_room(
    transaction: Transaction, workspace: str, most: float | None, limit: str = QUEUED
) -> None:
    """Check that one more invocation may wait; ``most`` None is no limit.

    :raises LimitReached: if the limit is reached.
    """
    if most is not None and in_use(transaction, workspace, limit) >= int(most):
        raise limit_reached(limit, most)


def is_queue_full(database: Database, workspace: str, most: float | None) -> bool:
    """Return whether the number of invocations that wait for a worker has reached ``most``."""
    if most is None:
        return False
    with database.read() as transaction:
        return in_use(transaction, workspace) >= int(most)


def insert_within(
    transaction: Transaction,
    workspace: str,
    drafts: Sequence[tuple[Draft, Mapping[str, Any]]],
    most: Mapping[str, float],
) -> frozenset[str]:
    """Queue the first drafts, each with its row, as many as the limits allow. Return their ids; a
    draft whose idempotency key is held does not count. ``most`` are the limits. Keys are claimed in
    a fixed order: two processes that queue the same keys do not wait for each other.
    """
    queued, room = (
        frozenset[str](),
        {
            limit: int(number) - in_use(transaction, workspace, limit)
            for limit, number in most.items()
        },
    )
    for limit, group in groupby(drafts, key=lambda one: limit_of(one[0])):
        rows = [row for _, row in group]
        while rows and room.get(limit, 1) > 0:
            part = rows[: room.get(limit)]
            found = sql.insert_queued(transaction, workspace, sorted(part, key=_order))
            rows, queued = rows[len(part) :], queued | found
            if limit in room:
                room[limit] -= len(found)
    return queued


def _order(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["key_space"], row["idempotency_key"] or ""
