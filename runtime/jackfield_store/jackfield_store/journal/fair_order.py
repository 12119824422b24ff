"""Selection of the next invocations of the queue: in turn from each workspace, by priority, then by
age.

Budgets limit a workspace and its connections. Invocations beyond them stay in the queue, and take
no turns.

Invocations that were lost with two workers run one at a time, since one of them may be the cause.
An invocation that ends its worker ends all others there; otherwise it would end the same others
each time, until all are given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.blocked import BlockedWorkspaces
from jackfield_store.database.statements import without
from jackfield_store.journal import statements as sql
from jackfield_store.journal.budgets import Budget, Budgets, QueueLimits


class _Line(Protocol):
    """Waiting invocations of one workspace or connection; ``room`` is the number of further
    invocations that may be claimed.
    """

    room: int

    def take(self, limit: int) -> list[Row]:
        """Return the next ``limit`` invocations, or fewer if no more are due."""


def _in_turn(lines: Iterable[_Line], limit: int) -> list[Row]:
    """Take up to ``limit`` invocations: an equal share from each line, then the rest from lines
    with more waiting.
    """
    found: list[Row] = []
    left = [line for line in lines if line.room > 0]
    while left and len(found) < limit:
        share, further = -(-(limit - len(found)) // len(left)), []
        for line in left:
            wanted = min(share, line.room, limit - len(found))
            rows = line.take(wanted) if wanted > 0 else []
            found += rows
            line.room -= len(rows)
            if len(rows) == wanted > 0 and line.room > 0:
                further.append(line)
        left = further
    return found


class _Lane:
    """Invocations of a workspace, or of one connection in it, by priority and age."""

    def __init__(
        self,
        transaction: Transaction,
        statement: str,
        values: Mapping[str, Any],
        priorities: Sequence[int],
        room: int,
    ) -> None:
        self._transaction = transaction
        self._statement = statement
        self._values = values
        self._priorities = list(priorities)
        self._skipped = 0
        """Rows of the first priority that were taken; they still match the statement."""
        self.room = room

    def take(self, limit: int) -> list[Row]:
        """Return the next invocations."""
        found: list[Row] = []
        while self._priorities and len(found) < limit:
            wanted = limit - len(found)
            values = {
                **self._values,
                "priority": self._priorities[0],
                "limit": wanted,
                "skipped": self._skipped,
            }
            rows = self._transaction.execute(self._statement, values)
            found += rows
            self._skipped += len(rows)
            if len(rows) < wanted:
                self._priorities.pop(0)
                self._skipped = 0
        return found


class _Lanes:
    """Lanes of a workspace whose connections have budgets, in turn; ``budget`` is charged for each
    invocation.
    """

    def __init__(self, lanes: Sequence[_Lane], room: int, budget: Budget | None) -> None:
        self._lanes = lanes
        self._budget = budget
        self.room = room

    def take(self, limit: int) -> list[Row]:
        """Return the next invocations."""
        rows = _in_turn(self._lanes, limit)
        if self._budget is not None:
            self._budget.charge([row.connection for row in rows])
        return rows

    def save(self) -> None:
        """Store the remaining budget."""
        if self._budget is not None:
            self._budget.save()


class FairOrder:
    """Order in which one process takes invocations from the queue; it remembers the workspace
    served last.

    ``unreleased`` leaves out invocations that are on their way to a worker through a broker.
    ``locking`` is the dialect's clause that locks the selected rows, empty to lock none. With
    ``budgets``, ``due`` needs a transaction that writes. A ``blocked`` workspace stays in the queue
    without turns.
    """

    def __init__(
        self,
        blocked: BlockedWorkspaces,
        locking: str = "",
        *,
        unreleased: bool = False,
        budgets: Budgets | None = None,
    ) -> None:
        self._blocked = blocked
        self._workspaces = sql.UNRELEASED_WORKSPACES if unreleased else sql.WAITING_WORKSPACES
        self._whole, self._named, self._unnamed = (
            text + locking for text in (sql.RELEASABLE if unreleased else sql.CLAIMABLE)
        )
        self._budgets = budgets
        self._last = ""
        """Workspace that was served last; the next selection begins with the one after it."""
        self._turn = 0

    def waiting(self, database: Database, limit: int, moments: Mapping[str, float]) -> list[str]:
        """Return up to ``limit`` workspaces that have due invocations and can be served, beginning
        after the workspace served last.
        """
        found: list[str] = []
        for begin in dict.fromkeys((self._last, "")):
            names = self._page(database, begin, limit, moments)
            while names:
                found += [name for name in self._blocked.served(names) if name not in found]
                names = (
                    self._page(database, names[-1], limit, moments)
                    if len(found) < limit == len(names)
                    else []
                )
        return found[:limit]

    def _page(
        self, database: Database, after: str, limit: int, moments: Mapping[str, float]
    ) -> list[str]:
        condition, left_out = without(self._blocked.left_out())
        statement = self._workspaces.format(without=condition)
        with database.read(flush=False) as transaction:
            return [
                row.workspace
                for row in transaction.execute(
                    statement, {"after": after, "limit": limit, **moments, **left_out}
                )
            ]

    def due(
        self,
        transaction: Transaction,
        rooms: Mapping[str, int],
        limit: int,
        moments: Mapping[str, float],
    ) -> list[Row]:
        """Return up to ``limit`` due invocations: an equal share for each workspace, then the rest
        from workspaces with more waiting.

        ``rooms`` has the maximum number for each workspace; ``moments`` is ``SharedClock.moments``.
        Rows have workspace, id, inputs, delivery and connection. They are charged to the budgets,
        including suspects that have to wait.
        """
        self._turn += 1
        names = [name for name, room in rooms.items() if room > 0]
        limits = self._blocked.settings_of(names, self._limits_of)
        lines = [
            self._line(transaction, name, rooms[name], moments, found)
            for name, found in limits.items()
        ]
        found = _in_turn(lines, limit)
        for line in lines:
            line.save()
        if found:
            self._last = found[-1].workspace
        return _apart(transaction, found)

    def _limits_of(self, workspace: str) -> QueueLimits | None:
        return None if self._budgets is None else self._budgets.limits(workspace)

    def _line(
        self,
        transaction: Transaction,
        workspace: str,
        room: int,
        moments: Mapping[str, float],
        limits: QueueLimits | None,
    ) -> _Lanes:
        budget = (
            None
            if limits is None or self._budgets is None
            else self._budgets.open(transaction, workspace, limits)
        )
        room = room if budget is None else min(room, budget.room)
        if room <= 0:
            return _Lanes((), 0, budget)
        values = {"workspace": workspace, **moments}
        priorities = [
            row.priority for row in transaction.execute(sql.PRIORITIES, {"workspace": workspace})
        ]
        if budget is None or not budget.by_connection:
            return _Lanes([_Lane(transaction, self._whole, values, priorities, room)], room, budget)
        lanes = []
        for row in transaction.execute(sql.QUEUED_CONNECTIONS, {"workspace": workspace}):
            mine, name = budget.room_of(row.connection), row.connection
            if mine > 0:
                about = {**values, "connection": name} if name is not None else values
                lanes.append(
                    _Lane(
                        transaction,
                        self._unnamed if name is None else self._named,
                        about,
                        priorities,
                        mine,
                    )
                )
        first = self._turn % max(1, len(lanes))
        return _Lanes([*lanes[first:], *lanes[:first]], room if lanes else 0, budget)


def _apart(transaction: Transaction, rows: Iterable[Row]) -> list[Row]:
    """Drop rows so that a workspace has one running suspect: an invocation whose workers were lost
    before runs alone.
    """
    found: list[Row] = []
    seen: set[str] = set()
    for row in rows:
        if row.lost and row.delivery >= sql.SUSPECT:
            if row.workspace in seen:
                continue
            seen.add(row.workspace)
            if (
                transaction.find(
                    sql.SUSPECT_AT_WORK, {"workspace": row.workspace, "deliveries": sql.SUSPECT}
                )
                is not None
            ):
                continue
        found.append(row)
    return found
