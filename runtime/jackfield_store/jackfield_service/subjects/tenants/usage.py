"""Usage of a workspace, from sums that the database updates in the commit that changes an entry, so
that they equal the journal.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso
from jackfield.kernel.errors import CODES
from jackfield.kernel.exports import late_hints
from jackfield_store.connections.connection_table import COUNT
from jackfield_store.files.table import FileTable
from jackfield_store.journal.counts import DAY
from jackfield_store.journal.room import QUEUED, WAITING
from jackfield_store.journal.room import in_use as in_queue

if TYPE_CHECKING:
    from jackfield_store.database import Database, Row

BY = ("connector", "action", "status", "day", "hour")
"""Dimensions by which usage may be split."""
_PARTS = {"day": DAY, "hour": 3600}
_COLUMNS = "connector, action, status, error_code, slot, invocations, attempts"
_ROWS = f"""
SELECT {_COLUMNS} FROM invocation_counts
WHERE workspace = :workspace AND width IN (60, 3600, 86400) AND bucket = -1 AND slot >= :since AND slot < :until
"""
_BYTES = f"""
SELECT CAST(created_at * 1000 AS BIGINT) / {DAY}000 * {DAY} AS slot, SUM(size) AS bytes FROM files
WHERE workspace = :workspace AND created_at >= :since AND created_at < :until GROUP BY 1
"""
_EVENTS = (
    "SELECT day AS slot, events, deliveries, looks FROM event_counts WHERE workspace = "
    ":workspace AND day >= :day AND day < :until"
)
_NOT_VALID = 2
_ENDED = ("succeeded", "failed", "in_doubt", "cancelled")
_CALLS = ("calls", "attempts", "failures", "refused", "cancelled")
_REFUSALS = frozenset(code for code, kind in CODES.items() if kind.exit_code == _NOT_VALID)
"""Codes of calls that sent nothing because the request was not valid, unknown or not allowed."""
_FURTHER = ("events", "deliveries", "looks", "bytes")


def usage(
    database: Database, workspace: str, since: float, until: float, by: str | None = None
) -> dict[str, Any]:
    """Return a workspace's usage in the time, in total and by ``by`` (``BY``): calls, attempts and
    failures, events and deliveries, looks for evidence, and bytes of files stored.

    Failures are all calls that did not succeed. Two kinds of failures are also counted separately:
    refused calls were not valid, unknown or not allowed, so that nothing was sent; others were
    cancelled or declined. Events, deliveries, looks and bytes can be split by days only.

    Times are seconds since 1970. They are rounded down to the resolution of the sums: to a minute,
    to an hour beyond two hours, to a day beyond nine days. For events, deliveries and looks it is a
    day. Calls that have not ended yet are not counted.
    """
    values = {
        "workspace": workspace,
        "since": math.floor(since),
        "until": math.ceil(until),
        "day": math.floor(since) // DAY * DAY,
    }
    with database.read() as transaction:
        rows = [row for row in transaction.execute(_ROWS, values) if row.status in _ENDED]
        further = [*transaction.execute(_BYTES, values), *transaction.execute(_EVENTS, values)]
    total = dict.fromkeys((*_CALLS, *_FURTHER), 0)
    items: dict[Any, dict[str, int]] = {}
    names = (*_CALLS, *_FURTHER) if by == "day" else _CALLS
    for row in rows:
        part = None if by is None else _slot(row, _PARTS[by]) if by in _PARTS else getattr(row, by)
        _count(row, total, items.setdefault(part, dict.fromkeys(names, 0)))
    for row in further:
        _add(
            row,
            total,
            items.setdefault(_slot(row, DAY), dict.fromkeys(names, 0)) if by == "day" else {},
        )
    found: dict[str, Any] = {
        "workspace": workspace,
        "from": iso(since),
        "to": iso(until),
        "total": total,
    }
    if by is not None:
        found["items"] = [
            {by: part, **counts}
            for part, counts in sorted(items.items(), key=lambda item: str(item[0]))
            if any(counts.values())
        ]
    return found


def _count(row: Row, *places: dict[str, int]) -> None:
    for place in places:
        place["calls"] += int(row.invocations)
        place["attempts"] += int(row.attempts)
        place["failures"] += int(row.invocations) if row.status != "succeeded" else 0
        place["refused"] += int(row.invocations) if row.error_code in _REFUSALS else 0
        place["cancelled"] += int(row.invocations) if row.error_code == "cancelled" else 0


def _add(row: Row, *places: dict[str, int]) -> None:
    for place in places:
        for name in _FURTHER:
            if hasattr(row, name) and name in place:
                place[name] += int(getattr(row, name))


def _slot(row: Row, width: int) -> str | None:
    return iso(row.slot - row.slot % width)


def in_use(database: Database, workspace: str, limit: str) -> int:
    """Return the current use of the limit ``queued``, ``waiting``, ``connections`` or
    ``storageBytes`` in a workspace.
    """
    if limit in (QUEUED, WAITING):
        with database.read() as transaction:
            return in_queue(transaction, workspace, limit)
    if limit == "storageBytes":
        return FileTable(database).usage(workspace)[1]
    with database.read() as transaction:
        return int(transaction.execute(COUNT, {"workspace": workspace})[0].n)


late_hints(__name__)
