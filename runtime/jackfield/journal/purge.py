"""Deletion of entries past their retention, in slices: each commit looks at a bounded number of the oldest entries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from jackfield.database import Row, Transaction
from jackfield.journal import terms
from jackfield.journal.pages import Place

SLICE, _SMALLEST = 250, 20
"""Limits of the entries that a purge looks at in one commit, for which other writes wait."""
_LONG, _SHORT = 0.01, 0.004
"""Seconds of a slice after which the next one is smaller or larger: entries that are not in memory take ten times as long."""
_OLDEST_PLACE = Place(float("-inf"), "")
_OLDEST = """
SELECT id, created_at, context, status IN ('succeeded', 'failed') AND settled_at < :before
    AND (resolved_by IS NULL OR purge_after < :now) AS expired
FROM invocations WHERE workspace = :workspace AND created_at < :before AND (created_at, id) > (:at, :after)
ORDER BY created_at, id LIMIT :slice
"""
# Only a resolved doubt has a retention of its own, ``purge_after``.
_DELETE = "DELETE FROM invocations WHERE workspace = :workspace AND id IN ({ids}) AND status IN ('succeeded', 'failed')"


class Purged(NamedTuple):
    """Outcome of one slice: entries deleted, the place from which to go on (None if no older entry is left), and the next slice's size."""

    deleted: int
    last: Place | None
    size: int = SLICE


START = Purged(0, None)


def purge_slice(transaction: Transaction, workspace: str, from_: Purged, *, before: float, now: float, locking: str = "") -> Purged:
    """Delete those of the next entries that were finished before ``before``, and are neither running nor in doubt.

    ``from_`` is the slice before, ``START`` for the first one.
    """
    begun, after = time.monotonic(), from_.last or _OLDEST_PLACE
    values = {"workspace": workspace, "before": before, "now": now, "at": after.created_at, "after": after.id, "slice": from_.size}
    rows = transaction.execute(_OLDEST + locking, values)
    expired = [row for row in rows if row.expired]
    if expired:
        _delete(transaction, workspace, expired)
    last = Place(rows[-1].created_at, rows[-1].id) if rows else None  # fewer than the limit: others may have locked some
    return resized(Purged(len(expired), last, from_.size), time.monotonic() - begun)


def resized(slice_: Purged, seconds: float) -> Purged:
    """Choose the size of the next slice by the time that this one took."""
    size = slice_.size
    if seconds > _LONG:
        size = max(size // 2, _SMALLEST)
    elif seconds < _SHORT:
        size = min(size * 2, SLICE)
    return slice_._replace(size=size)


def _delete(transaction: Transaction, workspace: str, rows: Sequence[Row]) -> None:
    ids = {f"id_{place}": row.id for place, row in enumerate(rows)}
    transaction.change(_DELETE.format(ids=", ".join(f":{name}" for name in ids)), {"workspace": workspace, **ids})
    terms.remove(transaction, workspace, rows)
