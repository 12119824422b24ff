"""Numbers of events: each workspace's events are counted in the order of their commits.

A number assigned when a row is written does not follow the order of commits. On PostgreSQL a
transaction with a lower number may commit after one with a higher number. A reader that has read
the higher one would miss the lower one. So rows are numbered once they are committed, by one
process at a time. It holds the lock of the workspace's head until the numbers are committed, too.
Any process may number: readers before they read, the dispatcher in its rounds. Events of one
subject stay in order, since a change of a row waits for the row's last change. An event whose
number was lost with a restored database is numbered again, and has the same ID.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from jackfield.kernel.stored_values import LATEST
from jackfield_service.subjects.events.counts import count_events
from jackfield_service.subjects.events.event import data_of
from jackfield_service.subjects.events.marks import MARK, digest_of, next_mark
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.faults import KeyServiceRefused, KeyServiceUnavailable
from jackfield_store.database.lost_numbers import above_lost, is_elsewhere, place_of
from jackfield_store.database.outbox import sealed_place
from jackfield_store.keys import Vault

SLICE = 500
"""Maximum number of events numbered in one commit."""
_WAITS = "SELECT 1 AS one FROM outbox WHERE workspace = :workspace LIMIT 1"
_WORKSPACES = """
WITH RECURSIVE waiting(workspace) AS (
    SELECT MIN(workspace) FROM outbox
    UNION ALL
    SELECT (SELECT MIN(further.workspace) FROM outbox further WHERE further.workspace > waiting.workspace)
    FROM waiting WHERE waiting.workspace IS NOT NULL
)
SELECT workspace FROM waiting WHERE workspace IS NOT NULL
"""
_BEGIN = (
    "INSERT INTO event_heads (workspace, last, purged, size) VALUES (:workspace, 0, 0, 0) ON "
    "CONFLICT DO NOTHING"
)
_HEAD = "SELECT last, purged_mark, numbered_on FROM event_heads WHERE workspace = :workspace"
_LATEST = f"""
SELECT {MARK.format("events")} AS mark FROM events WHERE workspace = :workspace AND sequence <= :last ORDER BY sequence DESC LIMIT 1
"""
_TAKE = """
SELECT id, type, subject, at, facts, event_id, sealed, salt, {here} AS here, {now} AS now FROM outbox
WHERE workspace = :workspace ORDER BY id LIMIT :limit
"""
_REMOVE = "DELETE FROM outbox WHERE workspace = :workspace AND id = :row"
_INSERT = """
INSERT INTO events (workspace, sequence, id, type, subject, at, data, mark)
VALUES (:workspace, :sequence, :id, :type, :subject, :at, :data, :mark)
"""
_SET_HEAD = """
UPDATE event_heads SET last = :last, size = size + :size, numbered_on = :here, numbered_at = :now WHERE workspace = :workspace
"""


class Numbering:
    """Numbering of one database's events."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def waiting(self) -> list[str]:
        """Return the workspaces whose outbox has events."""
        with self._database.read(flush=False) as transaction:
            return [row.workspace for row in transaction.execute(_WORKSPACES)]

    def waits(self, workspace: str) -> bool:
        """Return whether a workspace's outbox has events, by one index look-up."""
        return self._database.look_up(_WAITS, {"workspace": workspace}) is not None

    def run(self, workspace: str, slices: int = 4) -> int:
        """Number up to ``slices`` times ``SLICE`` events of a workspace, each slice in a commit of
        its own; return their number.
        """
        numbered = 0
        # this process's deferred units are committed first
        with self._database.read() as transaction:
            waits = transaction.find(_WAITS, {"workspace": workspace}) is not None
        for _ in range(slices if waits and self.is_ready(workspace) else 0):
            # alone: a lock of others' rows beside that of the head could be a deadlock
            with self._database.write() as transaction:
                found = self._number(transaction, workspace)
            numbered += found
            if found < SLICE:
                break
        return numbered

    def is_ready(self, workspace: str) -> bool:
        """Read and unwrap the keys of a workspace before the transaction, since no later step would
        notice a change of the keys. Return False while its key service refuses or does not answer:
        its events wait.
        """
        self._vault.reread(workspace)
        try:
            self._vault.prepare(workspace)
        except (KeyServiceUnavailable, KeyServiceRefused):
            return False
        return True

    def _number(self, transaction: Transaction, workspace: str) -> int:
        place = {"workspace": workspace}
        transaction.change(_BEGIN, place)
        dialect = self._database.dialect
        head = transaction.execute(_HEAD + dialect.locks, place)[0]
        rows = transaction.execute(
            _TAKE.format(here=place_of(dialect), now=dialect.now), {**place, "limit": SLICE}
        )
        if rows:
            here, now = rows[0].here, rows[0].now
            last = above_lost(head.last, now) if is_elsewhere(head.numbered_on, here) else head.last
            latest = transaction.find(_LATEST, {**place, "last": head.last})
            mark = (
                str(head.purged_mark).rpartition("-")[2]
                if latest is None
                else digest_of(latest.mark)
            )
            events = list[dict[str, Any]]()
            for number, row in enumerate(rows, last + 1):
                event = self._event(workspace, row)
                mark = next_mark(mark, event["id"])
                events.append({**place, **event, "sequence": number, "mark": mark})
            transaction.change_many(_INSERT, events)
            transaction.change_many(_REMOVE, [{**place, "row": row.id} for row in rows])
            size = sum(len(event["data"]) for event in events)
            count_events(transaction, workspace, (row.at for row in rows))
            transaction.change(
                _SET_HEAD,
                {**place, "last": last + len(rows), "size": size, "here": here, "now": now},
            )
        return len(rows)

    def _event(self, workspace: str, row: Row) -> dict[str, Any]:
        if row.sealed is not None:
            return {
                "id": row.event_id,
                "type": row.type,
                "subject": row.subject,
                "at": row.at,
                "data": row.sealed,
            }
        identifier = _identifier(row.at, row.salt)
        data = json.dumps(
            data_of(row.type, row.subject, row.facts), ensure_ascii=False, separators=(",", ":")
        )
        sealed = self._vault.seal(
            workspace,
            sealed_place(identifier, row.type, row.subject),
            data.encode("utf-8", "surrogatepass"),
        )
        return {
            "id": identifier,
            "type": row.type,
            "subject": row.subject,
            "at": row.at,
            "data": sealed,
        }


def _identifier(at: object, salt: str) -> str:
    """Return the UUIDv7 (RFC 9562 §5.7) of an event, always the same for its time and its 16 random
    bytes (``salt``, in hexadecimal).
    """
    # a time that somebody has damaged
    milliseconds = int(at * 1000) if isinstance(at, int | float) and 0 <= at <= LATEST else 0
    random = int(salt.replace("-", ""), 16)
    return str(
        UUID(
            int=milliseconds << 80
            | 7 << 76
            | (random >> 64 & 0xFFF) << 64
            | 2 << 62
            | random & (1 << 62) - 1
        )
    )
