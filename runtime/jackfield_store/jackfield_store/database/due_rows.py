"""Rows that become due, as the processes of one database share them.

To claim a row is to put off when the next process looks at it, and to count the claim on. If the process that claimed it dies, another one
takes it then; what the first one commits too late changes nothing, since the claim has been counted on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from jackfield.kernel.failures import Raised, attempt
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.blocked import BlockedWorkspaces
from jackfield_store.database.statements import without

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.database")
_ROUNDS = 20
"""Limit of the selections until one has no row of a workspace that is blocked; each leaves out those that the one before has found."""


class OvertakenError(Exception):
    """Another process has claimed the row, or somebody changed it, so nothing was stored."""


def held(count: int) -> None:
    """Check the number of rows that a statement changed under a claim.

    :raises OvertakenError: if the claim does not hold.
    """
    if not count:
        raise OvertakenError


def next_due(database: Database, statement: str, blocked: BlockedWorkspaces) -> Row | None:
    """Return the row that is due next, of the workspaces that are not blocked; ``{without}`` in the statement leaves these out."""
    condition, left_out = without(blocked.left_out())
    return database.look_up(statement.format(without=condition), left_out)


def claim(database: Database, due: str, take: str, now: float, lasts: float, limit: int, blocked: BlockedWorkspaces) -> list[Row]:
    """Claim up to ``limit`` rows for ``lasts`` seconds, as they were before.

    ``due`` selects them by ``:now``, ``:limit`` and ``{without}``, with ``workspace``, ``id`` and ``claim`` among their columns; ``take``
    counts the claim of one on, until ``:until``.
    """

    def unit(transaction: Transaction, rows: list[Row]) -> list[Row]:
        return [row for row in rows if transaction.change(take, _place(row, now, lasts))]

    return claim_served(database, due, {"now": now, "limit": limit}, blocked, unit)


def claim_served(
    database: Database, due: str, values: Mapping[str, Any], blocked: BlockedWorkspaces, unit: Callable[[Transaction, list[Row]], list[T]]
) -> list[T]:
    """Select rows that are due of workspaces that can be served, and return what ``unit`` makes of them in the same transaction."""
    served: set[str] = set()
    for _ in range(_ROUNDS):
        condition, left_out = without(blocked.left_out())
        with database.read(flush=False) as transaction:
            rows = transaction.execute(due.format(without=condition), {**values, **left_out})
        names = {row.workspace for row in rows}
        served = set(blocked.served(sorted(names)))
        if served == names:
            break
    if not served:
        return []
    condition, left_out = without(blocked.left_out())
    statement = f"{due.format(without=condition)} {database.dialect.skips_locked}"

    def claimed(transaction: Transaction) -> list[T]:
        rows = transaction.execute(statement, {**values, **left_out})
        return unit(transaction, [row for row in rows if row.workspace in served])

    return database.record(claimed)


def readable(rows: Iterable[Row], read: Callable[[Row], T], noun: str) -> list[T]:
    """Read claimed rows. One that cannot be read, such as a row of a newer version, keeps none of the others: its claim runs out."""
    found: list[T] = []
    for row in rows:
        one = attempt(read, row)
        if isinstance(one, Raised):
            _LOG.error("a %s of the workspace '%s' cannot be read: its row was changed, or is of a newer version", noun, row.workspace)
        else:
            found.append(one)
    return found


def _place(row: Row, now: float, lasts: float) -> dict[str, object]:
    return {"workspace": row.workspace, "id": row.id, "claim": row.claim, "now": now, "until": now + lasts}
