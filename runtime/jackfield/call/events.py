"""Events of a workspace, as a caller of the library reads them. A higher package numbers and stores
them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass, field

PAUSE = 0.2
"""Seconds between two reads of a reader that waits for events."""


@dataclass(frozen=True, slots=True)
class Event:
    """Event of a workspace.

    ``sequence`` counts a workspace's events in the order of their commits; numbers that a restored
    database may have lost are skipped. A reader continues after ``cursor``. ``at`` is the time of
    the event, in seconds since 1970. ``data`` depends on the type (docs/reference/events.md).
    """

    id: str
    sequence: int
    type: str
    subject: str
    at: float
    data: Mapping[str, Any]
    cursor: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON."""
        return {
            "id": self.id,
            "sequence": self.sequence,
            "type": self.type,
            "subject": self.subject,
            "timestamp": iso(self.at),
            "cursor": self.cursor,
            "data": dict(self.data),
        }


class Events:
    """Iterable of a workspace's events, for ``for`` and for ``async for``. It ends when no event
    has come for ``wait`` seconds.
    """

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
        """Yield the events page by page. A page without events means that the reader waits for
        ``PAUSE`` seconds.
        """
        raise NotImplementedError
