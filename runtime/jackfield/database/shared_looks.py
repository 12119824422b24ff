"""Readings of the epoch of a database on a server: one query answers all callers that began before it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from jackfield.clock import patience
from jackfield.database.epoch import unlike
from jackfield.errors import JackfieldError
from jackfield.fork import ProcessLocal

if TYPE_CHECKING:
    import asyncio
_LONGEST = 30.0
"""Seconds to wait for the query of another caller."""

_HELD: ContextVar[tuple[SharedLooks, int] | None] = ContextVar("reading", default=None)


class SharedLooks(ProcessLocal):
    """Readings of a database on a server. ``committed`` makes the query; it returns None if there is no number."""

    is_near = False

    def __init__(self, committed: Callable[[], int | None]) -> None:
        self._committed = committed
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._condition = threading.Condition()
        self._begun = self._ended = 0
        self._last = unlike()
        self._batch: tuple[asyncio.AbstractEventLoop, list[asyncio.Future[int]]] | None = None

    def read(self) -> int:
        """Return the reading of this block, or that of a query that begins after this call."""
        held = _HELD.get()
        return held[1] if held is not None and held[0] is self else self._look()

    async def aread(self) -> int:
        """Return the reading of a query that begins in the next tick of the loop, for all that have asked by then."""
        loop = asyncio.get_running_loop()
        batch = self._batch  # a loop in another thread may replace it
        if batch is None or batch[0] is not loop:
            batch = self._batch = loop, []
            loop.call_soon(self._ask, *batch)
        asked: asyncio.Future[int] = loop.create_future()
        batch[1].append(asked)
        return await asked

    def held(self, reading: int | None = None, /) -> AbstractContextManager[object]:
        """Let ``read`` return one reading within the block."""
        return self._holding(self._look() if reading is None else reading)

    def close(self) -> None:
        """Do nothing: the connections belong to the pool."""

    @contextmanager
    def _holding(self, reading: int) -> Iterator[None]:
        outer = _HELD.get()
        _HELD.set((self, reading))
        try:
            yield
        finally:
            _HELD.set(outer)  # not by a token: a generator may be closed in another context than it began in

    def _ask(self, loop: asyncio.AbstractEventLoop, asked: list[asyncio.Future[int]]) -> None:
        if self._batch is not None and self._batch[1] is asked:
            self._batch = None

        def answer(found: asyncio.Future[int] | None) -> None:
            failed = found is None or found.cancelled() or found.exception() is not None
            for one in asked:
                if not one.done():
                    one.set_result(unlike() if found is None or failed else found.result())

        try:
            loop.run_in_executor(None, self._look).add_done_callback(answer)
        except RuntimeError:  # no thread is left, or the loop is being closed
            answer(None)

    def _look(self) -> int:
        with self._condition:
            wanted = self._begun + 1  # a query that has begun may not see what was answered before this call
            while self._ended < wanted and self._begun != self._ended:
                if not self._condition.wait(patience(_LONGEST)):
                    return unlike()
            if self._ended >= wanted:
                return self._last
            self._begun = wanted
        reading = unlike()
        try:
            with suppress(JackfieldError):  # whoever needs the database says what is wrong with it
                committed = self._committed()
                reading = reading if committed is None else committed
        finally:
            with self._condition:
                self._ended, self._last = wanted, reading
                self._condition.notify_all()
        return reading
