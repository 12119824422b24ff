"""Counts of events and deliveries by UTC day, which are stored longer than both. They are written
in the commit that numbers events, or records a successful delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.kernel.stored_values import LATEST
from jackfield_store.database import Transaction

_DAY = 86_400
_ADD = """
INSERT INTO event_counts (workspace, day, events, deliveries) SELECT :workspace, :day, :events, :deliveries
WHERE EXISTS (SELECT 1 FROM event_heads WHERE workspace = :workspace)
ON CONFLICT (workspace, day) DO UPDATE SET
    events = event_counts.events + excluded.events, deliveries = event_counts.deliveries + excluded.deliveries
"""
"""SQL statement that adds to a day's counts. A purged workspace has no head: a delivery that was
then in flight is not counted.
"""


def count_events(transaction: Transaction, workspace: str, times: Iterable[float]) -> None:
    """Count events that occurred at these times."""
    for day, count in sorted(Counter(_day(at) for at in times).items()):
        transaction.change(
            _ADD, {"workspace": workspace, "day": day, "events": count, "deliveries": 0}
        )


def count_deliveries(transaction: Transaction, deliveries: Iterable[Mapping[str, Any]]) -> None:
    """Count successful deliveries: rows with ``source``, the workspace of the event, and
    ``now``.
    """
    for (workspace, day), count in sorted(
        Counter((one["source"], _day(one["now"])) for one in deliveries).items()
    ):
        transaction.change(
            _ADD, {"workspace": workspace, "day": day, "events": 0, "deliveries": count}
        )


def _day(at: object) -> int:
    """Return the day of a time since 1970; 0 for a damaged time."""
    return int(at // _DAY) * _DAY if isinstance(at, int | float) and 0 <= at <= LATEST else 0
