"""Data for dashboards: invocations with times and durations, without their Results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.database import Database
from jackfield.database.stored_values import LATEST

_SINCE = """
SELECT connector, action, effect, connection, status, error_code, created_at, settled_at FROM invocations
WHERE workspace = :workspace AND created_at >= :since ORDER BY created_at DESC LIMIT :limit
"""
_OPEN = """
SELECT status, connector, action, effect, connection, COUNT(*) AS invocations FROM invocations
WHERE workspace = :workspace AND status IN ('queued', 'running', 'in_doubt') GROUP BY status, connector, action, effect, connection
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
    """Count the invocations of a workspace that are ``queued``, ``running`` and ``in_doubt`` now, of those that ``sees`` allows."""
    with database.read() as transaction:
        rows = [row for row in transaction.execute(_OPEN, {"workspace": workspace}) if sees is None or sees(row)]
    return {status: sum(int(row.invocations) for row in rows if row.status == status) for status in ("queued", "running", "in_doubt")}


def _seconds(begin: float, end: float | None) -> float | None:
    return None if end is None else max(0.0, end - begin)
