"""Leadership: one process of several does a piece of work, while it renews its lease."""

from __future__ import annotations

from collections.abc import Callable

from jackfield_store.database import Database
from jackfield_store.journal import statements as sql
from jackfield_store.journal.instance import Instance

LEAD = 3.0
"""Seconds for which a process leads without renewing its lease."""


class Leadership:
    """Lease, by name, of work that only one process of a database does. ``lost`` returns whether a
    process has certainly ended.
    """

    def __init__(
        self, database: Database, name: str, lost: Callable[[str], bool] = lambda _owner: False
    ) -> None:
        self._database = database
        self._name = name
        self._lost = lost
        self._now = database.dialect.now

    def take(self) -> bool:
        """Take or renew the lease; return False if another process holds it."""
        me = Instance.of(self._database).owner
        found = self._database.look_up(sql.LEADER.format(now=self._now), {"name": self._name})
        lost = ""
        # more is left only if the clock was set back
        if found is not None and found.holder != me and 0 < found.left <= LEAD:
            if not self._lost(found.holder):
                return False
            lost = found.holder
        values = {"name": self._name, "holder": me, "seconds": LEAD, "lost": lost}
        return bool(
            self._database.record(
                lambda transaction: transaction.change(sql.LEAD.format(now=self._now), values)
            )
        )

    def resign(self) -> None:
        """Give the lease up, so that another process can take it at once."""
        values = {"name": self._name, "holder": Instance.of(self._database).owner}
        self._database.record(lambda transaction: transaction.change(sql.RESIGN, values))
