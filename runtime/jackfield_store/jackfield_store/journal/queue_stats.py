"""Figures of the queue, by workspace: totals from stored sums; the smaller of due and delayed is
counted.
"""

from __future__ import annotations

from typing import Any

from jackfield.kernel.clock import Clock
from jackfield_store.database import Database, Transaction
from jackfield_store.database.blocked import blocked_workspaces
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal.statements import DEPTH

NAMES = ("queued", "delayed", "released", "running", "dead")
KINDS = ("schedules", "subscriptions", "jobs", "deliveries")
"""Kinds of waiting work in the database other than invocations."""
COUNTED = 1000
"""Maximum number of entries counted to find the smaller part of a queue, due or delayed entries;
both are rarely more.
"""
_CLAIMED = """
SELECT workspace, COUNT(*) AS running FROM invocations{hint} WHERE status = 'queued' AND owner IS NOT NULL GROUP BY workspace
"""
_RELEASED = """
SELECT workspace, COUNT(*) AS released FROM invocations{hint}
WHERE status = 'queued' AND released_at IS NOT NULL AND owner IS NULL GROUP BY workspace
"""
_RUNNING = """
SELECT workspace, COUNT(*) AS running FROM (SELECT name FROM workspaces UNION SELECT 'default' AS name) AS known CROSS JOIN invocations
WHERE invocations.workspace = known.name AND status = 'running' AND delivery > 0 GROUP BY workspace
"""
_DEAD = (
    "SELECT workspace, COUNT(*) AS dead FROM invocations WHERE dead_at IS NOT NULL GROUP BY "
    "workspace"
)
_DUE_BY = "SELECT workspace, COUNT(*) AS due FROM {} GROUP BY workspace"
_SLOTS = _DUE_BY.format("schedules WHERE wake_at <= :now")
_SUBSCRIPTIONS = _DUE_BY.format("subscriptions WHERE wake_at <= :now")
_JOBS = _DUE_BY.format(
    "invocations WHERE status = 'running' AND job_until IS NOT NULL AND available_at <= :now"
)
_DELIVERIES = _DUE_BY.format("deliveries WHERE state = 'pending'")
_QUEUED = "FROM invocations WHERE workspace = :workspace AND status = 'queued' AND available_at"
_SOME = f"SELECT COUNT(*) AS found FROM (SELECT 1 AS one {_QUEUED} {{range}} LIMIT :most) AS few"
_DELAYED, _DUE = _SOME.format(range="> :now"), _SOME.format(range="<= :now")
_ALL_DELAYED = f"SELECT COUNT(*) AS found {_QUEUED} > :now"
_OLDEST = f"""
SELECT created_at, available_at {_QUEUED} {{range}} AND owner IS NULL
ORDER BY available_at, id LIMIT 1
"""
_FIRST, _FIRST_DELAYED = (
    _OLDEST.format(range="= 0"),
    _OLDEST.format(range="> 0 AND available_at <= :now"),
)
"""Queries for the oldest invocation: among those never delayed, by id, which is the order of
creation; and among those whose delay has passed.
"""


def queue_stats(database: Database, clock: Clock) -> dict[str, dict[str, Any]]:
    """Count queued invocations by workspace: waiting, delayed, released to a broker, running, dead.
    Add the age of the oldest waiting one, and the reason why none begins at present (``blocked``).

    Invocations that a worker has claimed count as running.
    """
    now, found, hint = (
        SharedClock.of(database, clock).now(),
        dict[str, dict[str, Any]](),
        database.dialect.indexed_by,
    )
    statements = (
        _CLAIMED.format(hint=hint.format("invocations_claimed")),
        _RELEASED.format(hint=hint.format("invocations_released")),
    )

    def of(workspace: str) -> dict[str, Any]:
        return found.setdefault(workspace, {**dict.fromkeys(NAMES, 0), "oldestSeconds": None})

    with database.read() as transaction:
        totals = {row.workspace: int(row.waiting) for row in transaction.execute(DEPTH)}
        taken = dict.fromkeys(totals, 0)
        for statement in (*statements, _RUNNING, _DEAD):
            for row in transaction.execute(statement):
                for name, value in row.as_dict().items():
                    if name != "workspace":
                        of(row.workspace)[name] += int(value)
                        taken[row.workspace] = taken.get(row.workspace, 0) + int(value) * (
                            statement in statements
                        )
        for workspace, total in totals.items():
            _count(transaction, workspace, total, taken[workspace], now, of(workspace))
    for one in blocked_workspaces(database, now):
        if one.workspace in found:
            found[one.workspace]["blocked"] = one.to_json()
    return dict(sorted(found.items()))


def waiting_kinds(database: Database, clock: Clock) -> dict[str, dict[str, int]]:
    """Count by workspace the due or pending work other than invocations, which begins when a held
    queue is released.
    """
    values, found = {"now": SharedClock.of(database, clock).now()}, dict[str, dict[str, int]]()
    with database.read() as transaction:
        for kind, statement in zip(
            KINDS, (_SLOTS, _SUBSCRIPTIONS, _JOBS, _DELIVERIES), strict=True
        ):
            for row in transaction.execute(statement, values):
                found.setdefault(row.workspace, dict.fromkeys(KINDS, 0))[kind] = row.due
    return found


def _count(
    transaction: Transaction,
    workspace: str,
    total: int,
    taken: int,
    now: float,
    mine: dict[str, Any],
) -> None:
    """Divide the entries without an owner into due and delayed ones, and determine the age of the
    oldest waiting one.
    """
    values = {"workspace": workspace, "now": now, "most": COUNTED}

    def counted(statement: str) -> int:
        return int(transaction.execute(statement, values)[0].found)

    delayed = counted(_DELAYED)
    if delayed == COUNTED:
        due = counted(_DUE)
        delayed = total - due if due < COUNTED else counted(_ALL_DELAYED)
    mine["delayed"], mine["queued"] = delayed, max(0, total - taken - delayed)
    times = [
        row
        for statement in (_FIRST, _FIRST_DELAYED)
        for row in transaction.execute(statement, values)
    ]
    if times:
        mine["oldestSeconds"] = round(
            max(0.0, now - min(max(row.created_at, row.available_at) for row in times)), 3
        )
