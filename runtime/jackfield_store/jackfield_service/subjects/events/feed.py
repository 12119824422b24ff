"""The feed: events of one workspace, oldest first, read by cursor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jackfield.call.events import Event, Events
from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.frames import bordered
from jackfield.kernel.hints import NextStep
from jackfield.kernel.stored_values import problem_of_times
from jackfield_service.subjects.events.event import check_types
from jackfield_service.subjects.events.marks import (
    EARLIER,
    MARK,
    Mark,
    cursor_of,
    first_here,
    read_cursor,
)
from jackfield_service.subjects.events.numbering import Numbering
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.faults import DataKeyDamaged, SealBroken
from jackfield_store.database.outbox import sealed_place
from jackfield_store.keys import Vault

LIMIT = 50
"""Default number of events of a page."""
_WINDOW = 2_000
"""Number of events that one statement reads in search of the wanted types."""
_RECENT = 500
"""Number of the newest events that are searched for the latest events about a subject."""
_WINDOWS = 25
"""Maximum number of windows of one page. A page with few events of the wanted types may be short,
and still have a cursor to continue from.
"""
_STORED = (
    f"(SELECT {MARK.format('events')} FROM events WHERE workspace = :workspace AND sequence "
    f"= :{{0}}) AS {{0}}"
)
_HEAD = f"""
SELECT last, purged, purged_mark, {_STORED.format("read")}, {_STORED.format("earlier")} FROM event_heads WHERE workspace = :workspace
"""
_NEXT = (
    "SELECT MIN(sequence) AS number FROM events WHERE workspace = :workspace AND sequence > :after"
)
_AFTER = f"SELECT last, ({_NEXT}) AS number FROM event_heads WHERE workspace = :workspace"
EVENT_COLUMNS = "sequence, id, type, subject, at, data"
_COLUMNS = f"{EVENT_COLUMNS}, {MARK.format('events')} AS mark, {EARLIER} AS earlier"
_CURSOR = f"""
SELECT sequence, {MARK.format("events")} AS mark, {EARLIER} AS earlier FROM events
WHERE workspace = :workspace AND sequence <= :number ORDER BY sequence DESC LIMIT 1
"""
_MOST_BYTES = 4 * 1024 * 1024
"""Maximum bytes of data in a page before its last event: one event of a poll may have 32 MiB."""
_PAGE = f"""
SELECT {_COLUMNS}, ahead FROM events JOIN (
    SELECT number, SUM(size) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) - size AS ahead FROM (
        SELECT sequence AS number, LENGTH(data) AS size FROM events
        WHERE workspace = :workspace AND sequence > :after AND sequence <= :until{{types}} ORDER BY sequence LIMIT :limit
    ) sized
) summed ON sequence = number WHERE workspace = :workspace AND ahead < :room ORDER BY sequence
"""
_LATEST = f"""
SELECT {_COLUMNS} FROM events WHERE workspace = :workspace AND sequence > :after AND subject = :subject{{types}}
AND sequence >= COALESCE(
    (SELECT sequence FROM events WHERE workspace = :workspace ORDER BY sequence DESC LIMIT 1 OFFSET {_RECENT - 1}), 0
) ORDER BY sequence DESC LIMIT :limit
"""
_ONE = f"SELECT {_COLUMNS} FROM events WHERE workspace = :workspace AND id = :id"
_DAMAGED = "its row in the database is damaged"


class CursorExpired(InvalidInvocation):
    """Error for a cursor after which events have been deleted, or whose read events differ from the
    stored ones. ``oldest`` is the cursor before the oldest stored event.
    """

    problem = "cursor_expired"

    def __init__(
        self,
        message: str,
        oldest: str,
        about: str = ", or without a cursor: that is the oldest event kept",
    ) -> None:
        super().__init__(message, hint=f"Go on after '{oldest}'{about}.")
        self.oldest = oldest


class Head(NamedTuple):
    """Ends of a workspace's events: the highest assigned number, and the highest deleted number,
    with its mark if known. ``stored`` are the marks of a cursor's events, by their numbers.
    """

    last: int
    purged: int
    purged_mark: str | None
    stored: Mapping[int, str | None]

    @property
    def oldest(self) -> str:
        """Cursor before the oldest stored event."""
        known = (
            self.purged_mark is not None and read_cursor(self.purged_mark)[0].number == self.purged
        )
        return str(self.purged_mark) if known else str(self.purged)

    def has(self, mark: Mark) -> bool:
        """Return whether an event that was read, and all events before it, belong to this
        database.
        """
        if mark.number == self.purged:
            return mark.digest is None or self.oldest in (str(self.purged), str(mark))
        return mark.number > self.purged and mark.is_of(self.stored.get(mark.number))


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, and the cursor to continue from. The cursor moves past events of other types, so it
    may be beyond the last event.
    """

    events: tuple[Event, ...]
    cursor: str


def read_event(vault: Vault, workspace: str, row: Row) -> Event:
    """Read a row with ``EVENT_COLUMNS``; the data of a damaged row only have a ``problem``."""
    try:
        data: dict[str, Any] = json.loads(
            vault.open(workspace, sealed_place(row.id, row.type, row.subject), row.data)
        )
    except (SealBroken, DataKeyDamaged, ValueError, TypeError):
        # a damaged row must not hide those after it
        data = {"problem": _DAMAGED}
    data |= problem_of_times(row.at)
    return Event(row.id, row.sequence, row.type, row.subject, row.at, data)


def _with_cursor(event: Event, row: Row) -> Event:
    return replace(event, cursor=cursor_of(row.sequence, row.mark, row.earlier))


class Feed:
    """Events of one workspace. ``sees`` returns whether the reader may see an event; all others are
    left out. Thread-safe.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        workspace: str,
        sees: Callable[[Event], bool] | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._sees = sees
        self._numbering = Numbering(database, vault)

    def page(
        self, after: str | int | None = None, types: Sequence[str] = (), limit: int = LIMIT
    ) -> EventPage:
        """Return up to ``limit`` events after a cursor, oldest first; without a cursor, from the
        oldest stored event. A page of large events has fewer, and a cursor to continue from.

        ``types`` are types and patterns (``invocation.*``); none: all.

        :raises CursorExpired: if events after the cursor have been deleted, or the events read
            before it do not belong to this database.
        :raises InvalidInvocation: if the cursor or a type is not valid.
        """
        wanted, start = check_types(types), () if after is None else read_cursor(after)
        self._numbering.run(self._workspace)
        # one snapshot: what is purged meanwhile is not skipped unnoticed
        with self._database.read(flush=False) as transaction:
            head = self._head(transaction, start)
            position = begin = _checked(start, head) if start else head.purged
            found: list[Event] = []
            room = _MOST_BYTES
            for _ in range(_WINDOWS):
                if position >= head.last or len(found) >= limit or room <= 0:
                    break
                position, used = self._window(
                    transaction, found, (position, head.last), wanted, limit, room
                )
                room -= used
            if position == begin and (not start or start[0].digest is not None):
                return EventPage((), head.oldest if after is None else str(after))
            row = transaction.find(_CURSOR, {"workspace": self._workspace, "number": position})
        return EventPage(
            tuple(found),
            head.oldest if row is None else cursor_of(row.sequence, row.mark, row.earlier),
        )

    def latest(self, types: Sequence[str], subject: str, limit: int) -> list[Event]:
        """Return the newest events of some types about a subject, newest first, among the
        workspace's last ``_RECENT`` events.
        """
        self._numbering.run(self._workspace)
        more, values = _only(check_types(types))
        with self._database.read(flush=False) as transaction:
            head = self._head(transaction, ())
            about = {
                "workspace": self._workspace,
                "after": head.purged,
                "subject": subject,
                "limit": limit,
            }
            rows = transaction.execute(_LATEST.format(types=more), {**about, **values})
        return self._seen(rows)

    def find(self, identifier: str) -> Event:
        """Return an event by its ID.

        :raises InvalidInvocation: if there is no such event, or the reader may not see it.
        """
        self._numbering.run(self._workspace)
        row = self._database.look_up(_ONE, {"workspace": self._workspace, "id": identifier})
        event = (
            None
            if row is None
            else _with_cursor(read_event(self._vault, self._workspace, row), row)
        )
        if event is None or (self._sees is not None and not self._sees(event)):
            raise InvalidInvocation(
                f"no event has the ID '{identifier[:80]}'", hint=NextStep("events")
            )
        return event

    def has_after(self, cursor: str) -> bool:
        """Return whether events may follow a cursor, or the cursor may be refused. This costs two
        index look-ups.
        """
        if self._numbering.waits(self._workspace):
            return True
        number = read_cursor(cursor)[0].number
        row = self._database.look_up(_AFTER, {"workspace": self._workspace, "after": number})
        return number > 0 if row is None else row.number is not None or row.last < number

    def _head(self, transaction: Transaction, marks: Sequence[Mark]) -> Head:
        """Return the ends of the events, and the stored marks of a cursor's events."""
        read, earlier = (mark.number for mark in (*marks, Mark(0), Mark(0))[:2])
        row = transaction.find(
            _HEAD, {"workspace": self._workspace, "read": read, "earlier": earlier}
        )
        if row is None:
            return Head(0, 0, None, {})
        return Head(row.last, row.purged, row.purged_mark, {earlier: row.earlier, read: row.read})

    def _window(
        self,
        transaction: Transaction,
        found: list[Event],
        place: tuple[int, int],
        types: Sequence[str],
        limit: int,
        room: int,
    ) -> tuple[int, int]:
        """Add the next events to ``found`` until the data before the last event exceed ``room``
        bytes. ``place`` has the number before the first event, and the last number. Return the
        number up to which events were examined, and the bytes used.
        """
        after, last = place
        until, left = min(last, after + _WINDOW), limit - len(found)
        more, values = _only(types)
        given = {
            "workspace": self._workspace,
            "after": after,
            "until": until,
            "limit": left,
            "room": room,
        }
        rows = transaction.execute(_PAGE.format(types=more), {**given, **values})
        found += self._seen(rows)
        used = int(rows[-1].ahead) + len(rows[-1].data) if rows else 0
        if not rows and until < last:  # numbers that were left out may be next
            following = transaction.execute(_NEXT, {"workspace": self._workspace, "after": until})[
                0
            ].number
            return last if following is None else following - 1, used
        return (rows[-1].sequence if len(rows) == left or used >= room else until), used

    def _seen(self, rows: Sequence[Row]) -> list[Event]:
        events = [_with_cursor(read_event(self._vault, self._workspace, row), row) for row in rows]
        return [event for event in events if self._sees is None or self._sees(event)]


@bordered
class FeedEvents(Events):
    """Events of a feed."""

    def __init__(
        self, feed: Feed, after: str | int | None, types: Sequence[str], wait: float
    ) -> None:
        self._feed, self._after, self._types, self._wait = feed, after, types, wait

    def pages(self) -> Iterator[tuple[Event, ...]]:
        """Yield the events page by page, and an empty page if no further event is stored yet: the
        reader then waits for ``PAUSE`` seconds.
        """
        cursor, until = self._after, monotonic() + self._wait
        while True:
            page, before = self._feed.page(cursor, self._types, LIMIT), cursor
            cursor = page.cursor
            if page.events:
                yield page.events
                until = monotonic() + self._wait
            elif cursor == before or not self._feed.has_after(cursor):
                # else it was a page of other types
                if not monotonic() < until:  # also of a wait that is no number
                    return
                yield ()


def _checked(marks: tuple[Mark, ...], head: Head) -> int:
    """Return the number to continue from.

    :raises CursorExpired: if events after the cursor were deleted, or the cursor's last event
        differs from the stored one.
    """
    start = marks[0]
    if start.number < head.purged:
        raise CursorExpired(
            f"the cursor '{start}' has expired: events after it were deleted", head.oldest
        )
    here = first_here(marks, head.has)
    if here is start:
        return start.number
    if start.digest is None and start.number > head.last:
        text = (
            f"the cursor '{start}' is not of this database: its last event is {head.last}; "
            "was it restored from a backup?"
        )
        raise CursorExpired(text, head.oldest)
    text = (
        f"the cursor '{start}' is of events that were lost when the database went back to an "
        "earlier state"
    )
    if here is None:
        raise CursorExpired(text, head.oldest)
    raise CursorExpired(text, str(here), ": those before it are as you have read them")


def _only(types: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the SQL condition that limits events to types, and its values."""
    if not types or "*" in types:
        return "", {}
    conditions, values = list[str](), dict[str, str]()
    for place, text in enumerate(types):
        name = f"type_{place}"
        if text.endswith(".*"):
            # the names that begin with it
            conditions.append(f"(type >= :{name} AND type < :{name}_end)")
            values |= {name: text[:-1], f"{name}_end": text[:-2] + "/"}
        else:
            conditions.append(f"type = :{name}")
            values[name] = text
    return f" AND ({' OR '.join(conditions)})", values
