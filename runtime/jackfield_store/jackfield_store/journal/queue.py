"""The journal as a queue: invocations that wait for a worker; one process claims each of them under
its lease.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from jackfield.invocation.claimed import Claimed
from jackfield.invocation.keyed import KeyFacts, earliest_lost
from jackfield.kernel.clock import Clock, SystemClock
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.blocked import BlockedWorkspaces
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal import statements as sql
from jackfield_store.journal.budgets import Budgets, QueueLimits
from jackfield_store.journal.entry import tries
from jackfield_store.journal.fair_order import FairOrder
from jackfield_store.journal.instance import Instance

_NOBODY: Mapping[str, int] = {}


def _rest(_workspace: str, busy: int, most: int) -> int:
    return most - busy


class Queue:
    """Queue of a whole database. Workers serve every workspace, so only these statements are not
    limited to one.

    ``limits`` returns the budgets of a workspace; without it there are none. ``free`` returns the
    number of a workspace's calls that this process may still take, given the number taken and the
    maximum. Rows of ``blocked`` workspaces wait.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock | None = None,
        limits: Callable[[str], QueueLimits | None] | None = None,
        blocked: BlockedWorkspaces | None = None,
        free: Callable[[str, int, int], int] = _rest,
    ) -> None:
        self._database = database
        self._free_by_limits = free
        clock = clock or SystemClock()
        self._time = SharedClock.of(database, clock)
        budgets = Budgets(database, limits) if limits is not None else None
        self._blocked = blocked or BlockedWorkspaces(database, clock)
        self._order = FairOrder(self._blocked, database.dialect.skips_locked, budgets=budgets)

    def claim(
        self,
        limit: int,
        busy: Mapping[str, int] = _NOBODY,
        room: Callable[[str], int] | None = None,
    ) -> list[Claimed]:
        """Claim up to ``limit`` waiting invocations, oldest first and in turn from each workspace.
        No other process gets the same invocations.

        ``busy`` counts the running invocations of each workspace here; ``room`` returns how many
        more a workspace may have.
        """
        moments = self._time.moments()
        waiting = self._order.waiting(self._database, limit, moments)
        rooms = self._blocked.settings_of(
            waiting,
            lambda name: self._free_by_limits(
                name, busy.get(name, 0), limit if room is None else busy.get(name, 0) + room(name)
            ),
        )
        if not rooms:
            return []

        def unit(names: Collection[str], transaction: Transaction) -> list[Claimed]:
            rows = self._order.due(
                transaction, {name: rooms[name] for name in rooms if name in names}, limit, moments
            )
            mine = [
                row
                for row in rows
                if transaction.change(sql.CLAIM, self._values(row.workspace, row.id))
            ]
            return [_claimed(row, row.workspace, row.id, row.delivery + 1) for row in mine]

        record = self._database.record
        return self._blocked.together(
            rooms, "the claim of queued invocations", lambda names: record(partial(unit, names))
        )

    def claim_one(self, workspace: str, identifier: str) -> Claimed | None:
        """Claim the invocation that a message names; None if it has ended, runs, is claimed
        already, or is not due.

        An invocation that was lost twice is not claimed while another such invocation runs: the
        dispatcher releases it again, alone.
        """
        values = {
            **self._values(workspace, identifier),
            **self._time.moments(),
            "suspect": sql.SUSPECT,
        }
        row = self._database.record(lambda transaction: transaction.find(sql.CLAIM_ONE, values))
        if row is None:
            return None
        return _claimed(row, workspace, identifier, row.delivery)

    def give_back(self, claimed: Claimed) -> bool | None:
        """Return an invocation that has not begun to the queue; return False if it has begun.

        Return None if the database is unavailable: the invocation then returns to the queue as soon
        as the database answers, unless it has begun.
        """
        return self._returned(sql.GIVE_BACK, claimed)

    def postpone(self, claimed: Claimed, at: float) -> bool | None:
        """Return an invocation that has not begun to the queue until ``at``, as ``give_back`` does;
        the claim does not count.
        """
        return self._returned(sql.POSTPONE, claimed, at=at)

    def _returned(self, statement: str, claimed: Claimed, **more: float) -> bool | None:
        instance = Instance.of(self._database)
        values = {
            "workspace": claimed.workspace,
            "id": claimed.id,
            "owner": instance.owner,
            "delivery": claimed.delivery,
            "inputs": claimed.sealed,
            **more,
        }
        given: list[int] = []
        instance.owe(lambda transaction: given.append(transaction.change(statement, values)))
        instance.record_owed()
        return bool(given[-1]) if given else None

    def release(self, workspace: str, identifier: str, delivery: int) -> None:
        """Return a claimed invocation to the queue, if no task here works on it."""
        values = {
            "workspace": workspace,
            "id": identifier,
            "owner": Instance.of(self._database).owner,
            "delivery": delivery,
        }
        self._database.record(lambda transaction: transaction.change(sql.RELEASE, values))

    def held(self) -> list[tuple[str, str, int]]:
        """Return workspace, id and delivery of the invocations that this process has claimed but
        not begun.
        """
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(sql.CLAIMED, {"owner": Instance.of(self._database).owner})
        return [(row.workspace, row.id, row.delivery) for row in rows]

    def asked_to_cancel(self) -> list[tuple[str, str]]:
        """Return workspace and id of the invocations here whose cancellation other processes have
        requested; each is reported once.
        """
        owner = Instance.of(self._database).owner
        if self._database.look_up(sql.ASKED_TO_CANCEL, {"owner": owner}) is None:
            return []

        def unit(transaction: Transaction) -> list[tuple[str, str]]:
            rows = transaction.execute(sql.ASKED_TO_CANCEL, {"owner": owner})
            for row in rows:
                transaction.change(sql.CANCEL_REPORTED, {"workspace": row.workspace, "id": row.id})
            return [(row.workspace, row.id) for row in rows]

        return self._database.record(unit)

    def depth(self) -> dict[str, int]:
        """Return the number of queued invocations by workspace."""
        with self._database.read() as transaction:
            return {row.workspace: int(row.waiting) for row in transaction.execute(sql.DEPTH, {})}

    def _values(self, workspace: str, identifier: str) -> dict[str, Any]:
        return {
            "workspace": workspace,
            "id": identifier,
            "owner": Instance.of(self._database).owner,
        }


def _claimed(row: Row, workspace: str, identifier: str, delivery: int) -> Claimed:
    """Return the claim of a row; of a damaged one nobody knows when it was sent first."""
    try:
        sent_at, key_facts = earliest_lost(tries(row.deliveries)), KeyFacts.of(row.key_facts)
    except (TypeError, ValueError):
        sent_at, key_facts = 0.0, None
    return Claimed(
        workspace,
        identifier,
        row.inputs,
        delivery,
        is_again=bool(delivery > 1 or row.lost),
        sent_at=sent_at,
        key_facts=key_facts,
    )
