"""The journal as an outbox: queued invocations that one elected process passes to the workers
through a broker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from jackfield.kernel.clock import Clock
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.blocked import BlockedWorkspaces
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal import statements as sql
from jackfield_store.journal.budgets import Budgets, QueueLimits
from jackfield_store.journal.fair_order import FairOrder
from jackfield_store.journal.instance import LEASE
from jackfield_store.journal.leadership import Leadership

Message = tuple[str, str]
"""Workspace and id of an invocation: the only content of a message to a broker."""
_RELEASE = "the release of queued invocations"


class Outbox:
    """Queued invocations of all workspaces, for the dispatching process.

    ``limits`` returns a workspace's budgets, ``lost`` whether a process has certainly ended. Rows
    of workspaces that are ``blocked`` wait.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        limits: Callable[[str], QueueLimits | None] | None = None,
        lost: Callable[[str], bool] = lambda _owner: False,
        blocked: BlockedWorkspaces | None = None,
    ) -> None:
        self._database = database
        self._time = SharedClock.of(database, clock)
        self._now = database.dialect.now
        self._leadership = Leadership(database, "queue", lost)
        budgets = Budgets(database, limits) if limits is not None else None
        self._blocked = blocked or BlockedWorkspaces(database, clock)
        self._order = FairOrder(self._blocked, unreleased=True, budgets=budgets)

    def lead(self) -> bool:
        """Take or renew the lease of the dispatching process; return False if another process holds
        it.
        """
        return self._leadership.take()

    def resign(self) -> None:
        """Give the lease up, so that another process can take it at once."""
        self._leadership.resign()

    def slots(self) -> int:
        """Return the number of invocations that all live workers can run at once."""
        found = self._database.look_up(sql.SLOTS.format(now=self._now), {"lease": LEASE})
        return 0 if found is None else int(found.slots)

    def released(self) -> int:
        """Return the number of invocations that were released and not claimed."""
        found = self._database.look_up(sql.RELEASED, {})
        return 0 if found is None else int(found.released)

    def due(self, limit: int) -> list[Message]:
        """Return up to ``limit`` due invocations in fair order that are not released, and charge
        them to their budgets.
        """
        moments = self._time.moments()
        workspaces = self._order.waiting(self._database, limit, moments)
        if not workspaces:
            return []

        def unit(names: Collection[str], transaction: Transaction) -> list[Row]:
            return self._order.due(transaction, dict.fromkeys(names, limit), limit, moments)

        rows = self._blocked.together(
            workspaces, _RELEASE, lambda names: self._database.record(partial(unit, names))
        )[:limit]
        return [(row.workspace, row.id) for row in rows]

    def mark(self, messages: Sequence[Message]) -> None:
        """Mark invocations as released, after the broker has confirmed their messages. Invocations
        that were claimed meanwhile stay claimed.
        """
        statement = sql.MARK_RELEASED.format(now=self._now)

        def unit(names: Collection[str], transaction: Transaction) -> list[int]:
            values = [
                {"workspace": workspace, "id": identifier}
                for workspace, identifier in messages
                if workspace in names
            ]
            return [transaction.change(statement, one) for one in values]

        self._blocked.together(
            (name for name, _ in messages),
            _RELEASE,
            lambda names: self._database.record(partial(unit, names)),
        )

    def recall(self, age: float) -> int:
        """Make releasable again the invocations that were released ``age`` seconds ago and are not
        claimed, since their messages were lost; return their number.
        """
        statement = sql.RECALL.format(now=self._now)
        return self._database.record(
            lambda transaction: transaction.change(statement, {"age": age})
        )

    def recall_one(self, message: Message) -> bool:
        """Release an invocation again whose message the broker gave up; return False if it was
        claimed or has ended.
        """
        values = {"workspace": message[0], "id": message[1]}
        return bool(
            self._database.record(lambda transaction: transaction.change(sql.RECALL_ONE, values))
        )
