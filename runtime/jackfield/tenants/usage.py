"""Usage of a workspace, from the sums that the database keeps in the commit that changes an entry: equal to the journal to the unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from jackfield.clock import iso
from jackfield.files.table import FileTable
from jackfield.journal.counts import open_now

if TYPE_CHECKING:
    from jackfield.database import Database

BY = ("connector", "action", "status", "day", "hour")
"""Parts by which usage may be told."""
_PARTS = {"day": 86_400, "hour": 3600}
_COLUMNS = "connector, action, status, slot, invocations, attempts"
_ROWS = f"""
SELECT {_COLUMNS} FROM invocation_counts
WHERE workspace = :workspace AND width IN (60, 3600, 86400) AND bucket = -1 AND slot >= :since AND slot < :until
"""
_BYTES = "SELECT COALESCE(SUM(size), 0) AS bytes FROM files WHERE workspace = :workspace AND created_at >= :since AND created_at < :until"
_CONNECTIONS = "SELECT COUNT(*) AS n FROM connections WHERE workspace = :workspace"
_ENDED = ("succeeded", "failed", "in_doubt", "cancelled")


def usage(database: Database, workspace: str, since: float, until: float, by: str | None = None) -> dict[str, Any]:
    """Return the calls, attempts and failures of a workspace, the bytes of files stored in the time, in all and by ``by`` (``BY``).

    Times are seconds since 1970. They are rounded down as the sums are kept: to a minute, to an hour beyond two hours, to a day beyond
    nine days. Calls that have not ended yet are not counted.
    """
    values = {"workspace": workspace, "since": math.floor(since), "until": math.ceil(until)}
    with database.read() as transaction:
        rows = transaction.execute(_ROWS, values)
        size = int(transaction.execute(_BYTES, values)[0].bytes)
    total = _empty()
    items: dict[Any, dict[str, int]] = {}
    for row in rows:
        if row.status not in _ENDED:
            continue
        part = None if by is None else iso(row.slot - row.slot % _PARTS[by]) if by in _PARTS else getattr(row, by)
        for place in (total,) if by is None else (total, items.setdefault(part, _empty())):
            place["calls"] += int(row.invocations)
            place["attempts"] += int(row.attempts)
            place["failures"] += int(row.invocations) if row.status != "succeeded" else 0
    found: dict[str, Any] = {"workspace": workspace, "from": iso(since), "to": iso(until), "total": {**total, "bytes": size}}
    if by is not None:
        found["items"] = [{by: part, **counts} for part, counts in sorted(items.items(), key=lambda item: str(item[0])) if counts["calls"]]
    return found


def _empty() -> dict[str, int]:
    return {"calls": 0, "attempts": 0, "failures": 0}


def in_use(database: Database, workspace: str, limit: str) -> int:
    """Return how much of the limit ``queued``, ``connections`` or ``storageBytes`` a workspace uses now."""
    if limit == "queued":
        return open_now(database, workspace)["queued"]
    if limit == "storageBytes":
        return FileTable(database).usage(workspace)[1]
    with database.read() as transaction:
        return int(transaction.execute(_CONNECTIONS, {"workspace": workspace})[0].n)
