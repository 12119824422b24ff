"""Deliveries: one row for each event's way to one callback; listed, sent again, and made anew since a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jackfield.clock import Clock, iso
from jackfield.database import Database, Row, SealBroken, Transaction, Vault
from jackfield.database.shared_clock import SharedClock
from jackfield.dataclass import dataclass, replace
from jackfield.errors import InvalidInvocation
from jackfield.events.callback import COLUMNS as CALLBACK_COLUMNS
from jackfield.events.callback import Callback, read_callback
from jackfield.events.callbacks import unknown_callback
from jackfield.events.claims import EVENT
from jackfield.events.event import Event
from jackfield.events.feed import Feed, read_event
from jackfield.events.message import request_to
from jackfield.events.retention import DELIVERED_KEPT
from jackfield.events.sending import Attempt
from jackfield.hints import NextStep
from jackfield.invocation import new_invocation_id

STATES = ("pending", "delivered", "dead")
_KEPT_ATTEMPTS = 10
_COLUMNS = (
    "d.id, d.callback, d.sequence, d.event, d.type, d.state, d.attempts, d.next_at, d.held_until, d.ended_at, d.last_status, d.log, "
    "d.created_at, c.url"
)
_FROM = "FROM deliveries d LEFT JOIN callbacks c ON c.workspace = d.workspace AND c.id = d.callback WHERE d.workspace = :workspace"
_ONE = f"SELECT {_COLUMNS} {_FROM} AND d.id = :id"
_PAGE = f"SELECT {_COLUMNS} {_FROM} AND d.id < :before{{more}} ORDER BY d.id DESC LIMIT :limit"
_INSERT = """
INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, next_at, created_at)
VALUES (:workspace, :callback, :sequence, :id, :event, :type, 'pending', :now, :now)
ON CONFLICT (workspace, callback, sequence) DO {otherwise}
"""
_AGAIN = """
UPDATE SET state = 'pending', attempts = 0, next_at = excluded.next_at, ended_at = NULL WHERE deliveries.state <> 'pending'
"""
_RESEND = """
UPDATE deliveries SET state = 'pending', attempts = 0, next_at = :now, held_until = CASE WHEN state = 'pending' THEN held_until ELSE 0 END,
    ended_at = NULL
WHERE workspace = :workspace AND id = :id
"""
_CALLBACK = f"SELECT {CALLBACK_COLUMNS} FROM callbacks WHERE workspace = :workspace AND id = :callback"
_SINCE = """
SELECT MAX(sequence) AS before, (SELECT MIN(sequence) FROM events WHERE workspace = :workspace AND at >= :since) AS first
FROM events WHERE workspace = :workspace AND sequence < (SELECT MIN(sequence) FROM events WHERE workspace = :workspace AND at >= :since)
"""
_STATE = "SELECT state FROM deliveries WHERE workspace = :workspace AND callback = :callback AND sequence = :sequence"
_LAST = "~"
_SLICE = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event's way to one callback; ``log`` are its last attempts, the newest last. Times are seconds since 1970."""

    id: str
    callback: str
    url: str | None
    event: str
    sequence: int
    type: str
    state: str
    attempts: int
    next_at: float | None
    ended_at: float | None
    created_at: float
    log: tuple[Mapping[str, Any], ...]
    request: Mapping[str, Any] | None = None
    """The request of its last attempt, made again without its signature; only of a delivery that was looked up."""

    def to_json(self) -> dict[str, Any]:
        """Return the delivery as the HTTP API shows it."""
        last = self.log[-1] if self.log else {}
        members = {
            "id": self.id, "callback": self.callback, "url": self.url, "eventId": self.event, "sequence": self.sequence, "type": self.type,
            "status": self.state, "attempts": self.attempts, "nextAt": iso(self.next_at), "endedAt": iso(self.ended_at),
            "createdAt": iso(self.created_at), "lastStatus": last.get("status"), "lastError": last.get("error"),
            "log": list(self.log) or None, "request": self.request,
        }  # fmt: skip
        return {name: value for name, value in members.items() if value is not None}


class Deliveries:
    """Deliveries of one workspace."""

    def __init__(self, database: Database, vault: Vault, workspace: str, clock: Clock) -> None:
        self._time = SharedClock.of(database, clock)
        self._database = database
        self._vault = vault
        self._workspace = workspace

    def page(
        self, *, callback: str | None = None, state: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[Delivery], str | None]:
        """Return a page of deliveries, the newest first, and the cursor of the next page."""
        given = {"callback": callback, "state": state}
        wanted = {name: value for name, value in given.items() if value is not None}
        more = "".join(f" AND d.{name} = :{name}" for name in wanted)
        values = {"workspace": self._workspace, "before": cursor or _LAST, "limit": limit + 1, **wanted}
        with self._database.read() as transaction:
            rows = transaction.execute(_PAGE.format(more=more), values)
        return [self._read(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None

    def find(self, identifier: str) -> Delivery:
        """Return a delivery.

        :raises InvalidInvocation: if there is none with this ID.
        """
        with self._database.read() as transaction:
            row = transaction.find(_ONE, {"workspace": self._workspace, "id": identifier})
        if row is None:
            raise InvalidInvocation(f"no delivery has the ID '{identifier[:80]}'", hint=NextStep("deliveries"))
        found = self._read(row)
        return replace(found, request=self._request(found))

    def resend(self, identifier: str) -> Delivery:
        """Send a delivery again, with a fresh count of attempts, whatever became of it.

        :raises InvalidInvocation: if there is none with this ID.
        """
        self.find(identifier)
        values = {"workspace": self._workspace, "id": identifier, "now": self._time.now()}
        self._database.record(lambda transaction: transaction.change(_RESEND, values))
        return self.find(identifier)

    def recover(self, callback: str, since: float) -> int:
        """Send all events since a time that a callback wants and that were not delivered to it; return how many. An old one of which no
        delivery is stored any more was delivered: those are kept for a shorter time than dead ones.

        :raises InvalidInvocation: if there is no such callback.
        """
        with self._database.read() as transaction:
            row = transaction.find(_CALLBACK, {"workspace": self._workspace, "callback": callback})
            place = transaction.execute(_SINCE, {"workspace": self._workspace, "since": since})[0]
        if row is None:
            raise unknown_callback(callback)
        now = self._time.now()
        found, feed = read_callback(row), Feed(self._database, self._vault, self._workspace)
        count, cursor, more = 0, place.before, place.first is not None
        while more:
            page = feed.page(cursor, (), _SLICE)
            wanted = [event for event in page.events if event.sequence <= found.position and wants(found, event)]
            count += self._database.record(lambda transaction, wanted=wanted: self._renew(transaction, found, wanted, now))  # type: ignore[misc]
            cursor, more = page.cursor, bool(page.events) and page.events[-1].sequence < found.position
        return count

    def _renew(self, transaction: Transaction, callback: Callback, events: Sequence[Event], now: float) -> int:
        place = {"workspace": self._workspace, "callback": callback.id}
        states = [transaction.find(_STATE, {**place, "sequence": event.sequence}) for event in events]
        lost = [
            event
            for event, row in zip(events, states, strict=True)
            if (event.at >= now - DELIVERED_KEPT if row is None else row.state != "delivered")
        ]
        return insert(transaction, self._workspace, callback.id, lost, now, again=True)

    def _request(self, delivery: Delivery) -> dict[str, Any] | None:
        """Return the request of the last attempt, as the event and the callback make it now; None if one of them is gone."""
        place = {"workspace": self._workspace, "callback": delivery.callback, "sequence": delivery.sequence}
        with self._database.read() as transaction:
            callback, event = transaction.find(_CALLBACK, place), transaction.find(EVENT, place)
        if callback is None or event is None or not delivery.log:
            return None
        options, told = read_callback(callback).options, read_event(self._vault, self._workspace, event)
        at = datetime.fromisoformat(delivery.log[-1]["at"]).timestamp()
        fields, body = request_to(options, told, (), at, self._database, self._vault, self._workspace)
        return {"headers": {name.decode(): value.decode() for name, value in fields if value}, "body": json.loads(body)}

    def _read(self, row: Row) -> Delivery:
        waits = row.state == "pending"
        return Delivery(
            row.id, row.callback, row.url, row.event, row.sequence, row.type, row.state, row.attempts, row.next_at if waits else None,
            row.ended_at, row.created_at, tuple(read_log(self._vault, self._workspace, row)),
        )  # fmt: skip


def wants(callback: Callback, event: Event) -> bool:
    """Return whether a callback gets an event; never one about itself, which would come again with each failure to deliver it."""
    return event.subject not in (callback.id, f"callback:{callback.id}") and callback.options.wants(event)


def insert(transaction: Transaction, workspace: str, callback: str, events: Sequence[Event], now: float, *, again: bool = False) -> int:
    """Insert the deliveries of events to a callback; return how many are new, or, with ``again``, how many are to be sent."""
    rows = [
        {
            "workspace": workspace, "callback": callback, "sequence": event.sequence, "id": f"dlv_{new_invocation_id()}", "event": event.id,
            "type": event.type, "now": now,
        }
        for event in events
    ]  # fmt: skip
    return transaction.change_many(_INSERT.format(otherwise=_AGAIN if again else "NOTHING"), rows) if rows else 0


def read_log(vault: Vault, workspace: str, row: Row) -> list[Mapping[str, Any]]:
    """Return the attempts of a delivery's row; none if somebody has damaged them."""
    if row.log is None:
        return []
    try:
        found = json.loads(vault.open(workspace, ("delivery", row.id), row.log))
    except (SealBroken, ValueError, TypeError):
        return []
    return list(found)


def sealed_log(vault: Vault, workspace: str, row: Row, attempt: Attempt) -> bytes:
    """Return the log of a delivery's row with one more attempt, sealed."""
    log = [*read_log(vault, workspace, row), attempt.to_json()][-_KEPT_ATTEMPTS:]
    return vault.seal(workspace, ("delivery", row.id), json.dumps(log, ensure_ascii=False).encode("utf-8", "replace"))
