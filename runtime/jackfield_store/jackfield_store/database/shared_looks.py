"""Readings of the epoch of a database on a server: one query answers all callers that called before
it.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from jackfield.kernel.clock import monotonic, patience
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.fork import ProcessLocal
from jackfield_store.database.epoch import unlike

if TYPE_CHECKING:
    import asyncio
_LONGEST = 30.0
"""Maximum seconds to wait for the query of another caller."""
_GENERATION = 1 << 64

_HELD: ContextVar[_Block | None] = ContextVar("reading", default=None)


class _Block:
    """Block of code with one reading: a given one, or else the first one in the block."""

    __slots__ = ("looks", "reading")

    def __init__(self, looks: SharedLooks, reading: int | None) -> None:
        self.looks, self.reading = looks, reading


class _Asking:
    """Tasks of one event loop that wait for the next query; ``runs`` is True while a query is under
    way.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.asked: list[asyncio.Future[int]] = []
        self.runs = False


class SharedLooks(ProcessLocal):
    """Readings of a database on a server. ``committed`` runs the query; it returns None if there is
    no number.
    """

    answers_locally = False

    def __init__(self, committed: Callable[[], int | None]) -> None:
        self._committed = committed
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._condition = threading.Condition()
        self._begun = self._ended = 0
        self._last = unlike()
        self._certain = self._last, -math.inf
        self._generation = 0
        self._asking: _Asking | None = None

    def read(self) -> int:
        """Return the reading of this block, or of a query that begins after this call."""
        held = _HELD.get()
        if held is None or held.looks is not self:
            return self._look()
        if held.reading is None:
            held.reading = self._look()
        return held.reading

    async def aread(self) -> int:
        """Return the reading of a query that begins after this call, shared with all waiting tasks.
        A task waits as long as its deadline allows, and takes no thread for that.
        """
        loop = asyncio.get_running_loop()
        asking = self._asking  # a loop in another thread may replace it
        if asking is None or asking.loop is not loop:
            asking = self._asking = _Asking(loop)
        if not asking.runs:
            asking.runs = True
            loop.call_soon(self._ask, asking)
        asked: asyncio.Future[int] = loop.create_future()
        asking.asked.append(asked)
        seconds = patience(math.inf)
        alarm = None if seconds == math.inf else loop.call_later(seconds, _give_up, asked)
        try:
            return await asked
        finally:
            if alarm is not None:
                alarm.cancel()

    async def fix(self) -> None:
        """Read the epoch for this block, unless it has a reading, without blocking the event
        loop.
        """
        held = _HELD.get()
        if held is not None and held.looks is self and held.reading is None:
            held.reading = await self.aread()

    def held(
        self, reading: int | None = None, /, *, later: bool = False
    ) -> AbstractContextManager[object]:
        """Make ``read`` return one reading within the block; with ``later``, the reading of the
        block's first query.
        """
        return self._holding(self._look() if reading is None and not later else reading)

    def recent(self, seconds: float) -> int | None:
        """Return the last reading of a query, if the query began at most ``seconds`` ago; otherwise
        None.
        """
        reading, at = self._certain
        return reading if monotonic() - at <= seconds else None

    def close(self) -> None:
        """Do nothing: the connections belong to the pool."""

    @contextmanager
    def _holding(self, reading: int | None) -> Iterator[None]:
        outer = _HELD.get()
        _HELD.set(_Block(self, reading))
        try:
            yield
        finally:
            # not by a token: a generator may be closed in another context than it began in
            _HELD.set(outer)

    def _ask(self, asking: _Asking) -> None:
        asked, asking.asked = asking.asked, []

        def answer(found: asyncio.Future[int] | None) -> None:
            failed = found is None or found.cancelled() or found.exception() is not None
            for one in asked:
                if not one.done():
                    one.set_result(unlike() if found is None or failed else found.result())
            asking.runs = bool(asking.asked)
            if asking.runs:
                asking.loop.call_soon(self._ask, asking)

        try:
            asking.loop.run_in_executor(None, self._look).add_done_callback(answer)
        except RuntimeError:  # no thread is left, or the loop is being closed
            answer(None)

    def _look(self) -> int:
        with self._condition:
            # a query that has begun may not see what was answered before this call
            wanted = self._begun + 1
            while self._ended < wanted and self._begun != self._ended:
                if not self._condition.wait(patience(_LONGEST)):
                    return unlike()
            if self._ended >= wanted:
                return self._last
            self._begun = wanted
        reading, began = unlike(), monotonic()
        try:
            with suppress(JackfieldError):  # whoever needs the database says what is wrong with it
                committed = self._committed()
                if committed is None:  # an older copy, in which a number may be reached twice
                    self._generation += _GENERATION
                else:
                    reading = self._generation + committed
                    self._certain = reading, began
        finally:
            with self._condition:
                self._ended, self._last = wanted, reading
                self._condition.notify_all()
        return reading


def _give_up(asked: asyncio.Future[int]) -> None:
    if not asked.done():
        asked.set_result(unlike())
