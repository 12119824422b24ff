"""Statistics of a workspace from sums that the database updates in the commit that changes an
entry.

Triggers add each entry that is not running to ``invocation_counts`` (``schema/invocations.sql``).
``Upkeep`` merges the sums of minutes into hours and days. Purged entries stay counted. Running
entries are few, and are counted on demand.

No sums exist for a caller who may see only a part of the journal: statistics come from the newest
invocations, without their Results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.stored_values import LATEST
from jackfield_store.database import Database
from jackfield_store.journal.statements import KNOWN_WORKSPACES

MINUTE, HOUR, DAY = WIDTHS = (60, 3600, 86_400)
LIMITS = (
    *(
        round(value * 10.0**power, 6)
        for power in range(-3, 3)
        for value in (1, 1.5, 2.2, 3.3, 4.7, 6.8)
    ),
    1000.0,
)
"""Upper limits of the histograms' buckets in seconds; the table ``duration_limits`` has the same
limits.
"""
# Sums are of "+ 0.0": a count that somebody has damaged would overflow integers, and end the
# statement for all.
OPEN = ("queued", "running", "in_doubt", "dead")
"""States whose present counts are reported to people."""
_SINCE = " UNION ALL ".join(
    f"""SELECT {{columns}} FROM invocation_counts
    WHERE workspace = :workspace AND width = {width} AND slot > :slot - {width}"""
    for width in WIDTHS
)
_SUMS = f"""
SELECT connector, action, status, SUM(invocations + 0.0) AS invocations, SUM(attempts + 0.0) AS attempts, SUM(timed + 0.0) AS timed,
    SUM(seconds) AS seconds, MAX(longest) AS longest
FROM ({_SINCE.format(columns="connector, action, status, bucket, invocations, attempts, timed, seconds, longest")}) AS parts
WHERE bucket = -1 GROUP BY connector, action, status HAVING SUM(invocations + 0.0) > 0
"""
_RUNNING_SUMS = """
SELECT connector, action, status, COUNT(*) AS invocations, SUM(attempts + 0.0) AS attempts FROM invocations
WHERE workspace = :workspace AND status = 'running' AND created_at >= :since GROUP BY connector, action, status
"""
_PARTS = f"""
SELECT connector, status, error_code, bucket, part, SUM(invocations + 0.0) AS invocations
FROM ({_SINCE.format(columns="connector, status, error_code, bucket, slot - slot % :step AS part, invocations")}) AS parts
GROUP BY connector, status, error_code, bucket, part HAVING SUM(invocations + 0.0) > 0
"""
_RUNNING = """
SELECT connector, created_at FROM invocations WHERE workspace = :workspace AND status = 'running' AND created_at >= :since
"""
_NOW = """
SELECT status, SUM(invocations + 0.0) AS invocations FROM invocation_counts
WHERE workspace = :workspace AND width = 0 AND slot = 0 GROUP BY status
"""
_DEAD_NOW = (
    "SELECT COUNT(*) AS invocations FROM invocations WHERE workspace = :workspace AND "
    "dead_at IS NOT NULL"
)
_RUNNING_NOW = (
    "SELECT COUNT(*) AS invocations FROM invocations WHERE workspace = :workspace AND status "
    "= 'running'"
)
_NEWEST = """
SELECT connector, action, effect, connection, status, error_code, created_at, settled_at FROM invocations
WHERE workspace = :workspace AND created_at >= :since ORDER BY created_at DESC LIMIT :limit
"""
_DOUBTS = f"""
SELECT counts.workspace, SUM(counts.invocations + 0.0) AS invocations
FROM {KNOWN_WORKSPACES} CROSS JOIN invocation_counts AS counts
WHERE counts.workspace = known.name AND counts.width = 0 AND counts.slot = 0 AND counts.status = 'in_doubt'
GROUP BY counts.workspace HAVING SUM(counts.invocations + 0.0) > 0
"""
_OLDEST_DOUBT = """
SELECT MIN((
    SELECT MIN(i.settled_at) FROM invocations i WHERE i.workspace = k.workspace AND i.connector = k.connector AND i.action = k.action
        AND i.status = k.status AND i.status <> 'running' AND COALESCE(i.effect, '') = COALESCE(k.effect, '')
        AND COALESCE(i.connection, '') = COALESCE(k.connection, '') AND COALESCE(i.caller, '') = COALESCE(k.caller, '')
        AND COALESCE(i.error_code, '') = COALESCE(k.error_code, '')
)) AS oldest FROM invocation_kinds k WHERE k.workspace = :workspace AND k.status = 'in_doubt'
"""
_DATED = 200
"""Maximum number of workspaces with doubts whose oldest doubt is queried."""
_ASKED = """
SELECT i.connector, i.action, i.effect, i.connection, i.caller, COUNT(*) AS invocations
FROM approvals a JOIN invocations i ON i.workspace = a.workspace AND i.id = a.id
WHERE a.workspace = :workspace AND a.status = 'waiting' AND i.status = 'queued' AND i.available_at IS NULL
GROUP BY i.connector, i.action, i.effect, i.connection, i.caller
"""
_OPEN_KINDS = """
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
"""Function that returns whether the caller may see a row with connector, action, effect and
connection.
"""


@dataclass(frozen=True, slots=True)
class PeriodPart:
    """Number of invocations of one connector in one part of a period. ``bucket`` is the place in a
    histogram (without status and code), or -1.
    """

    connector: str
    status: str
    error_code: str | None
    bucket: int
    at: float
    invocations: int


def sums(database: Database, workspace: str, since: float) -> list[dict[str, Any]]:
    """Return counts and durations by connector, action and status, of the entries created since a
    time (seconds since 1970).

    The time is rounded down: to a minute, to an hour if it is older than two hours, to a day if it
    is older than nine days.
    """
    values = {"workspace": workspace, "since": since, "slot": math.floor(since)}
    with database.read() as transaction:
        rows = [_sum(row.as_dict()) for row in transaction.execute(_SUMS, values)]
        rows += [
            _sum({**row.as_dict(), "timed": 0})
            for row in transaction.execute(_RUNNING_SUMS, values)
        ]
    return sorted(rows, key=lambda row: (row["connector"], row["action"], row["status"]))


def parts(database: Database, workspace: str, since: float, step: int) -> list[PeriodPart]:
    """Return the invocations created since a time, counted by connector, status and error code in
    parts of ``step`` seconds.
    """
    values = {"workspace": workspace, "since": since, "slot": math.floor(since)}
    with database.read() as transaction:
        rows = transaction.execute(_PARTS, {**values, "step": step})
        running = transaction.execute(_RUNNING, values)
    found = [
        PeriodPart(
            row.connector,
            row.status,
            row.error_code or None,
            row.bucket,
            max(float(row.part), since),
            int(row.invocations),
        )
        for row in rows
    ]
    return found + [
        PeriodPart(row.connector, "running", None, -1, row.created_at, 1) for row in running
    ]


def open_doubts(database: Database) -> tuple[int, float | None]:
    """Return the number of invocations of all workspaces in doubt, and the beginning of the oldest
    doubt; None without doubts.
    """
    with database.read() as transaction:
        counts = {row.workspace: int(row.invocations) for row in transaction.execute(_DOUBTS)}
        found = [
            transaction.find(_OLDEST_DOUBT, {"workspace": workspace})
            for workspace in sorted(counts)[:_DATED]
        ]
    return sum(counts.values()), min(
        (row.oldest for row in found if row is not None and row.oldest is not None), default=None
    )


def open_now(database: Database, workspace: str) -> Mapping[str, int]:
    """Count the invocations of a workspace that are ``queued``, ``running`` and ``in_doubt`` now,
    and its ``dead`` letters.
    """
    values = {"workspace": workspace}
    with database.read() as transaction:
        found = {row.status: int(row.invocations) for row in transaction.execute(_NOW, values)}
        running = transaction.execute(_RUNNING_NOW, values)[0].invocations
        dead = transaction.execute(_DEAD_NOW, values)[0].invocations
    return {
        "queued": found.get("queued", 0),
        "running": int(running),
        "in_doubt": found.get("in_doubt", 0),
        "dead": int(dead),
    }


def estimated(histogram: Mapping[int, int], share: int) -> float | None:
    """Estimate a percentile from a histogram, by interpolation within its bucket; None if the
    histogram is empty.
    """
    total = sum(histogram.values())
    if total <= 0:
        return None
    rank, before = total * share / 100, 0
    for bucket in sorted(histogram):
        count = histogram[bucket]
        if before + count >= rank:
            low = LIMITS[bucket - 1] if bucket else 0.0
            high = LIMITS[min(bucket, len(LIMITS) - 1)]
            return low + (high - low) * (rank - before) / count
        before += count
    return LIMITS[-1]


def histogram(found: Iterable[PeriodPart]) -> dict[int, int]:
    """Return the number of invocations in each bucket."""
    counts: dict[int, int] = {}
    for part in found:
        if part.bucket >= 0:
            bucket = min(part.bucket, len(LIMITS))
            counts[bucket] = counts.get(bucket, 0) + part.invocations
    return counts


def _sum(row: Mapping[str, Any]) -> dict[str, Any]:
    timed = int(row["timed"])
    return {
        "connector": row["connector"],
        "action": row["action"],
        "status": row["status"],
        "invocations": int(row["invocations"]),
        "attempts": int(row["attempts"] or 0),
        "meanSeconds": row["seconds"] / timed if timed else None,
        "longestSeconds": row["longest"] if timed else None,
    }


@dataclass(frozen=True, slots=True)
class Sample:
    """One invocation. ``seconds`` is the time from creation to its end; None while it is open."""

    connector: str
    action: str
    status: str
    error_code: str | None
    at: float
    seconds: float | None


def samples(
    database: Database, workspace: str, since: float, limit: int, sees: Sees | None = None
) -> list[Sample]:
    """Return the newest ``limit`` invocations of a workspace since a time (seconds since 1970),
    newest first.

    Invocations for which ``sees`` returns False are left out.
    """
    with database.read() as transaction:
        rows = transaction.execute(
            _NEWEST, {"workspace": workspace, "since": since, "limit": limit}
        )
    return [
        Sample(
            row.connector,
            row.action,
            row.status,
            row.error_code,
            row.created_at,
            _seconds(row.created_at, row.settled_at),
        )
        for row in rows
        # a later time is damaged and fits no chart
        if row.created_at <= LATEST and (sees is None or sees(row))
    ]


def open_counts(database: Database, workspace: str, sees: Sees | None = None) -> Mapping[str, int]:
    """Count the visible invocations of a workspace by state, as ``open_now`` does; ``sees`` decides
    which are visible. Invocations that wait for a person's approval are ``waiting``, and not
    ``queued``.
    """
    with database.read() as transaction:
        asked = [
            row
            for row in transaction.execute(_ASKED, {"workspace": workspace})
            if sees is None or sees(row)
        ]
        rows = (
            []
            if sees is None
            else [
                row
                for row in transaction.execute(_OPEN_KINDS, {"workspace": workspace})
                if sees(row)
            ]
        )
    waiting = sum(int(row.invocations) for row in asked)
    found = (
        open_now(database, workspace)
        if sees is None
        else {
            status: sum(int(row.invocations) for row in rows if row.status == status)
            for status in OPEN
        }
    )
    return {**found, "queued": max(0, found["queued"] - waiting), "waiting": waiting}


def _seconds(begin: float, end: float | None) -> float | None:
    return None if end is None else max(0.0, end - begin)
