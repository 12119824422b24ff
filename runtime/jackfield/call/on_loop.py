"""Waits of the calls' pipe in an event loop: blocking work runs in threads, and no task waits
beyond its deadline.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.call.on_time import GRACE, OnTime, tell
from jackfield.call.waiter import in_turn
from jackfield.connector.context import without_waiting
from jackfield.kernel.clock import Clock, Deadline, patience
from jackfield.kernel.commits import late, under_way
from jackfield.kernel.failures import attempt_foreign, contained, value_of
from jackfield.kernel.threads import Threads

if TYPE_CHECKING:
    from jackfield.call.ports import Database, Readings
    from jackfield.call.waiter import Turn, Unit, Until
    from jackfield.connections.connection_cache import OpeningSlots

T = TypeVar("T")

_WORKERS, _ASKERS, _OPENERS = 64, 16, 256
"""Numbers of threads for connectors' calls, for waits for the database, and for fetching
credentials.
"""


class OnLoop:
    """Waiter of a task. It runs blocking calls in a worker thread, and stops waiting at their
    deadline.
    """

    __slots__ = (
        "_askers",
        "_clock",
        "_late_openings",
        "_lock",
        "_on_time",
        "_openers",
        "_turn",
        "_workers",
        "suspends",
    )

    def __init__(self, clock: Clock, on_time: OnTime, turn: Turn | None = None) -> None:
        self._clock, self._on_time, self._turn = clock, on_time, turn
        self._workers, self._askers = (
            Threads(_WORKERS, "jackfield"),
            Threads(_ASKERS, "jackfield-asking"),
        )
        self._openers: Executor | None = None
        self._late_openings = OnTime(_OPENERS)  # they count against no action
        self._lock = threading.Lock()
        self.suspends = True

    def close(self, *, wait: bool) -> None:
        """End the worker threads; with ``wait``, wait until their calls have ended."""
        self._workers.shutdown(wait=wait)
        self._askers.shutdown(wait=False)
        if self._openers is not None:
            self._openers.shutdown(wait=wait and not self._late_openings.overdue)

    async def call(
        self,
        function: Callable[[], T],
        *,
        inline_ok: bool = False,
        executor: Executor | None = None,
        until: Until | None = None,
    ) -> T:
        """Call a function that may block."""
        if inline_ok:
            return contained(function)
        if until is not None:
            return value_of(await self._on_time.acall(function, *until, executor or self._workers))
        run = partial(copy_context().run, attempt_foreign, function)
        return value_of(await _in_thread(run, executor or self._workers))

    async def open(
        self,
        function: Callable[[], T],
        slots: OpeningSlots,
        until: Until,
        *,
        inline_ok: Callable[[], bool],
        executor: Executor | None = None,
    ) -> T:
        """Call a function that fetches credentials, in a thread separate from the actions' threads.
        While all slots of the source are in use, wait without a thread. If cached credentials
        suffice by then, call it without a slot.
        """
        if inline_ok() and (found := contained(without_waiting, function)) is not None:
            return found[0]
        give_back, begun = (
            await slots.take(until.deadline, asyncio.get_running_loop()),
            threading.Event(),
        )

        def step() -> T:
            begun.set()
            return slots.opened(function, give_back)  # which may be long after the deadline

        try:
            if inline_ok() and (found := contained(without_waiting, function)) is not None:
                return found[0]
            return value_of(
                await self._late_openings.acall(step, *until, executor or self._opening_threads())
            )
        finally:
            if not begun.is_set():
                give_back()

    def _opening_threads(self) -> Executor:
        with self._lock:
            if self._openers is None:
                self._openers = Threads(_OPENERS, "jackfield-open")
            return self._openers

    async def ask(self, function: Callable[[], T]) -> T:
        """Call a function that only waits for the database, in a thread reserved for such calls."""
        run = partial(copy_context().run, attempt_foreign, partial(_asked_in_time, function))
        return value_of(await _in_thread(run, self._askers, patience(math.inf) + GRACE))

    async def fix_state(self, storage: Readings) -> None:
        """Read the state from the server that holds it, without blocking the event loop."""
        await storage.fix_state()

    async def compute(self, function: Callable[[], T], deadline: Deadline | None = None) -> T:
        """Call a function with a long computation in a worker thread, when its turn comes."""
        return await self.call(partial(in_turn, self._turn, function, deadline))

    async def finished(self, function: Callable[[], Coroutine[Any, Any, T]], until: Until) -> T:
        """Run a coroutine of a connector to its end."""
        del until  # the coroutine has its own timeout, and this task can do nothing else meanwhile
        return await function()

    async def pause(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        """Wait for ``seconds``, or until ``cancelled`` is set."""
        await self._clock.asleep(seconds, cancelled)

    async def record(self, database: Database, unit: Unit) -> Any:
        """Commit a unit and return its value once it is on disk."""
        return await _recorded(database, unit, asyncio.get_running_loop())


async def _in_thread(step: Callable[[], T], workers: Executor, seconds: float = math.inf) -> T:
    """Call a function that raises nothing in a thread, and return its value.

    :raises Unavailable: if no thread is free within ``seconds``.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[T] = loop.create_future()
    workers.submit(partial(tell, step, loop, told))
    if seconds == math.inf:
        return await told
    alarm = loop.call_later(seconds, _be_late, told)
    try:
        return await told
    finally:
        alarm.cancel()


def _be_late(told: asyncio.Future[Any]) -> None:
    if not told.done():
        told.set_exception(late())


def _asked_in_time(function: Callable[[], T]) -> T:
    """Call ``function``.

    :raises Unavailable: if its caller's deadline passed while it waited for a thread.
    """
    if patience(math.inf) == 0.0:
        raise late()
    return function()


async def _recorded(database: Database, unit: Unit, loop: asyncio.AbstractEventLoop) -> Any:
    future = loop.create_future()

    def done(value: object, error: Exception | None) -> None:
        loop.call_soon_threadsafe(_resolve, future, value, error)

    taken_back = database.submit(unit, done)
    seconds = patience(math.inf)
    if seconds == math.inf:
        return await future
    alarm = loop.call_later(
        seconds, _give_up, future, taken_back, loop if database.dialect.bounds_each else None
    )
    try:
        return await future
    finally:
        alarm.cancel()


def _give_up(
    future: asyncio.Future[Any],
    taken_back: Callable[[], bool],
    loop: asyncio.AbstractEventLoop | None,
) -> None:
    """End the wait for a commit at its deadline, and withdraw the commit if it has not started. A
    ``loop`` waits briefly for a commit in progress; then its effect is unknown.
    """
    if future.done():
        return
    if taken_back():
        future.set_exception(late())
    elif loop is not None:
        loop.call_later(GRACE, _resolve, future, None, under_way())


def _resolve(future: asyncio.Future[Any], value: object, error: Exception | None) -> None:
    if future.done():  # cancelled, or given up
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
