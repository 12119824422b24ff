"""Upkeep of the journal in short commits.

Entries past their retention are deleted in slices, each of which reads a bounded number of the
oldest entries. The sums of statistics are merged, and the space of deleted entries is returned to
the disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import Clock, monotonic
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal import approvals, exchanges, marks, outcomes, terms
from jackfield_store.journal import statements as sql
from jackfield_store.journal.counts import DAY, HOUR, MINUTE
from jackfield_store.journal.entry import DOUBT_KEPT
from jackfield_store.journal.pages import EntryPosition

KEPT = 30 * 24 * 3600.0
"""Default retention of a finished entry, in seconds."""
KEY_KEPT = 24 * 3600.0
"""Default seconds for which the key of an ended invocation replays its Result, counted from the
last outcome, resolution or correction.
"""
_MINUTES = 2 * 3600.0
"""Age in seconds at which sums of minutes are merged into hours; the console shows minutes of the
last hour.
"""
_HOURS = 9 * 86_400.0
_CLOSED = 180.0
"""Age in seconds at which the rows of several connections are merged, since entries of that minute
hardly change any more.
"""
_MERGED_AT_ONCE = 500
_PASS = 0.2
"""Seconds that one pass may take, most of them between commits."""
_PAUSE = 0.01
_EVERY = 20.0
_LOCK = "SELECT name FROM journal_upkeep WHERE name = 'counts'"
_WORKSPACES = (
    "SELECT name FROM (SELECT name FROM workspaces UNION SELECT 'default' AS name) AS known "
    "WHERE name > :after ORDER BY name LIMIT 100"
)
_DUE = """
SELECT id FROM invocation_counts WHERE workspace = :workspace AND width = :width AND slot < :before AND shard >= :shard LIMIT :limit
"""
_COLUMNS = (
    "workspace, width, slot, connector, action, status, error_code, bucket, shard, "
    "invocations, attempts, timed, seconds, longest"
)
_MERGE = f"""
INSERT INTO invocation_counts ({_COLUMNS})
SELECT workspace, {{width}}, slot - slot % {{step}}, connector, action, status, error_code, bucket, 0, SUM(invocations), SUM(attempts),
    SUM(timed), SUM(seconds), MAX(longest)
FROM invocation_counts WHERE workspace = :workspace AND id IN ({{ids}})
GROUP BY workspace, slot - slot % {{step}}, connector, action, status, error_code, bucket
ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
    invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
    timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
    longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END
"""
_REMOVE = "DELETE FROM invocation_counts WHERE workspace = :workspace AND id IN ({ids})"
SLICE, _SMALLEST = 250, 20
"""Maximum and minimum number of entries that a purge reads in one commit, for which other writes
wait.
"""
_LONG, _SHORT = 0.01, 0.004
"""Seconds of a slice after which the next one is smaller or larger: entries that are not in memory
take ten times as long.
"""
_OLDEST_PLACE = EntryPosition(float("-inf"), "")
_OLDEST = """
SELECT id, created_at, context, status IN ('succeeded', 'failed') AND settled_at < :before
    AND (corrected_at IS NULL OR corrected_at < :before) AND (resolved_by IS NULL OR purge_after < :now)
    AND (kept_for IS NULL OR key_held = 0 OR (settled_at < :now - kept_for AND COALESCE(corrected_at, settled_at) < :now - kept_for))
    AS expired, status = 'in_doubt' AND inputs IS NOT NULL AND settled_at < :before AS outlived
FROM invocations WHERE workspace = :workspace AND created_at < :before AND (created_at, id) > (:at, :after)
ORDER BY created_at, id LIMIT :slice
"""
# Only a resolved doubt has a retention of its own, ``purge_after``. A late correction counts as an
# outcome of then: it may hold a key.
_REMOVE_DOUBTS = "DELETE FROM doubts WHERE workspace = :workspace AND id IN ({ids})"
_DELETE = (
    "DELETE FROM invocations WHERE workspace = :workspace AND id IN ({ids}) AND status IN "
    "('succeeded', 'failed')"
)

_FORGET = (
    "UPDATE invocations SET inputs = NULL WHERE workspace = :workspace AND id = :id AND status = "
    "'in_doubt'"
)
"""Statement that deletes the inputs of a doubt: it stays open for longer than they are kept."""


class JournalUpkeep:
    """Upkeep of one database for all workspaces. Every process may run it; a row lock elects one at
    a time.
    """

    def __init__(
        self, database: Database, clock: Clock, monotonic: Callable[[], float] = monotonic
    ) -> None:
        self._database = database
        self._time = SharedClock.of(database, clock)
        self._monotonic = monotonic
        self._at = 0.0
        self._after = ""

    def run_if_due(self) -> None:
        """Do a part of the upkeep, every 20 seconds, for at most 0.2 seconds."""
        now = self._monotonic()
        if now >= self._at:
            self._at = now + (0.0 if self.run(now + _PASS) else _EVERY)

    def run(self, until: float) -> bool:
        """Work until a time (``time.monotonic``), workspace after workspace; return whether there
        is more to do.
        """
        while self._monotonic() < until:
            with self._database.read(flush=False) as transaction:
                names = [
                    row.name for row in transaction.execute(_WORKSPACES, {"after": self._after})
                ]
            for name in names:
                while self.merge(name):
                    if self._monotonic() >= until:
                        return True
                    time.sleep(_PAUSE)  # let other writers of SQLite take their turn
                self._after = name
                if self._monotonic() >= until:
                    return True
            if not names:
                self._after = ""
                return self._give_back_space(until)
        return True

    def _give_back_space(self, until: float) -> bool:
        """Return unused space to the disk until a time; return True if more can be returned."""
        while self._database.dialect.give_back_space():
            self._database.dialect.relieve_writers()
            if self._monotonic() >= until:
                return True
            time.sleep(_PAUSE)
        return False

    def merge(self, workspace: str) -> int:
        """Merge a slice of a workspace's sums in one commit; return the number of merged rows, 0 if
        there is nothing to do.
        """
        now = self._time.now()
        for width, into, before, shard in (
            (MINUTE, HOUR, now - _MINUTES, 0),
            (HOUR, DAY, now - _HOURS, 0),
            (MINUTE, MINUTE, now - _CLOSED, 1),
            (0, 0, now, 1),
        ):
            due = {
                "workspace": workspace,
                "width": width,
                "before": int(before) - width,
                "shard": shard,
                "limit": _MERGED_AT_ONCE,
            }
            if self._database.look_up(_DUE.replace(":limit", "1"), due) is not None:
                merged = self._database.record(
                    lambda transaction, due=due, into=into: self._merged(transaction, due, into)  # type: ignore[misc]
                )
                if merged:
                    return int(merged)
        return 0

    def _merged(self, transaction: Transaction, due: dict[str, object], into: int) -> int:
        locked = self._database.dialect.skips_locked
        if not transaction.execute(_LOCK + locked):
            return 0  # another process does it
        rows: list[Row] = transaction.execute(_DUE + locked, due)
        if rows:
            values: dict[str, object] = {f"id_{place}": row.id for place, row in enumerate(rows)}
            ids = ", ".join(f":{name}" for name in values)
            values["workspace"] = due["workspace"]
            transaction.change(_MERGE.format(width=into, step=into or 1, ids=ids), values)
            transaction.change(_REMOVE.format(ids=ids), values)
        return len(rows)


def free_key(database: Database, workspace: str, entry: Entry, now: float) -> bool:
    """Free the key of an entry that has ended, if its retention is over; return whether the key is
    free.
    """
    before = now - (KEY_KEPT if entry.kept_for is None else entry.kept_for)
    if entry.settled_at is None or entry.settled_at >= before:
        return False
    values = {
        "workspace": workspace,
        "space": entry.key_space,
        "key": entry.idempotency_key,
        "before": before,
        "purged_after": before + DOUBT_KEPT,
    }
    freed = database.record(lambda transaction: transaction.change(sql.FREE_EXPIRED_KEY, values))
    # else another process has freed it
    return bool(freed) or (entry.resolved_by is None and entry.corrected_at is None)


class Purged(NamedTuple):
    """Outcome of one slice: entries deleted, the place after which the next slice begins (None if
    no older entry remains), and the next slice's size.
    """

    deleted: int
    last: EntryPosition | None
    size: int = SLICE


START = Purged(0, None)


def purge_slice(
    transaction: Transaction,
    workspace: str,
    from_: Purged,
    *,
    before: float,
    now: float,
    locking: str = "",
) -> Purged:
    """Delete those entries of a slice that finished before ``before``, and are neither running nor
    in doubt.

    ``from_`` is the previous slice, ``START`` for the first one.
    """
    begun, after = monotonic(), from_.last or _OLDEST_PLACE
    values = {
        "workspace": workspace,
        "before": before,
        "now": now,
        "at": after.created_at,
        "after": after.id,
        "slice": from_.size,
    }
    rows = transaction.execute(_OLDEST + locking, values)
    expired = [row for row in rows if row.expired]
    if expired:
        _delete(transaction, workspace, expired)
    for row in rows:
        if row.outlived:
            transaction.change(_FORGET, {"workspace": workspace, "id": row.id})
    # fewer than the limit: others may have locked some
    last = EntryPosition(rows[-1].created_at, rows[-1].id) if rows else None
    return resized(Purged(len(expired), last, from_.size), monotonic() - begun)


def resized(slice_: Purged, seconds: float) -> Purged:
    """Choose the size of the next slice by the duration of this one."""
    size = slice_.size
    if seconds > _LONG:
        size = max(size // 2, _SMALLEST)
    elif seconds < _SHORT:
        size = min(size * 2, SLICE)
    return slice_._replace(size=size)


def _delete(transaction: Transaction, workspace: str, rows: Sequence[Row]) -> None:
    ids = {f"id_{place}": row.id for place, row in enumerate(rows)}
    transaction.change(
        _DELETE.format(ids=", ".join(f":{name}" for name in ids)), {"workspace": workspace, **ids}
    )
    terms.remove(transaction, workspace, rows)
    outcomes.remove(transaction, workspace, ids)
    exchanges.remove(transaction, workspace, ids)
    approvals.remove(transaction, workspace, ids)
    marks.remove(transaction, workspace, ids)
    transaction.change(
        _REMOVE_DOUBTS.format(ids=", ".join(f":{name}" for name in ids)),
        {"workspace": workspace, **ids},
    )
