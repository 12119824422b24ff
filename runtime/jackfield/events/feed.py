"""The feed: events of one workspace, oldest first, read by cursor."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple

from jackfield.clock import monotonic
from jackfield.database import Database, Row, Transaction, Vault
from jackfield.database.faults import DataKeyDamaged, SealBroken
from jackfield.database.lost_numbers import NAME, before_lost, is_elsewhere, may_be_lost, past_lost, place_of
from jackfield.database.outbox import sealed_place
from jackfield.dataclass import dataclass
from jackfield.errors import InvalidInvocation
from jackfield.events.event import Event, check_types
from jackfield.events.numbering import Numbering
from jackfield.frames import bordered
from jackfield.hints import NextStep
from jackfield.journal.instance import Instance

LIMIT = 50
"""Events of a page, unless the reader wants another number."""
PAUSE = 0.2
"""Seconds between two looks of a reader that waits."""
_WINDOW = 2_000
"""Events that are looked at in one statement, for those of the wanted types."""
_RECENT = 500
"""Events among which the latest about a subject are looked for."""
_WINDOWS = 25
"""Windows of one page. A page with few events of the wanted types may be short, and still have a cursor to go on from."""
_HEAD = f"""
SELECT last, purged, numbered_on, {{here}} AS here, (SELECT holder FROM dispatchers WHERE name = {NAME}) AS lost
FROM event_heads WHERE workspace = :workspace
"""
_LAST = "SELECT last FROM event_heads WHERE workspace = :workspace"
EVENT_COLUMNS = "sequence, id, type, subject, at, data"
_MOST_BYTES = 4 * 1024 * 1024
"""Bytes of data in a page, but for its last event: one event of a poll may have 32 MiB."""
_PAGE = f"""
SELECT {EVENT_COLUMNS}, ahead FROM events JOIN (
    SELECT number, SUM(size) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) - size AS ahead FROM (
        SELECT sequence AS number, LENGTH(data) AS size FROM events
        WHERE workspace = :workspace AND sequence > :after AND sequence <= :until{{types}} ORDER BY sequence LIMIT :limit
    ) sized
) summed ON sequence = number WHERE workspace = :workspace AND ahead < :room ORDER BY sequence
"""
_LATEST = f"""
SELECT {EVENT_COLUMNS} FROM events WHERE workspace = :workspace AND sequence > :after AND subject = :subject{{types}}
AND sequence >= COALESCE(
    (SELECT sequence FROM events WHERE workspace = :workspace ORDER BY sequence DESC LIMIT 1 OFFSET {_RECENT - 1}), 0
) ORDER BY sequence DESC LIMIT :limit
"""
_ONE = f"SELECT {EVENT_COLUMNS} FROM events WHERE workspace = :workspace AND id = :id"
_LONGEST_CURSOR = 18
_DAMAGED = "its row in the database is damaged"


class CursorExpired(InvalidInvocation):
    """A cursor whose events are not kept any more; ``oldest`` is the cursor from which on all are."""

    problem = "cursor_expired"

    def __init__(self, message: str, oldest: str, about: str = ", or without a cursor: that is the oldest event kept") -> None:
        super().__init__(message, hint=f"Go on after '{oldest}'{about}.")
        self.oldest = oldest


class CursorBeyond(CursorExpired):
    """A cursor beyond the last event."""


class Head(NamedTuple):
    """Ends of a workspace's events: the highest number given, and the highest one deleted; the numbers that were lost; and whether those
    above the last one may be lost, too."""

    last: int
    purged: int
    lost: str | None = None
    went_back: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Events, and the cursor from which to go on. It moves past events of other types, so it is not that of the last one."""

    events: tuple[Event, ...]
    cursor: str


def read_event(vault: Vault, workspace: str, row: Row) -> Event:
    """Read a row with ``EVENT_COLUMNS``; of one that somebody has damaged, the data say so."""
    try:
        data: dict[str, Any] = json.loads(vault.open(workspace, sealed_place(row.id, row.type, row.subject), row.data))
    except (SealBroken, DataKeyDamaged, ValueError, TypeError):  # a damaged row must not hide those after it
        data = {"problem": _DAMAGED}
    return Event(row.id, row.sequence, row.type, row.subject, row.at, data)


class Feed:
    """Events of one workspace. ``sees`` returns whether the reader may see an event; all others do not appear. Thread-safe."""

    def __init__(self, database: Database, vault: Vault, workspace: str, sees: Callable[[Event], bool] | None = None) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._sees = sees
        self._numbering = Numbering(database, vault)

    def page(self, after: str | int | None = None, types: Sequence[str] = (), limit: int = LIMIT) -> Page:
        """Return up to ``limit`` events after a cursor, oldest first; without a cursor from the oldest kept. A page of large events has
        fewer, and a cursor to go on from.

        ``types`` are types and patterns (``invocation.*``); none: all.

        :raises CursorExpired: if events after the cursor have been deleted, or it is one of another database.
        :raises InvalidInvocation: if the cursor or a type is not valid.
        """
        wanted, start = check_types(types), None if after is None else _read_cursor(after)
        self._numbering.run(self._workspace)
        try:
            return self._page(start, wanted, limit)
        except CursorBeyond:  # the database may have gone back just now, which tells where to go on from
            Instance.of(self._database).look_back()
            return self._page(start, wanted, limit)

    def _page(self, start: int | None, wanted: Sequence[str], limit: int) -> Page:
        with self._database.read(flush=False) as transaction:  # one snapshot: what is purged meanwhile is not skipped unnoticed
            head = self._head(transaction)
            position = head.purged if start is None else _checked(start, head)
            found: list[Event] = []
            room = _MOST_BYTES
            for _ in range(_WINDOWS):
                if position >= head.last or len(found) >= limit or room <= 0:
                    break
                position, used = self._window(
                    transaction, found, (past_lost(position, head.last, head.lost), head.last), wanted, limit, room
                )
                room -= used
        return Page(tuple(found), str(past_lost(position, head.last, head.lost)))

    def latest(self, types: Sequence[str], subject: str, limit: int) -> list[Event]:
        """Return the newest events of some types about a subject, the newest first: those among the workspace's last ``_RECENT`` events."""
        self._numbering.run(self._workspace)
        more, values = _only(check_types(types))
        with self._database.read(flush=False) as transaction:
            head = self._head(transaction)
            about = {"workspace": self._workspace, "after": head.purged, "subject": subject, "limit": limit}
            rows = transaction.execute(_LATEST.format(types=more), {**about, **values})
        return self._seen(rows)

    def find(self, identifier: str) -> Event:
        """Return an event by its ID.

        :raises InvalidInvocation: if there is no such event, or the reader may not see it.
        """
        self._numbering.run(self._workspace)
        row = self._database.look_up(_ONE, {"workspace": self._workspace, "id": identifier})
        event = None if row is None else read_event(self._vault, self._workspace, row)
        if event is None or (self._sees is not None and not self._sees(event)):
            raise InvalidInvocation(f"no event has the ID '{identifier[:80]}'", hint=NextStep("events"))
        return event

    def has_after(self, cursor: str) -> bool:
        """Return whether there may be events after a cursor: two look-ups in indexes."""
        if self._numbering.waits(self._workspace):
            return True
        row = self._database.look_up(_LAST, {"workspace": self._workspace})
        return row is not None and row.last > int(cursor)

    def _head(self, transaction: Transaction) -> Head:
        row = transaction.find(_HEAD.format(here=place_of(self._database.dialect)), {"workspace": self._workspace})
        return Head(0, 0) if row is None else Head(row.last, row.purged, row.lost, went_back=is_elsewhere(row.numbered_on, row.here))

    def _window(
        self, transaction: Transaction, found: list[Event], place: tuple[int, int], types: Sequence[str], limit: int, room: int
    ) -> tuple[int, int]:
        """Add the next events to ``found``, for as long as there is ``room`` in bytes before them; ``place`` are the number after which
        they begin, and the last. Return the number up to which all were looked at, and the bytes."""
        after, last = place
        until, left = min(last, after + _WINDOW), limit - len(found)
        more, values = _only(types)
        given = {"workspace": self._workspace, "after": after, "until": until, "limit": left, "room": room}
        rows = transaction.execute(_PAGE.format(types=more), {**given, **values})
        found += self._seen(rows)
        used = int(rows[-1].ahead) + len(rows[-1].data) if rows else 0
        return (rows[-1].sequence if len(rows) == left or used >= room else until), used

    def _seen(self, rows: Sequence[Row]) -> list[Event]:
        events = [read_event(self._vault, self._workspace, row) for row in rows]
        return [event for event in events if self._sees is None or self._sees(event)]


@bordered
class Events:
    """Iterable of a workspace's events, for ``for`` and for ``async for``. It ends when no event has come for ``wait`` seconds."""

    def __init__(self, feed: Feed, after: str | int | None, types: Sequence[str], wait: float) -> None:
        self._feed, self._after, self._types, self._wait = feed, after, types, wait

    def __iter__(self) -> Iterator[Event]:
        for events in self.pages():
            yield from events
            if not events:
                time.sleep(PAUSE)

    async def __aiter__(self) -> AsyncIterator[Event]:
        import asyncio

        pages = self.pages()
        while (events := await asyncio.to_thread(next, pages, None)) is not None:
            for event in events:
                yield event
            if not events:
                await asyncio.sleep(PAUSE)

    def pages(self) -> Iterator[tuple[Event, ...]]:
        """Yield the events page by page, and no events when there are none yet: the reader then waits for ``PAUSE`` seconds."""
        cursor, until = self._after, monotonic() + self._wait
        while True:
            page = self._feed.page(cursor, self._types, LIMIT)
            cursor = page.cursor
            if page.events:
                yield page.events
                until = monotonic() + self._wait
            elif not self._feed.has_after(cursor):  # else it was a page of other types
                if not monotonic() < until:  # also of a wait that is no number
                    return
                yield ()


def _checked(start: int, head: Head) -> int:
    """Return the number to go on from.

    :raises CursorExpired: if it does not lie between the ends of the events kept.
    """
    if start < head.purged:
        raise CursorExpired(f"the cursor '{start}' has expired: events after it were deleted", str(head.purged))
    if head.went_back and may_be_lost(start, head.last):
        raise _lost(start, head.last)
    if start > head.last:
        text = f"the cursor '{start}' is not of this database: its last event is {head.last}; was it restored from a backup?"
        raise CursorBeyond(text, str(head.purged))
    before = before_lost(start, head.last, head.lost)
    if before is not None:
        raise _lost(start, max(before, head.purged))
    return start


def _lost(start: int, before: int) -> CursorExpired:
    text = f"the cursor '{start}' is of events that were lost when the database went back to an earlier state"
    return CursorExpired(text, str(before), ": those before it are as you have read them")


def _read_cursor(cursor: str | int) -> int:
    text = str(cursor)
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST_CURSOR:
        return int(text)
    raise InvalidInvocation(f"'{text[:80]}' is not a cursor", hint="Give the 'nextCursor' of a page, or the 'sequence' of an event.")


def _only(types: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the condition that limits events to types, and its values."""
    if not types or "*" in types:
        return "", {}
    conditions, values = list[str](), dict[str, str]()
    for place, text in enumerate(types):
        name = f"type_{place}"
        if text.endswith(".*"):
            conditions.append(f"(type >= :{name} AND type < :{name}_end)")  # the names that begin with it
            values |= {name: text[:-1], f"{name}_end": text[:-2] + "/"}
        else:
            conditions.append(f"type = :{name}")
            values[name] = text
    return f" AND ({' OR '.join(conditions)})", values
