"""The journal as a queue: invocations that wait for a worker; one process claims each of them under its lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.clock import Clock
from jackfield.database import Database, Transaction
from jackfield.journal import statements as sql
from jackfield.journal.instance import Instance

_NOBODY: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True, repr=False)
class Claimed:
    """Invocation that this process has claimed. ``sealed`` is the original invocation, encrypted; ``delivery`` counts its claims."""

    workspace: str
    id: str
    sealed: bytes
    delivery: int


class Queue:
    """Queue of a whole database. Workers serve every workspace, so only these statements are not limited to one."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        from jackfield.clock import SystemClock

        self._database = database
        self._clock = clock or SystemClock()
        self._last = ""
        """Workspace that was served last; the next claim begins with the one after it."""

    def claim(self, limit: int, busy: Mapping[str, int] = _NOBODY, most: int | None = None) -> list[Claimed]:
        """Claim up to ``limit`` waiting invocations, oldest first and in turn from each workspace. No other process gets the same ones.

        ``busy`` counts the invocations of each workspace that run here, ``most`` is their limit.
        """
        now = self._clock.time()
        if self._database.look_up(sql.WAITING_WORKSPACES, {"after": "", "limit": 1, "now": now}) is None:
            return []
        most = limit if most is None else most

        def unit(transaction: Transaction) -> list[Claimed]:
            return self._claimed(transaction, limit, {name: most - count for name, count in busy.items()}, most, now)

        found = self._database.record(unit)
        if found:
            self._last = found[-1].workspace
        return found

    def give_back(self, claimed: Claimed) -> bool | None:
        """Return an invocation that has not begun to the queue; False if it has begun.

        The result is None if the database is unavailable: then it goes back as soon as the database answers, unless it has begun.
        """
        return self._returned(sql.GIVE_BACK, claimed)

    def postpone(self, claimed: Claimed, at: float) -> bool | None:
        """Return an invocation that has not begun to the queue until ``at``, as ``give_back`` does; the claim does not count."""
        return self._returned(sql.POSTPONE, claimed, at=at)

    def _returned(self, statement: str, claimed: Claimed, **more: float) -> bool | None:
        instance = Instance.of(self._database)
        values = {
            "workspace": claimed.workspace, "id": claimed.id, "owner": instance.owner, "delivery": claimed.delivery,
            "inputs": claimed.sealed, **more,
        }  # fmt: skip
        given: list[int] = []
        instance.owe(lambda transaction: given.append(transaction.change(statement, values)))
        instance.record_owed()
        return bool(given[-1]) if given else None

    def release(self, workspace: str, identifier: str, delivery: int) -> None:
        """Return a claimed invocation that no task here works on to the queue."""
        values = {"workspace": workspace, "id": identifier, "owner": Instance.of(self._database).owner, "delivery": delivery}
        self._database.record(lambda transaction: transaction.change(sql.RELEASE, values))

    def held(self) -> list[tuple[str, str, int]]:
        """Return workspace, id and delivery of the invocations that this process has claimed but not begun."""
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(sql.CLAIMED, {"owner": Instance.of(self._database).owner})
        return [(row.workspace, row.id, row.delivery) for row in rows]

    def asked_to_cancel(self) -> list[tuple[str, str]]:
        """Return workspace and id of the invocations here that other processes asked to cancel; each is reported once."""
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

    def _claimed(self, transaction: Transaction, limit: int, rooms: dict[str, int], most: int, now: float) -> list[Claimed]:
        """Claim in one transaction: an equal share for each workspace below its limit, then the rest from those with more waiting."""
        names = [name for name in self._waiting(transaction, limit, now) if rooms.get(name, most) > 0]
        found: list[Claimed] = []
        while names and len(found) < limit:
            share, further = -(-(limit - len(found)) // len(names)), []
            for name in names:
                room = rooms.setdefault(name, most)
                wanted = min(share, room, limit - len(found))
                mine = self._taken(transaction, name, wanted, now) if wanted > 0 else []
                rooms[name] = room - len(mine)
                found += mine
                if wanted > 0 and len(mine) == wanted and rooms[name] > 0:
                    further.append(name)
            names = further
        return found

    def _waiting(self, transaction: Transaction, limit: int, now: float) -> list[str]:
        """Return the workspaces with claimable invocations: those after the one served last, then those before it."""
        names: list[str] = []
        for after in dict.fromkeys((self._last, "")):
            rows = transaction.execute(sql.WAITING_WORKSPACES, {"after": after, "limit": limit, "now": now})
            names += [row.workspace for row in rows if row.workspace not in names]
        return names

    def _taken(self, transaction: Transaction, workspace: str, limit: int, now: float) -> list[Claimed]:
        values = {"workspace": workspace, "limit": limit, "now": now}
        rows = transaction.execute(sql.CLAIMABLE + self._database.dialect.skips_locked, values)
        mine = [row for row in rows if transaction.change(sql.CLAIM, self._values(row))]
        return [Claimed(row.workspace, row.id, row.inputs, row.delivery + 1) for row in mine]

    def _values(self, row: Any) -> dict[str, Any]:
        return {"workspace": row.workspace, "id": row.id, "owner": Instance.of(self._database).owner}
