"""What a dashboard counts: invocations with their moments and durations, without their Results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.database import Database

__all__ = ["Sample", "open_counts", "samples"]

_SINCE = """
SELECT connector, action, status, error_code, created_at, settled_at FROM invocations
WHERE workspace = :workspace AND created_at >= :since ORDER BY created_at DESC LIMIT :limit
"""
_OPEN = """
SELECT status, COUNT(*) AS invocations FROM invocations
WHERE workspace = :workspace AND status IN ('queued', 'running', 'in_doubt') GROUP BY status
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One invocation. ``seconds`` is from admitted to settled, None while it is open."""

    connector: str
    action: str
    status: str
    error_code: str | None
    at: float
    seconds: float | None


def samples(database: Database, workspace: str, since: float, limit: int) -> list[Sample]:
    """The newest ``limit`` invocations of a workspace since a moment (seconds since 1970), newest first."""
    with database.read() as transaction:
        rows = transaction.execute(_SINCE, {"workspace": workspace, "since": since, "limit": limit})
    return [
        Sample(row.connector, row.action, row.status, row.error_code, row.created_at, _seconds(row.created_at, row.settled_at))
        for row in rows
    ]


def open_counts(database: Database, workspace: str) -> Mapping[str, int]:
    """How many invocations of a workspace are ``queued``, ``running`` and ``in_doubt`` now."""
    with database.read() as transaction:
        found = {row.status: int(row.invocations) for row in transaction.execute(_OPEN, {"workspace": workspace})}
    return {status: found.get(status, 0) for status in ("queued", "running", "in_doubt")}


def _seconds(begin: float, end: float | None) -> float | None:
    return None if end is None else max(0.0, end - begin)
