"""Deliveries: one row for each event and each of its callbacks; listed, sent again, and recreated
since a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from jackfield.call.events import Event
from jackfield.invocation import new_invocation_id
from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.hints import NextStep
from jackfield.kernel.stored_values import problem_of_times
from jackfield_service.subjects.callbacks.callback import COLUMNS as CALLBACK_COLUMNS
from jackfield_service.subjects.callbacks.callback import Callback, read_callback
from jackfield_service.subjects.callbacks.callbacks import unknown_callback
from jackfield_service.subjects.callbacks.claims import EVENT, MOVE
from jackfield_service.subjects.callbacks.message import request_to
from jackfield_service.subjects.callbacks.sending import Attempt
from jackfield_service.subjects.events.feed import Feed, read_event
from jackfield_service.subjects.events.positions import move, next_numbers, read_positions
from jackfield_service.subjects.events.retention import DELIVERED_KEPT
from jackfield_store.database import Database, Row, SealBroken, Transaction
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.keys import Vault

STATES = ("pending", "delivered", "dead")
_KEPT_ATTEMPTS = 10
_COLUMNS = (
    "d.id, d.callback, d.sequence, d.event, d.type, d.state, d.attempts, d.next_at, d.held_until, "
    "d.ended_at, d.last_status, d.log, "
    "d.created_at, d.source, d.event_sequence, c.url"
)
_FROM = (
    "FROM deliveries d LEFT JOIN callbacks c ON c.workspace = d.workspace AND c.id = "
    "d.callback WHERE d.workspace = :workspace"
)
_ONE = f"SELECT {_COLUMNS} {_FROM} AND d.id = :id"
_PAGE = f"SELECT {_COLUMNS} {_FROM} AND d.id < :before{{more}} ORDER BY d.id DESC LIMIT :limit"
_INSERT = """
INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, next_at, created_at, source, event_sequence)
VALUES (:workspace, :callback, :sequence, :id, :event, :type, 'pending', :now, :now, :source, :event_sequence)
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
_DEAD = (
    "SELECT COUNT(*) AS number FROM deliveries d WHERE d.workspace = :workspace AND d.state "
    "= 'dead'{more}"
)
_CALLBACK = (
    f"SELECT {CALLBACK_COLUMNS} FROM callbacks WHERE workspace = :workspace AND id = :callback"
)
_SINCE = """
SELECT MAX(sequence) AS before, (SELECT MIN(sequence) FROM events WHERE workspace = :workspace AND at >= :since) AS first
FROM events WHERE workspace = :workspace AND sequence < (SELECT MIN(sequence) FROM events WHERE workspace = :workspace AND at >= :since)
"""
_STATE = (
    "SELECT state, sequence FROM deliveries WHERE workspace = :workspace AND callback = "
    ":callback AND sequence = :sequence"
)
_STATE_OF_SOURCE = """
SELECT state, sequence FROM deliveries
WHERE source = :source AND workspace = :workspace AND callback = :callback AND event_sequence = :sequence
"""
_LAST = "~"
_SLICE = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivery of one event to one callback; ``log`` has its last attempts, the newest last. Times
    are seconds since 1970. For a platform's callback, ``workspace`` is the event's.
    """

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
    workspace: str | None = None
    request: Mapping[str, Any] | None = None
    """Request of the last attempt, reconstructed without its signature; only for a delivery found
    by its ID.
    """

    def to_json(self) -> dict[str, Any]:
        """Return the delivery as a document of the HTTP API."""
        last = self.log[-1] if self.log else {}
        members = {
            "id": self.id,
            "callback": self.callback,
            "url": self.url,
            "workspace": self.workspace,
            "eventId": self.event,
            "sequence": self.sequence,
            "type": self.type,
            "status": self.state,
            "attempts": self.attempts,
            "nextAt": iso(self.next_at),
            "endedAt": iso(self.ended_at),
            "createdAt": iso(self.created_at),
            "lastStatus": last.get("status"),
            "lastError": last.get("error"),
            "log": list(self.log) or None,
            "request": self.request,
            **problem_of_times(self.next_at, self.ended_at, self.created_at),
        }
        return {name: value for name, value in members.items() if value is not None}


class UnknownDelivery(InvalidInvocation):
    """Error for a delivery that does not exist."""

    http_status = 404


class Deliveries:
    """Deliveries of one workspace, or of the platform whose ``home_of`` is given."""

    def __init__(self, database: Database, vault: Vault, workspace: str, clock: Clock) -> None:
        self._time = SharedClock.of(database, clock)
        self._database = database
        self._vault = vault
        self._workspace = workspace

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        callback: str | None = None,
        status: str | None = None,
    ) -> tuple[list[Delivery], str | None]:
        """Return a page of deliveries, the newest first, and the cursor of the next page; None on
        the last page.
        """
        given = {"callback": callback, "state": status}
        wanted = {name: value for name, value in given.items() if value is not None}
        more = "".join(f" AND d.{name} = :{name}" for name in wanted)
        values = {
            "workspace": self._workspace,
            "before": cursor or _LAST,
            "limit": limit + 1,
            **wanted,
        }
        with self._database.read() as transaction:
            rows = transaction.execute(_PAGE.format(more=more), values)
        return [self._delivery_from(row) for row in rows[:limit]], rows[limit - 1].id if len(
            rows
        ) > limit else None

    def find(self, identifier: str) -> Delivery:
        """Return a delivery.

        :raises InvalidInvocation: if no delivery has this ID.
        """
        with self._database.read() as transaction:
            row = transaction.find(_ONE, {"workspace": self._workspace, "id": identifier})
        if row is None:
            raise UnknownDelivery(
                f"no delivery has the ID '{identifier[:80]}'", hint=NextStep("deliveries")
            )
        found = self._delivery_from(row)
        return replace(found, request=self._request(found))

    def resend(self, identifier: str) -> Delivery:
        """Send a delivery again, whatever its outcome, with its count of attempts reset.

        :raises InvalidInvocation: if no delivery has this ID.
        """
        self.find(identifier)
        values = {"workspace": self._workspace, "id": identifier, "now": self._time.now()}
        self._database.record(lambda transaction: transaction.change(_RESEND, values))
        return self.find(identifier)

    def count_dead(self, callback: str | None = None) -> int:
        """Return the number of dead deliveries, of all callbacks or of one."""
        more = "" if callback is None else " AND d.callback = :callback"
        row = self._database.look_up(
            _DEAD.format(more=more), {"workspace": self._workspace, "callback": callback}
        )
        return 0 if row is None else int(row.number)

    def resend_dead(self, callback: str | None = None) -> list[str]:
        """Send all dead deliveries again, or only a callback's, with their count of attempts reset;
        return their IDs.
        """
        sent, cursor, now = list[str](), None, self._time.now()
        while True:
            page, cursor = self.page(cursor, _SLICE, callback=callback, status="dead")
            rows = [{"workspace": self._workspace, "id": item.id, "now": now} for item in page]
            if rows:
                self._database.record(partial(_renew_dead, rows=rows))
            sent += [item.id for item in page]
            if cursor is None:
                return sent

    def recover(self, callback: str, since: float) -> int:
        """Send all undelivered events since a time that a callback selects; return their number. An
        old event without a stored delivery was delivered: successful deliveries are stored for a
        shorter time than dead ones.

        :raises InvalidInvocation: if there is no such callback.
        """
        with self._database.read() as transaction:
            row = transaction.find(_CALLBACK, {"workspace": self._workspace, "callback": callback})
            if row is None:
                raise unknown_callback(callback)
            found = read_callback(row)
            positions = (
                {self._workspace: found.position}
                if found.workspaces is None
                else read_positions(transaction, callback)
            )
        now = self._time.now()
        return sum(
            self._recover_from(workspace, position, found, since, now)
            for workspace, position in positions.items()
        )

    def _recover_from(
        self, workspace: str, position: int, callback: Callback, since: float, now: float
    ) -> int:
        """Send the events of one workspace again, up to the position of the callback."""
        place = self._database.look_up(_SINCE, {"workspace": workspace, "since": since})
        if place is None or place.first is None or place.first > position:
            return 0
        feed, count, cursor, more = (
            Feed(self._database, self._vault, workspace),
            0,
            place.before,
            True,
        )
        while more:
            page = feed.page(cursor, (), _SLICE)
            wanted = [
                event
                for event in page.events
                if event.sequence <= position and wants(callback, event)
            ]
            count += self._database.record(
                partial(self._renew, callback=callback, workspace=workspace, events=wanted, now=now)
            )
            cursor, more = page.cursor, bool(page.events) and page.events[-1].sequence < position
        return count

    def _renew(
        self,
        transaction: Transaction,
        callback: Callback,
        workspace: str,
        events: Sequence[Event],
        now: float,
    ) -> int:
        place = {"workspace": self._workspace, "source": workspace, "callback": callback.id}
        state = _STATE if callback.workspaces is None else _STATE_OF_SOURCE
        states = [
            transaction.find(state, {**place, "sequence": event.sequence}) for event in events
        ]
        lost, numbers = list[Event](), list[int | None]()
        for event, row in zip(events, states, strict=True):
            if event.at >= now - DELIVERED_KEPT if row is None else row.state != "delivered":
                lost.append(event)
                numbers.append(None if row is None else row.sequence)
        if callback.workspaces is None:
            return insert(transaction, self._workspace, callback.id, lost, now, again=True)
        more = next_numbers(transaction, self._workspace, callback.id, numbers.count(None))
        if more is None:
            return 0
        free = iter(more)
        own = [next(free) if number is None else number for number in numbers]
        return insert(
            transaction,
            self._workspace,
            callback.id,
            lost,
            now,
            again=True,
            source=workspace,
            numbers=own,
        )

    def _request(self, delivery: Delivery) -> dict[str, Any] | None:
        """Return the request of the last attempt, reconstructed from the current event and
        callback; None if either is gone.
        """
        source = delivery.workspace or self._workspace
        with self._database.read() as transaction:
            callback = transaction.find(
                _CALLBACK, {"workspace": self._workspace, "callback": delivery.callback}
            )
            event = transaction.find(EVENT, {"workspace": source, "sequence": delivery.sequence})
        if callback is None or event is None or not delivery.log:
            return None
        told = read_event(self._vault, source, event)
        at = datetime.fromisoformat(delivery.log[-1]["at"]).timestamp()
        fields, body = request_to(
            read_callback(callback), told, (), at, self._database, self._vault, source
        )
        return {
            "headers": {name.decode(): value.decode() for name, value in fields if value},
            "body": json.loads(body),
        }

    def _delivery_from(self, row: Row) -> Delivery:
        waits = row.state == "pending"
        number = row.sequence if row.source is None else row.event_sequence
        return Delivery(
            row.id,
            row.callback,
            row.url,
            row.event,
            number,
            row.type,
            row.state,
            row.attempts,
            row.next_at if waits else None,
            row.ended_at,
            row.created_at,
            tuple(read_log(self._vault, self._workspace, row)),
            row.source,
        )


def _renew_dead(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> int:
    return transaction.change_many(f"{_RESEND.rstrip()} AND state = 'dead'", rows)


def wants(callback: Callback, event: Event) -> bool:
    """Return whether a callback gets an event. It never gets an event about itself, which would
    recur with each failed delivery.
    """
    return event.subject not in (callback.id, f"callback:{callback.id}") and callback.options.wants(
        event
    )


def make(
    transaction: Transaction,
    database: Database,
    home: str,
    callback: Callback,
    workspace: str,
    moved: tuple[int, int],
    events: Sequence[Event],
    now: float,
) -> bool:
    """Move the position of a callback in a workspace, and insert the deliveries of its events that
    the callback selects. Return False if another process has moved the position.

    :param home: the workspace of the callback, or ``home_of`` its platform.
    :param moved: number of the old and of the new position.
    """
    wanted, (before, after) = [event for event in events if wants(callback, event)], moved
    if callback.workspaces is None:
        values = {"workspace": workspace, "callback": callback.id, "from": before, "to": after}
        if not transaction.change(MOVE, values):
            return False
        insert(transaction, workspace, callback.id, wanted, now)
        return True
    numbers = next_numbers(transaction, home, callback.id, len(wanted))
    if numbers is None or not move(transaction, database, workspace, callback.id, before, after):
        return False
    insert(transaction, home, callback.id, wanted, now, source=workspace, numbers=numbers)
    return True


def insert(
    transaction: Transaction,
    workspace: str,
    callback: str,
    events: Sequence[Event],
    now: float,
    *,
    again: bool = False,
    source: str | None = None,
    numbers: Sequence[int] = (),
) -> int:
    """Insert the deliveries of events to a callback; return the number of new deliveries, or, with
    ``again``, of the deliveries to be sent.

    For a platform's callback, the events are of the workspace ``source``, and have the ``numbers``
    of the callback.
    """
    rows = [
        {
            "workspace": workspace,
            "callback": callback,
            "sequence": event.sequence if source is None else numbers[place],
            "id": f"dlv_{new_invocation_id()}",
            "event": event.id,
            "type": event.type,
            "now": now,
            "source": source,
            "event_sequence": None if source is None else event.sequence,
        }
        for place, event in enumerate(events)
    ]
    return (
        transaction.change_many(_INSERT.format(otherwise=_AGAIN if again else "NOTHING"), rows)
        if rows
        else 0
    )


def read_log(vault: Vault, workspace: str, row: Row) -> list[Mapping[str, Any]]:
    """Return the attempts of a delivery's row; an empty list if they are damaged."""
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
    return vault.seal(
        workspace,
        ("delivery", row.id),
        json.dumps(log, ensure_ascii=False).encode("utf-8", "replace"),
    )
