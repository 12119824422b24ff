"""Readings of a provider's own log of requests, shared by the processes of one database: one page a
second per account and region.

Each page of a reading may be read by another process. A reading serves all doubts of the same
operation and time.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield_store.database import Database, Transaction

PACE = 1.0
"""Seconds between two pages of one log: half of the rate that AWS allows, since other programs
read, too (CloudTrail API reference, LookupEvents).
"""
_KEPT = 2 * 86_400.0
"""Seconds for which the state of a reading is stored: longer than any look takes."""
_REMEMBERED = 365 * 86_400.0
"""Seconds for which the fault of a read that repeats its inputs in the answer is stored."""
_COLUMNS = "page, began_at, changed_at, complete_at, refused"
_FIND = f"SELECT {_COLUMNS} FROM record_reads WHERE workspace = :workspace AND digest = :digest"
_NEXT = "SELECT next_at FROM record_paces WHERE place = :place"
_TURN = """
INSERT INTO record_paces (place, next_at) VALUES (:place, :next_at)
ON CONFLICT (place) DO UPDATE SET next_at = excluded.next_at WHERE record_paces.next_at <= :now
"""
_PUT = """
INSERT INTO record_reads (workspace, digest, page, began_at, changed_at, complete_at, refused)
VALUES (:workspace, :digest, :page, :began_at, :changed_at, :complete_at, :refused)
ON CONFLICT (workspace, digest) DO UPDATE SET page = excluded.page, began_at = excluded.began_at, changed_at = excluded.changed_at,
    complete_at = excluded.complete_at, refused = excluded.refused
"""
_OLD = "DELETE FROM record_reads WHERE workspace = :workspace AND changed_at < :before"


@dataclass(frozen=True, slots=True)
class Reading:
    """Progress of reading a provider's log."""

    page: str | None = None
    began_at: float | None = None
    changed_at: float = 0.0
    complete_at: float | None = None
    refused: str | None = None


def place_of(*parts: object) -> str:
    """Return the digest for a reading, or for the pace of a log."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def find(database: Database, workspace: str, digest: str) -> Reading:
    """Return the state of a reading."""
    row = database.look_up(_FIND, {"workspace": workspace, "digest": digest}, flush=True)
    return (
        Reading()
        if row is None
        else Reading(row.page, row.began_at, row.changed_at, row.complete_at, row.refused)
    )


def takes_turn(database: Database, place: str, now: float) -> bool:
    """Return whether a page of a log may be read now; if True, no other process may read a page
    within a second. A process that has to wait commits nothing.
    """
    row = database.look_up(_NEXT, {"place": place})
    if row is not None and row.next_at > now:
        return False
    values = {"place": place, "now": now, "next_at": now + PACE}
    return bool(database.record(lambda transaction: transaction.change(_TURN, values)))


def put(
    transaction: Transaction, workspace: str, digest: str, reading: Reading, now: float
) -> None:
    """Store the state of a reading."""
    values: dict[str, Any] = {"workspace": workspace, "digest": digest, "changed_at": now}
    about = {
        "page": reading.page,
        "began_at": reading.began_at,
        "complete_at": reading.complete_at,
        "refused": reading.refused,
    }
    transaction.change(_PUT, {**values, **about})
    transaction.change(_OLD, {"workspace": workspace, "before": now - _KEPT})


def remember(
    transaction: Transaction, workspace: str, digest: str, fault: str | None, now: float
) -> None:
    """Store the fault of a read, None if it has none, for longer than the state of a reading, which
    shares the table.
    """
    about = {"page": None, "began_at": None, "complete_at": now, "refused": fault}
    transaction.change(
        _PUT, {"workspace": workspace, "digest": digest, "changed_at": now + _REMEMBERED, **about}
    )
