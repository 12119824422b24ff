"""Waits of the pipe for two kinds of callers: threads, where its coroutines never suspend, and event loops."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast

from jackfield.clock import Clock, Deadline, patience
from jackfield.connector.context import without_waiting
from jackfield.errors import JackfieldError, Sent
from jackfield.failures import Raised, attempt_foreign, contained
from jackfield.fork import ProcessLocal
from jackfield.pipe.on_time import GRACE, OnTime

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Executor, Future

    from jackfield.connections.opening_slots import OpeningSlots
    from jackfield.database import Database, Transaction

    Unit = Callable[[Transaction], Any]
    Turn = Callable[[float], AbstractContextManager[bool]]

T = TypeVar("T")

_WORKERS, _OPENERS = 64, 256
"""Threads of a runtime under event loops: of actions, and of openings of connections, which sources of credentials may hold up."""


class Until(NamedTuple):
    """End of a caller's wait for a call: a deadline, and the error for a call that goes on after it."""

    deadline: Deadline
    late: Callable[[], JackfieldError]


class Waiter(Protocol):
    """How a run waits: each of its coroutines suspends only in these six."""

    suspends: bool
    """True if long computations wait for their turn, or would hold up others."""

    async def call(
        self, function: Callable[[], T], *, inline_ok: bool = False, executor: Executor | None = None, until: Until | None = None
    ) -> T:
        """Call what may block.

        ``inline_ok``: the call is faster than a switch to a thread, so it may run in the event loop. ``executor``: the threads for it under
        an event loop, if not those that all calls share. ``until``: the call is not awaited for longer where it runs in another thread.
        """

    async def open(
        self,
        function: Callable[[], T],
        slots: OpeningSlots,
        until: Until,
        *,
        inline_ok: Callable[[], bool],
        executor: Executor | None = None,
    ) -> T:
        """Call what fetches credentials, in a slot of their source where other calls would wait for its thread."""

    async def compute(self, function: Callable[[], T], deadline: Deadline | None = None) -> T:
        """Call what computes for long and waits for nothing; in a server, one such call at a time.

        :raises TimedOut: if its turn has not come by ``deadline``.
        """

    async def finished(self, function: Callable[[], Coroutine[Any, Any, T]], until: Until) -> T:
        """Run a coroutine of a connector to its end."""

    async def pause(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        """Wait for ``seconds``, or until ``cancelled`` is set."""

    async def record(self, database: Database, unit: Unit) -> Any:
        """Commit a unit, grouped with concurrent ones, and return its value once it is on disk."""


class LoopThread(ProcessLocal):
    """Event loop in its own thread, started on first use, for ``async def`` actions of synchronous callers."""

    def __init__(self) -> None:
        self._inherited: list[object] = []
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def _leave_to_parent(self) -> None:
        """Reset in a forked child. The parent's loop is kept but unused: closing it would change the selector shared with the parent."""
        self._inherited.append(self._loop)
        self._begin_anew()

    def run(self, coroutine: Coroutine[Any, Any, T], until: Until | None = None) -> T:
        """Run a coroutine to completion; callable from any other thread.

        :raises JackfieldError: that of ``until``, if it or another one still blocks the loop then; the loop is left to them.
        """
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name="jackfield-loop", daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._running.add(future)
        from concurrent.futures import wait

        try:
            wait((future,), None if until is None else until.deadline.remaining() + GRACE)
            if until is None or future.done():
                return future.result()
            future.cancel()
            with self._lock:
                self._loop = None
            raise until.late()
        finally:
            future.cancel()  # if this thread is interrupted; else it has ended
            self._running.discard(future)

    def close(self) -> None:
        """Wait for the coroutines of the loop (each run has its deadline), cancel tasks that they left behind, and stop the loop."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None and self._thread is not None:
            import asyncio
            from concurrent.futures import wait

            wait(set(self._running))
            asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()

    def __del__(self) -> None:
        """Stop the loop of a runtime that nobody refers to any more."""
        loop = getattr(self, "_loop", None)
        if loop is not None:
            with suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(loop.stop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


async def _cancel_others() -> None:
    import asyncio

    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class InThread:
    """Waiter of a synchronous caller: everything happens in its thread, so no coroutine of the run ever suspends.

    With ``on_time``, calls with a deadline run in other threads, so that none is awaited for longer. With ``turn``, long computations wait
    for theirs.
    """

    __slots__ = ("_clock", "_loop", "_on_time", "_turn", "suspends")

    def __init__(self, clock: Clock, loop: LoopThread, on_time: OnTime | None = None, turn: Turn | None = None) -> None:
        self._clock, self._loop, self._on_time, self._turn = clock, loop, on_time, turn
        self.suspends = turn is not None

    async def call(
        self, function: Callable[[], T], *, inline_ok: bool = False, executor: Executor | None = None, until: Until | None = None
    ) -> T:
        """Call what may block."""
        del executor  # threads for an event loop
        if self._on_time is None or until is None or inline_ok:
            return contained(function)
        value = self._on_time.call(function, *until)
        if isinstance(value, Raised):
            raise value.error
        found: T = value
        return found

    async def open(
        self,
        function: Callable[[], T],
        slots: OpeningSlots,
        until: Until,
        *,
        inline_ok: Callable[[], bool],
        executor: Executor | None = None,
    ) -> T:
        """Call what fetches credentials; the thread is the caller's own."""
        del slots
        return await self.call(function, inline_ok=inline_ok(), executor=executor, until=until)

    async def compute(self, function: Callable[[], T], deadline: Deadline | None = None) -> T:
        """Call what computes for long."""
        return contained(partial(_in_turn, self._turn, function, deadline))

    async def finished(self, function: Callable[[], Coroutine[Any, Any, T]], until: Until) -> T:
        """Run a coroutine of a connector to its end."""
        return self._loop.run(function(), None if self._on_time is None else until)

    async def pause(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        """Wait for ``seconds``, or until ``cancelled`` is set."""
        self._clock.sleep(seconds, cancelled)

    async def record(self, database: Database, unit: Unit) -> Any:
        """Commit a unit and return its value."""
        return database.record(unit)


def run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that uses a thread's waiter, and return its value."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    coroutine.close()
    raise RuntimeError("a synchronous run suspended")


class OnLoop:
    """Waiter of a task: calls that may block run in a worker thread, and are not awaited beyond their deadline."""

    __slots__ = ("_clock", "_late_openings", "_lock", "_on_time", "_openers", "_threads", "_turn", "_workers", "suspends")

    def __init__(self, clock: Clock, threads: Callable[[int, str], Executor], on_time: OnTime, turn: Turn | None = None) -> None:
        self._clock, self._threads, self._on_time, self._turn = clock, threads, on_time, turn
        self._workers, self._openers = threads(_WORKERS, "jackfield"), cast("Executor | None", None)
        self._late_openings = OnTime(_OPENERS)  # they count against no action
        self._lock = threading.Lock()
        self.suspends = True

    def close(self, *, wait: bool) -> None:
        """End the worker threads; with ``wait``, once their calls have ended."""
        self._workers.shutdown(wait=wait)
        if self._openers is not None:
            self._openers.shutdown(wait=wait and not self._late_openings.overdue)

    async def call(
        self, function: Callable[[], T], *, inline_ok: bool = False, executor: Executor | None = None, until: Until | None = None
    ) -> T:
        """Call what may block."""
        if inline_ok:
            return contained(function)
        if until is not None:
            value = await self._on_time.acall(function, *until, executor or self._workers)
        else:
            run = partial(copy_context().run, attempt_foreign, function)
            value = await _running_loop().run_in_executor(executor or self._workers, run)
        found: T = _value(value)
        return found

    async def open(
        self,
        function: Callable[[], T],
        slots: OpeningSlots,
        until: Until,
        *,
        inline_ok: Callable[[], bool],
        executor: Executor | None = None,
    ) -> T:
        """Call what fetches credentials, in a thread apart from those of actions. While all slots of the source are taken, wait without
        one; a call that has only to look its credentials up by then needs none."""
        if inline_ok() and (found := contained(without_waiting, function)) is not None:
            return found[0]
        give_back, begun = await slots.take(until.deadline, _running_loop()), threading.Event()

        def step() -> T:
            begun.set()
            return slots.opened(function, give_back)  # which may be long after the deadline

        try:
            if inline_ok() and (found := contained(without_waiting, function)) is not None:
                return found[0]
            opened: T = _value(await self._late_openings.acall(step, *until, executor or self._opening_threads()))
            return opened
        finally:
            if not begun.is_set():
                give_back()

    def _opening_threads(self) -> Executor:
        with self._lock:
            if self._openers is None:
                self._openers = self._threads(_OPENERS, "jackfield-open")
            return self._openers

    async def compute(self, function: Callable[[], T], deadline: Deadline | None = None) -> T:
        """Call what computes for long in a worker thread, once it is its turn."""
        return await self.call(partial(_in_turn, self._turn, function, deadline))

    async def finished(self, function: Callable[[], Coroutine[Any, Any, T]], until: Until) -> T:
        """Run a coroutine of a connector to its end."""
        del until  # the coroutine has its own timeout, and this task can do nothing else meanwhile
        return await function()

    async def pause(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        """Wait for ``seconds``, or until ``cancelled`` is set."""
        await self._clock.asleep(seconds, cancelled)

    async def record(self, database: Database, unit: Unit) -> Any:
        """Commit a unit and return its value once it is on disk."""
        return await _recorded(database, unit, _running_loop())


def _value(outcome: Any) -> Any:
    """Return the value of a call, or raise what it raised."""
    if isinstance(outcome, Raised):
        raise outcome.error
    return outcome


def _running_loop() -> asyncio.AbstractEventLoop:
    import asyncio

    return asyncio.get_running_loop()


def _in_turn(turn: Turn | None, function: Callable[[], T], deadline: Deadline | None) -> T:
    if turn is None:
        return function()
    with turn(math.inf if deadline is None else deadline.remaining()) as has_come:
        if deadline is not None and not has_come:
            raise deadline.passed(Sent.NOTHING)
        return function()


async def _recorded(database: Database, unit: Unit, loop: asyncio.AbstractEventLoop) -> Any:
    future = loop.create_future()

    def done(value: object, error: Exception | None) -> None:
        loop.call_soon_threadsafe(_resolve, future, value, error)

    taken_back = database.submit(unit, done)
    seconds = patience(math.inf)
    if seconds == math.inf:
        return await future
    alarm = loop.call_later(seconds, _give_up, future, taken_back)
    try:
        return await future
    finally:
        alarm.cancel()


def _give_up(future: asyncio.Future[Any], taken_back: Callable[[], bool]) -> None:
    """Time a commit out: withdraw it if it is still waiting; one that is in progress is awaited."""
    if not future.done() and taken_back():
        from jackfield.database.faults import late

        future.set_exception(late())


def _resolve(future: asyncio.Future[Any], value: object, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
