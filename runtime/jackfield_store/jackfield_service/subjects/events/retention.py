"""Retention: old or excess events and deliveries are deleted in short commits, oldest first."""

from __future__ import annotations

import time
from typing import Any

from jackfield.kernel.clock import monotonic
from jackfield_service.subjects.events.marks import MARK, digest_of
from jackfield_store.database import Database, Row, Transaction

KEPT = 30 * 86_400.0
"""Seconds for which an event is stored."""
LARGEST = 256 * 1024 * 1024
"""Maximum bytes of the events of a workspace; above it the oldest events are deleted."""
DELIVERED_KEPT = 7 * 86_400.0
"""Seconds for which a delivery is stored after it succeeded; a dead one is stored as long as
events.
"""
_SLICE = 250
_PAUSE = 0.01
_HEADS = "SELECT workspace, purged, size FROM event_heads"
_HEAD = "SELECT purged, purged_mark, size FROM event_heads WHERE workspace = :workspace"
_OLDEST = f"""
SELECT sequence, at, LENGTH(data) AS size, {MARK.format("events")} AS mark FROM events
WHERE workspace = :workspace AND sequence > :purged ORDER BY sequence LIMIT :limit
"""
_DELETE = (
    "DELETE FROM events WHERE workspace = :workspace AND sequence > :purged AND sequence <= :last"
)
_SET = (
    "UPDATE event_heads SET purged = :last, purged_mark = :mark, size = size - :size WHERE "
    "workspace = :workspace"
)
_ENDED = """
SELECT workspace, callback, sequence FROM deliveries
WHERE ended_at IS NOT NULL AND ended_at < :before AND (state = 'delivered' OR ended_at < :dead_before) ORDER BY ended_at LIMIT :limit
"""
_DELETE_DELIVERY = """
DELETE FROM deliveries WHERE workspace = :workspace AND callback = :callback AND sequence = :sequence AND state <> 'pending'
"""


class Retention:
    """Retention of one database. Several processes may run it at once."""

    def __init__(self, database: Database, *, largest: int = LARGEST) -> None:
        self._database = database
        self._largest = largest

    def run(self, now: float, until: float) -> bool:
        """Delete expired events until a time (``time.monotonic``). Return whether more are left."""
        with self._database.read(flush=False) as transaction:
            heads = transaction.execute(_HEADS)
        for workspace, present in [(head.workspace, head) for head in heads]:
            head: Row | None = present
            while head is not None and self._is_due(workspace, head, now):
                self._purge(workspace, now)
                if monotonic() >= until:
                    return True
                time.sleep(_PAUSE)  # let other writers of SQLite take their turn
                head = self._database.look_up(_HEAD, {"workspace": workspace})
        while self._purge_deliveries(now):
            if monotonic() >= until:
                return True
            time.sleep(_PAUSE)
        return False

    def _is_due(self, workspace: str, head: Row, now: float) -> bool:
        oldest = self._database.look_up(
            _OLDEST, {"workspace": workspace, "purged": head.purged, "limit": 1}
        )
        return oldest is not None and (head.size > self._largest or oldest.at < now - KEPT)

    def _purge(self, workspace: str, now: float) -> None:
        """Delete a slice of events, always up to a number, since a reader's cursor is a number."""
        with self._database.write() as transaction:
            head = transaction.execute(
                _HEAD + self._database.dialect.locks, {"workspace": workspace}
            )[0]
            values: dict[str, Any] = {
                "workspace": workspace,
                "purged": head.purged,
                "limit": _SLICE,
            }
            size, last, mark = 0, head.purged, head.purged_mark
            for row in transaction.execute(_OLDEST, values):
                if head.size - size <= self._largest and row.at >= now - KEPT:
                    break
                size, last, mark = (
                    size + row.size,
                    row.sequence,
                    f"{row.sequence}-{digest_of(row.mark)}",
                )
            transaction.change(_DELETE, {**values, "last": last})
            transaction.change(_SET, {**values, "last": last, "mark": mark, "size": size})

    def _purge_deliveries(self, now: float) -> int:
        values = {"before": now - DELIVERED_KEPT, "dead_before": now - KEPT, "limit": _SLICE}
        if self._database.look_up(_ENDED, {**values, "limit": 1}) is None:
            return 0

        def unit(transaction: Transaction) -> int:
            rows = [row.as_dict() for row in transaction.execute(_ENDED, values)]
            return transaction.change_many(_DELETE_DELIVERY, rows) if rows else 0

        return self._database.record(unit)
