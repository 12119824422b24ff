"""Health of tenants, from the status of their connections and the calls of the last day. No values,
inputs or outputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.hints import NextStep, restored, worded
from jackfield_service.subjects.tenants.usage import usage
from jackfield_store.connections.awaited import LISTED

if TYPE_CHECKING:
    from jackfield_store.database import Database

_DAY = 86_400.0
_PLATFORM = "http:platform"
_CONNECTIONS = f"""
SELECT COUNT(*) AS n, COALESCE(SUM(CASE WHEN status IN ('failing', 'expired') THEN 1 ELSE 0 END), 0) AS failing
FROM connections WHERE workspace = :workspace AND {LISTED}
"""
TROUBLES = ("connections", "schedules", "subscriptions", "callbacks", "deliveries", "approvals")
"""Kinds of objects that may need a person, in order of display."""
_TROUBLES = f"""
SELECT workspace, 'connections' AS kind, COUNT(*) AS n FROM connections{{known}} WHERE status IN ('failing', 'expired') AND {LISTED}
GROUP BY workspace
UNION ALL
SELECT workspace, 'schedules', COUNT(*) FROM schedules WHERE status = 'stopped' GROUP BY workspace
UNION ALL
SELECT workspace, 'subscriptions', COUNT(*) FROM subscriptions WHERE status = 'failing' GROUP BY workspace
UNION ALL
SELECT workspace, 'subscriptions', COUNT(*) FROM subscriptions s WHERE lost IS NOT NULL AND status IN ('paused', 'disabling')
    AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.workspace = s.workspace AND c.name = s.lost) GROUP BY workspace
UNION ALL
SELECT workspace, 'callbacks', COUNT(*) FROM callbacks WHERE failing_since IS NOT NULL AND status = 'active' GROUP BY workspace
UNION ALL
SELECT workspace, 'deliveries', COUNT(*) FROM deliveries{{dead}} WHERE state = 'dead' GROUP BY workspace
UNION ALL
SELECT a.workspace, 'approvals', COUNT(*) FROM approvals a JOIN invocations i ON i.workspace = a.workspace AND i.id = a.id
WHERE a.status = 'waiting' AND i.status = 'queued' AND i.available_at IS NULL GROUP BY a.workspace
"""
_SHOWN = ("name", "type", "status", "since", "account", "user", "hint")


@dataclass(frozen=True, slots=True)
class Health:
    """Figures of a workspace: stored connections, failing connections including those to be
    connected again, calls of the last day, and their failures without cancelled calls.
    """

    connections: int
    failing: int
    calls: int
    failures: int


def health(database: Database, workspace: str, now: float) -> Health:
    """Return the health of a workspace."""
    with database.read() as transaction:
        row = transaction.execute(_CONNECTIONS, {"workspace": workspace})[0]
    total = usage(database, workspace, now - _DAY, now)["total"]
    return Health(
        int(row.n), int(row.failing), total["calls"], total["failures"] - total["cancelled"]
    )


def troubles(database: Database) -> dict[str, Counter[str]]:
    """Count the objects that may need a person (``TROUBLES``) in each workspace that has any, and
    below the home of each platform.

    These are connections whose last test failed or whose credentials have ended, stopped schedules,
    and subscriptions that fail or have lost a connection. They are also failing callbacks, dead
    deliveries, and calls that wait for an approval.
    """
    found: dict[str, Counter[str]] = {}
    hint = database.dialect.indexed_by
    statement = _TROUBLES.format(
        known=hint.format("connections_attention"), dead=hint.format("deliveries_dead")
    )
    with database.read() as transaction:
        for row in transaction.execute(statement):
            found.setdefault(row.workspace, Counter())[row.kind] += int(row.n)
    return {workspace: found[workspace] for workspace in sorted(found)}


def _hint(row: Mapping[str, Any], failed: Mapping[str, Any], surface: str) -> str | None:
    """Return the next step for a connection; None if no step is needed. An expired connection must
    be connected again, and so must a connection whose test reports a missing approval.
    """
    expired = row.get("status") == "expired"
    return worded(
        NextStep("connect", name=str(row["name"]))
        if expired
        else restored(failed.get("hint")) or failed.get("message"),
        surface,
    )


def connection_health(row: Mapping[str, Any], surface: str = _PLATFORM) -> dict[str, Any]:
    """Return the facts about a connection that a platform may see: its status and the time of its
    test, and the remedy for the failed step, in the words of ``surface``.
    """
    test = row.get("lastTest") or {}
    steps = test.get("steps", ()) if row.get("status") != "ok" else ()
    failed: dict[str, Any] = next((step for step in steps if not step.get("passed")), {})
    found = {**row, "since": test.get("at"), "hint": _hint(row, failed, surface)}
    return {name: found[name] for name in _SHOWN if found.get(name) is not None}
