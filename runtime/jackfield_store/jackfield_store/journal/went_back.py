"""A database that was set back to an earlier state under running processes: a standby promoted too
early, or a restored copy.

Three marks only grow in one database: the epoch, the numbers of events, and the time at which this
process renewed its lease. A mark lower than a committed value seen by this process belongs to an
older copy, and so does an event's number that another event has now. Data read before may never
have been there, and running calls may have ended in the lost part.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass, field
from jackfield_store.database.lost_numbers import note_place
from jackfield_store.journal.statements import LEAD

if TYPE_CHECKING:
    from jackfield_store.database import Database, Transaction

    Head = tuple[int, str | None]
    """Last number of a workspace's events, and the id of the event that has it; None if it is not
    kept.
    """
    Tell = Callable[[Transaction, Mapping[str, Any]], None]
    """Records in a transaction that the database went back."""

_EPOCH = (
    "SELECT number, (SELECT seen_at FROM instances WHERE id = :id) AS renewed FROM epoch "
    "WHERE name = 'shared'"
)
_HEADS = """
SELECT event_heads.workspace, workspaces.created_at, event_heads.last, events.id
FROM event_heads LEFT JOIN workspaces ON workspaces.name = event_heads.workspace
LEFT JOIN events ON events.workspace = event_heads.workspace AND events.sequence = event_heads.last
ORDER BY event_heads.numbered_at DESC LIMIT 100
"""
"""Query for the last event of each workspace, in the 100 workspaces with the latest events. A
workspace that was purged and created anew numbers its events from 1 again.
"""
_KEPT = """
SELECT purged, (SELECT id FROM events WHERE workspace = :workspace AND sequence = :last) AS id
FROM event_heads WHERE workspace = :workspace
"""
_RAISE = "UPDATE epoch SET number = :number WHERE name = 'shared' AND number < :number"
_NAME, _APART, _TOLD_FOR = "went back", 600.0, 3600.0
"""Row by which processes agree on the one that records the restoration; seconds within which
several processes notice the same one; seconds for which probes warn of it.
"""
_LATEST = "SELECT holder, held_until - {now} AS left FROM dispatchers WHERE name = :name"
_LOG = logging.getLogger("jackfield.journal")


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks of a database at one time: values that only grow."""

    epoch: int = 0
    renewed: float | None = None
    heads: Mapping[tuple[str, Any], Head] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    """Workspaces in which another event now has the number of the last event that this process had
    seen, as far as checked.
    """

    @classmethod
    def read(cls, transaction: Transaction, instance: str, seen: Marks) -> Marks:
        """Read the marks. If the lease of this process is gone, also read the events in
        ``seen``.
        """
        row = transaction.find(_EPOCH, {"id": instance})
        heads = {
            (head.workspace, head.created_at): (head.last, head.id)
            for head in transaction.execute(_HEADS)
        }
        if row is None:
            return cls(0, None, heads)
        if row.renewed is not None or seen.renewed is None:
            return cls(row.number, row.renewed, heads)
        return cls(row.number, None, heads, frozenset(seen._others(transaction, heads)))

    def _others(
        self, transaction: Transaction, present: Mapping[tuple[str, Any], Head]
    ) -> Iterator[str]:
        for (workspace, created), (last, event) in self.heads.items():
            if event is not None and (workspace, created) in present:
                row = transaction.execute(_KEPT, {"workspace": workspace, "last": last})[0]
                if row.id != event and row.purged < last:
                    yield workspace

    def lower(self, found: Marks, *, lately: bool) -> str | None:
        """Return a sentence about a mark that is lower now; None if no mark is lower. ``lately`` is
        True if no other process can have considered the lease expired.
        """
        if found.epoch < self.epoch:
            return f"its epoch is {found.epoch}, and was {self.epoch}"
        if self.renewed is not None and (
            lately if found.renewed is None else found.renewed < self.renewed
        ):
            there = "is not there" if found.renewed is None else f"is as of {iso(found.renewed)}"
            return f"the lease of this process {there}, and was renewed at {iso(self.renewed)}"
        for place, (last, event) in self.heads.items():
            now, other = found.heads.get(place, (last, event))
            if now < last:
                return (
                    f"the last event of the workspace '{place[0]}' has the number {now}, and "
                    f"there was {last}"
                )
            if place[0] in found.others or (
                now == last and None not in (event, other) and event != other
            ):
                return f"another event of the workspace '{place[0]}' has the number {last} now"
        return None


def note_return(
    database: Database, why: str, highest: int, since: float, tell: Tell | None
) -> float:
    """Log once that the database was set back, and raise the epoch above every seen value, so that
    no process uses its caches. Continue the numbers of events above the lost ones, unless another
    process has recorded the same since ``since``. Return the time of the record, by the database's
    clock.
    """
    _LOG.error(
        "the database went back to an earlier state, or may have: %s; see "
        "docs/tutorial/failover.md for what to do",
        why,
    )
    values = {"name": _NAME, "holder": os.urandom(8).hex(), "seconds": _APART, "lost": ""}
    dialect = database.dialect

    def unit(transaction: Transaction) -> float:
        transaction.change(_RAISE, {"number": highest + 1})
        note_place(transaction, dialect, since)
        if transaction.change(LEAD.format(now=dialect.now), values) and tell is not None:
            tell(transaction, {"reason": why})
        return float(transaction.execute(f"SELECT {dialect.now} AS now")[0].now)

    return database.record(unit)


def return_warning(database: Database) -> str | None:
    """Return a sentence for probes if a process has noticed in the last hour that the database was
    restored; else None.
    """
    row = database.look_up(_LATEST.format(now=database.dialect.now), {"name": _NAME})
    ago = None if row is None else _APART - row.left
    if ago is None or not 0 <= ago <= _TOLD_FOR:
        return None
    return (
        f"the database went back to an earlier state, or may have, {ago:.0f} seconds ago: what it "
        "has lost may be sent again, and what ran"
        " is in doubt (audit event 'database.wentBack')"
    )
