"""Data for the dashboard of a caller who sees a part of the journal: its newest invocations, without their Results.

For all others the sums in ``counts`` answer at once, however many invocations there were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.database import Database
from jackfield.database.stored_values import LATEST
from jackfield.journal.counts import OPEN, open_now

_SINCE = """
SELECT connector, action, effect, connection, status, error_code, created_at, settled_at FROM invocations
WHERE workspace = :workspace AND created_at >= :since ORDER BY created_at DESC LIMIT :limit
"""
_OPEN = """
SELECT DISTINCT k.status, k.connector, k.action, NULLIF(k.effect, '') AS effect, NULLIF(k.connection, '') AS connection, (
    SELECT COUNT(*) FROM invocations i WHERE i.workspace = k.workspace AND i.connector = k.connector AND i.action = k.action
        AND i.status = k.status AND i.status <> 'running' AND COALESCE(i.effect, '') = COALESCE(k.effect, '')
        AND COALESCE(i.connection, '') = COALESCE(k.connection, '') AND COALESCE(i.caller, '') = COALESCE(k.caller, '')
        AND COALESCE(i.error_code, '') = COALESCE(k.error_code, '')
) AS invocations, k.caller, k.error_code
FROM invocation_kinds k WHERE k.workspace = :workspace AND k.status IN ('queued', 'in_doubt')
UNION ALL
SELECT status, connector, action, effect, connection, COUNT(*), '', '' FROM invocations
WHERE workspace = :workspace AND status = 'running' GROUP BY status, connector, action, effect, connection
UNION ALL
SELECT 'dead', connector, action, effect, connection, COUNT(*), '', '' FROM invocations
WHERE workspace = :workspace AND dead_at IS NOT NULL GROUP BY connector, action, effect, connection
"""

Sees = Callable[[Any], bool]
"""Returns whether the caller may see a row with connector, action, effect and connection."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One invocation. ``seconds`` is the time from creation to its end; None while it is open."""

    connector: str
    action: str
    status: str
    error_code: str | None
    at: float
    seconds: float | None


def samples(database: Database, workspace: str, since: float, limit: int, sees: Sees | None = None) -> list[Sample]:
    """Return the newest ``limit`` invocations of a workspace since a time (seconds since 1970), newest first.

    Those for which ``sees`` returns False are left out.
    """
    with database.read() as transaction:
        rows = transaction.execute(_SINCE, {"workspace": workspace, "since": since, "limit": limit})
    return [
        Sample(row.connector, row.action, row.status, row.error_code, row.created_at, _seconds(row.created_at, row.settled_at))
        for row in rows
        if row.created_at <= LATEST and (sees is None or sees(row))  # a later time is damaged and fits no chart
    ]


def open_counts(database: Database, workspace: str, sees: Sees | None = None) -> Mapping[str, int]:
    """Count the invocations of a workspace by state, as ``open_now`` does, of those that ``sees`` allows."""
    if sees is None:
        return open_now(database, workspace)
    with database.read() as transaction:
        rows = [row for row in transaction.execute(_OPEN, {"workspace": workspace}) if sees(row)]
    return {status: sum(int(row.invocations) for row in rows if row.status == status) for status in OPEN}


def _seconds(begin: float, end: float | None) -> float | None:
    return None if end is None else max(0.0, end - begin)
