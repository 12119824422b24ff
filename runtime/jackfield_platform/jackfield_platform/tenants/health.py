"""Health of tenants, from the status of their connections and the calls of the last day. No values, inputs or outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.hints import NextStep, restored, worded
from jackfield_platform.tenants.usage import usage
from jackfield_store.connections.awaited import LISTED

if TYPE_CHECKING:
    from jackfield_store.database import Database

_DAY = 86_400.0
_PLATFORM = "http:platform"
_CONNECTIONS = f"""
SELECT COUNT(*) AS n, COALESCE(SUM(CASE WHEN status IN ('failing', 'expired') THEN 1 ELSE 0 END), 0) AS failing
FROM connections WHERE workspace = :workspace AND {LISTED}
"""
_SHOWN = ("name", "type", "status", "since", "account", "user", "hint")


@dataclass(frozen=True, slots=True)
class Health:
    """Stored connections of a workspace, those of them that fail or must be connected again, and its calls and failures of the last day."""

    connections: int
    failing: int
    calls: int
    failures: int


def health(database: Database, workspace: str, now: float) -> Health:
    """Return the health of a workspace."""
    with database.read() as transaction:
        row = transaction.execute(_CONNECTIONS, {"workspace": workspace})[0]
    total = usage(database, workspace, now - _DAY, now)["total"]
    return Health(int(row.n), int(row.failing), total["calls"], total["failures"])


def _hint(row: Mapping[str, Any], failed: Mapping[str, Any], surface: str) -> str | None:
    """Return what to do about a connection: it has to be connected again if it has expired, or its test finds that nobody has approved."""
    expired = row.get("status") == "expired"
    return worded(NextStep("connect", name=str(row["name"])) if expired else restored(failed.get("hint")) or failed.get("message"), surface)


def connection_health(row: Mapping[str, Any], surface: str = _PLATFORM) -> dict[str, Any]:
    """Return what a platform may know of a connection: its status since when, and the cure of the step that failed, as ``surface`` puts
    it."""
    test = row.get("lastTest") or {}
    steps = test.get("steps", ()) if row.get("status") != "ok" else ()
    failed: dict[str, Any] = next((step for step in steps if not step.get("passed")), {})
    found = {**row, "since": test.get("at"), "hint": _hint(row, failed, surface)}
    return {name: found[name] for name in _SHOWN if found.get(name) is not None}
