"""The journal as a queue: invocations that wait for a worker, taken by one process each, given back when that process dies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jackfield.journal import statements as sql
from jackfield.journal.owner import is_dead, this_process

if TYPE_CHECKING:
    from jackfield.database import Database, Transaction

__all__ = ["Claimed", "Queue"]


@dataclass(frozen=True, slots=True, repr=False)
class Claimed:
    """An invocation that this process has taken; ``sealed`` is the invocation as it came in."""

    workspace: str
    id: str
    sealed: bytes


class Queue:
    """The queue of a whole database: workers serve every workspace, so these statements alone name none; each row says whose it is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owner = this_process()

    def claim(self, limit: int) -> list[Claimed]:
        """Take up to ``limit`` waiting invocations, oldest first. Another process never gets the same ones."""
        if self._database.look_up(sql.WAITING, {}) is None:
            return []

        def unit(transaction: Transaction) -> list[Claimed]:
            rows = transaction.execute(sql.CLAIMABLE, {"limit": limit})
            mine = [row for row in rows if transaction.change(sql.CLAIM, self._values(row))]
            return [Claimed(row.workspace, row.id, row.inputs) for row in mine]

        return self._database.record(unit)

    def give_back(self, claimed: Claimed) -> None:
        """Let somebody else take an invocation that was not begun."""
        self._free(claimed.workspace, claimed.id, self._owner)

    def asked_to_cancel(self) -> list[tuple[str, str]]:
        """Workspaces and ids of what this process runs and others want cancelled; each is told once."""
        if self._database.look_up(sql.ASKED_TO_CANCEL, {"owner": self._owner}) is None:
            return []

        def unit(transaction: Transaction) -> list[tuple[str, str]]:
            rows = transaction.execute(sql.ASKED_TO_CANCEL, {"owner": self._owner})
            for row in rows:
                transaction.change(sql.TOLD_TO_CANCEL, {"workspace": row.workspace, "id": row.id})
            return [(row.workspace, row.id) for row in rows]

        return self._database.record(unit)

    def recover(self) -> int:
        """Give back what dead processes had taken and not begun; how many."""
        with self._database.read() as transaction:
            rows = transaction.execute(sql.QUEUED_ELSEWHERE, {})
        left = [row for row in rows if row.owner != self._owner and is_dead(row.owner)]
        for row in left:
            self._free(row.workspace, row.id, row.owner)
        return len(left)

    def depth(self) -> dict[str, int]:
        """How many wait, by workspace."""
        with self._database.read() as transaction:
            return {row.workspace: int(row.waiting) for row in transaction.execute(sql.DEPTH, {})}

    def _free(self, workspace: str, identifier: str, owner: str) -> None:
        values = {"workspace": workspace, "id": identifier, "owner": owner}
        self._database.record(lambda transaction: transaction.change(sql.UNCLAIM, values))

    def _values(self, row: Any) -> dict[str, Any]:  # noqa: ANN401 (a row)
        return {"workspace": row.workspace, "id": row.id, "owner": self._owner}
