"""Due rows, shared by the processes of one database.

Claiming a row postpones its next due time, and increments its claim counter. If the claiming
process dies, another one takes the row then; a late commit of the first changes nothing, since the
counter has moved on.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from jackfield.kernel.clock import Clock
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.shares import Places
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.blocked import BlockedWorkspaces
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.database.statements import without

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.database")
_ROUNDS = 20
"""Maximum number of selections; each skips the blocked workspaces that the previous one has met."""


_RANKED = 1_000
"""Number of the oldest rows that are taken in turn by workspace: to rank a backlog of 100,000 takes
a second. A workspace whose rows come first has no more than its share of the places, and is left
out then.
"""


class OvertakenError(Exception):
    """Error for a row that another process has claimed, or that was changed; nothing was stored."""


def held(count: int) -> None:
    """Check the number of rows that a statement changed under a claim.

    :raises OvertakenError: if it is 0.
    """
    if not count:
        raise OvertakenError


def next_due(
    database: Database, statement: str, blocked: BlockedWorkspaces, places: Places | None = None
) -> Row | None:
    """Return the row that is due next, of workspaces that are not blocked and may take one of the
    ``places``; None without such a row. ``{without}`` in the statement stands for the condition
    that excludes the other workspaces.
    """
    condition, left_out = without(_left_out(blocked, places))
    return database.look_up(statement.format(without=condition), left_out)


def claim(
    database: Database,
    due: DueStatements,
    take: str,
    now: float,
    lasts: float,
    limit: int,
    blocked: BlockedWorkspaces,
    places: Places | None = None,
) -> list[Row]:
    """Claim up to ``limit`` rows for ``lasts`` seconds; return them as they were before.

    ``due`` selects rows by ``:now`` and ``:limit``, with ``workspace``, ``id`` and ``claim`` among
    their columns. ``take`` claims one row until ``:until`` and increments its
    ``claim``.
    """

    def unit(transaction: Transaction, rows: list[Row]) -> list[Row]:
        return [row for row in rows if transaction.change(take, _place(row, now, lasts))]

    return claim_served(database, due, {"now": now, "limit": limit}, blocked, unit, places)


def claim_served(
    database: Database,
    due: DueStatements,
    values: Mapping[str, Any],
    blocked: BlockedWorkspaces,
    unit: Callable[[Transaction, list[Row]], list[T]],
    places: Places | None = None,
) -> list[T]:
    """Select due rows of workspaces that can be served, and return the results of ``unit`` for them
    in the same transaction. If more are due than can be claimed, they are selected in turn by
    workspace; none gets more than its share of the ``places``.
    """
    served: set[str] = set()
    text = due.oldest
    for _ in range(_ROUNDS):
        condition, left_out = without(_left_out(blocked, places))
        with database.read(flush=False) as transaction:
            rows = transaction.execute(due.oldest.format(without=condition), {**values, **left_out})
            if len(rows) >= values["limit"]:
                text = due.in_turn
                rows = transaction.execute(text.format(without=condition), {**values, **left_out})
        names = {row.workspace for row in rows}
        served = set(blocked.served(sorted(names)))
        if served == names:
            break
    if not served:
        return []
    condition, left_out = without(_left_out(blocked, places))
    statement = f"{text.format(without=condition)} {database.dialect.skips_locked}"

    def claimed(names: Collection[str], transaction: Transaction) -> list[T]:
        rows = transaction.execute(statement, {**values, **left_out})
        mine = [row for row in rows if row.workspace in names]
        return unit(transaction, mine if places is None else _shared(mine, places))

    return blocked.together(
        served, "the claim of what is due", lambda names: database.record(partial(claimed, names))
    )


def _left_out(blocked: BlockedWorkspaces, places: Places | None) -> list[str]:
    barred = [] if places is None else [name for name in places.barred if name]
    return [*dict.fromkeys((*blocked.left_out(), *barred))]


def _shared(rows: Iterable[Row], places: Places) -> list[Row]:
    """Return the rows for which their workspaces may take places."""
    found: list[Row] = []
    count: Counter[str] = Counter()
    for row in rows:
        count[row.workspace] += 1
        if count[row.workspace] <= places.room(row.workspace):
            found.append(row)
    return found


@dataclass(frozen=True, slots=True)
class DueStatements:
    """Statements that select due rows: those that are the longest overdue, or in turn by
    workspace.
    """

    oldest: str
    in_turn: str

    @staticmethod
    def of(columns: str, table: str, ready: str, at: str) -> DueStatements:
        """Return the statements for the rows of a table that are ``ready``, due ``at``."""
        begin = f"SELECT {columns} FROM {table} WHERE "
        oldest = (
            f"SELECT workspace, id, {at} AS due_at FROM {table} WHERE {ready}{{without}} "
            f"ORDER BY {at} LIMIT {_RANKED}"
        )
        ranked = (
            "SELECT workspace, id, due_at, ROW_NUMBER() OVER (PARTITION BY workspace "
            f"ORDER BY due_at) AS turn FROM ({oldest}) AS oldest"
        )
        chosen = (
            f"SELECT workspace, id FROM ({ranked}) AS ranked ORDER BY turn, due_at LIMIT :limit"
        )
        return DueStatements(
            f"{begin}{ready}{{without}} ORDER BY {at} LIMIT :limit",
            f"{begin}(workspace, id) IN ({chosen}) ORDER BY {at}",
        )


@dataclass(frozen=True, slots=True)
class DueTable:
    """Table ``name`` whose rows become due at the time in the column ``at``, by the database's
    clock; NULL for rows that wait for nothing.

    Each row has ``workspace``, ``id`` and ``claim``, which counts its claims and changes. A claim
    reads ``columns`` and holds for ``lasts`` seconds; ``also`` are further columns that it sets.
    ``where`` is a further condition for its rows.
    """

    name: str
    columns: str
    lasts: float
    at: str = "wake_at"
    also: str = ""
    where: str = ""

    @property
    def next(self) -> str:
        """Statement that finds when the next row is due."""
        return (
            f"SELECT {self.at} AS due_at FROM {self.name} WHERE {self.at} IS NOT "
            f"NULL{self.where}{{without}} ORDER BY {self.at} LIMIT 1"
        )

    @property
    def due(self) -> DueStatements:
        """Statements that find rows that are due."""
        ready = f"{self.at} IS NOT NULL{self.where} AND {self.at} <= :now"
        return DueStatements.of(self.columns, self.name, ready, self.at)

    @property
    def take(self) -> str:
        """Statement that claims a due row, unless another process has claimed it."""
        ours = f"workspace = :workspace AND id = :id AND claim = :claim AND {self.at} <= :now"
        return (
            f"UPDATE {self.name} SET claim = claim + 1, {self.at} = :until{self.also} WHERE {ours}"
        )


class DueRows:
    """Rows of one ``DueTable`` that become due, of all workspaces. A loop sets the ``places`` that
    its workspaces share.
    """

    table: DueTable
    places: Places | None = None

    def __init__(
        self, database: Database, clock: Clock, blocked: BlockedWorkspaces | None = None
    ) -> None:
        self._database = database
        self.time = SharedClock.of(database, clock)
        self._blocked = blocked or BlockedWorkspaces(database, clock)

    def lead(self) -> float | None:
        """Return the seconds until the next row is due, negative if it is overdue; None if there is
        no row.
        """
        row = next_due(self._database, self.table.next, self._blocked, self.places)
        return None if row is None else row.due_at - self.time.now()

    def wait(self) -> float | None:
        """Return the seconds until a row is due, 0 if one is due now; None if there is no row."""
        lead = self.lead()
        return None if lead is None else max(0.0, lead)

    def claimed_rows(self, limit: int) -> list[Row]:
        """Claim up to ``limit`` rows that are due, in turn by workspace, the longest overdue first;
        return them as they were before.
        """
        table = self.table
        return claim(
            self._database,
            table.due,
            table.take,
            self.time.now(),
            table.lasts,
            limit,
            self._blocked,
            self.places,
        )


def readable(rows: Iterable[Row], read: Callable[[Row], T], noun: str) -> list[T]:
    """Read claimed rows. An unreadable row, such as one of a newer version, does not hold up the
    others: its claim expires.
    """
    found: list[T] = []
    for row in rows:
        one = attempt(read, row)
        if isinstance(one, Raised):
            _LOG.error(
                "a %s of the workspace '%s' cannot be read: its row was changed, or is of a "
                "newer version",
                noun,
                row.workspace,
            )
        else:
            found.append(one)
    return found


def _place(row: Row, now: float, lasts: float) -> dict[str, object]:
    return {
        "workspace": row.workspace,
        "id": row.id,
        "claim": row.claim,
        "now": now,
        "until": now + lasts,
    }
