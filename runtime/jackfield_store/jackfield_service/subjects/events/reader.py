"""Reading of events with a wait, for surfaces that a client reaches over a network or as a child
process: one loop, one rule for rights.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from jackfield.call.events import PAUSE
from jackfield_service.subjects.events import EventPage, Feed

_LOOKS = round(1 / PAUSE)  # in a second


@dataclass(frozen=True, slots=True)
class EventReader:
    """Reader of events for a client. ``feed`` opens them with the client's rights at arrival,
    ``again`` with its current rights; ``again`` raises if the rights have ended. ``left`` returns
    whether the client has disconnected. ``briefly`` runs a step that waits for the database in a
    thread; ``waits`` counts a waiting reader.
    """

    feed: Callable[[], Feed]
    again: Callable[[], Feed]
    left: Callable[[], Awaitable[bool]]
    briefly: Callable[[Callable[[], Any]], Awaitable[Any]]
    waits: Callable[[], AbstractContextManager[object]] = nullcontext

    async def page(
        self, after: str | int | None, types: Sequence[str], limit: int, wait: float
    ) -> EventPage:
        """Return the first page that is not empty, or an empty one when ``wait`` seconds have
        passed or the client has disconnected.

        No thread waits: each check of the database is two index look-ups. Every second, and before
        a page is read, the client's rights are looked up again.

        :raises CursorExpired: for a cursor whose events are gone.
        :raises InvalidInvocation: if the cursor or a type is not valid.
        :raises LimitReached: if too many readers of the workspace wait.
        """
        with self.waits() if wait else nullcontext():
            return await self._page(after, types, limit, wait)

    async def _page(
        self, after: str | int | None, types: Sequence[str], limit: int, wait: float
    ) -> EventPage:
        until, looks = time.monotonic() + wait, 0
        feed: Feed = await self.briefly(self.feed)
        page: EventPage = await self.briefly(partial(feed.page, after, types, limit))
        while not page.events and time.monotonic() < until:
            await asyncio.sleep(PAUSE)
            if await self.left():
                break
            looks, more = looks + 1, await self.briefly(partial(feed.has_after, page.cursor))
            if more or looks % _LOOKS == 0:
                feed = await self.briefly(self.again)
            if more:
                page = await self.briefly(partial(feed.page, page.cursor, types, limit))
        return page
