"""Waits of the calls' pipe for two kinds of callers: threads, where its coroutines never suspend,
and event loops (``on_loop``).
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from jackfield.call.on_time import GRACE, OnTime
from jackfield.kernel.clock import Clock, Deadline
from jackfield.kernel.ends import is_ending, no_thread
from jackfield.kernel.errors import JackfieldError, Sent
from jackfield.kernel.failures import in_callers_thread, value_of
from jackfield.kernel.fork import ProcessLocal

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Executor, Future

    from jackfield.call.ports import Database, Readings
    from jackfield.connections.connection_cache import OpeningSlots

    Unit = Callable[[Any], Any]
    """Statements for a transaction, which they are given."""
    Turn = Callable[[float], AbstractContextManager[bool]]

T = TypeVar("T")

_WORKERS, _OPENERS = 64, 256
"""Maximum threads of a runtime under event loops: for actions, and for opening connections, which
slow sources of credentials may block.
"""


class Until(NamedTuple):
    """End of a caller's wait for a call: a deadline, and the error for a call that goes on after
    it.
    """

    deadline: Deadline
    late: Callable[[], JackfieldError]


class Waiter(Protocol):
    """Protocol of a run's waits: its coroutines suspend only in these methods."""

    suspends: bool
    """True if long computations wait for their turn, or would block other calls."""

    async def call(
        self,
        function: Callable[[], T],
        *,
        inline_ok: bool = False,
        executor: Executor | None = None,
        until: Until | None = None,
    ) -> T:
        """Call a function that may block.

        ``inline_ok``: the call is faster than a switch to a thread, so it may run in the event
        loop. ``executor``: its threads under an event loop, by default those that all calls share.
        ``until``: end of the wait for a call in another thread.
        """

    async def ask(self, function: Callable[[], T]) -> T:
        """Call a function that only waits for the database. In a server it runs in a few reserved
        threads, at most until the call's deadline.

        :raises Unavailable: if there is no answer by then.
        """

    async def fix_state(self, storage: Readings) -> None:
        """Read the state on which this call runs, without blocking an event loop on the server that
        holds the state.
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
        """Call a function that fetches credentials, in a slot of their source if its thread would
        block other calls.
        """

    async def compute(self, function: Callable[[], T], deadline: Deadline | None = None) -> T:
        """Call a function with a long computation that waits for nothing; in a server, one such
        call at a time.

        :raises TimedOut: if its turn has not come by ``deadline``.
        """

    async def finished(self, function: Callable[[], Coroutine[Any, Any, T]], until: Until) -> T:
        """Run a coroutine of a connector to its end."""

    async def pause(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        """Wait for ``seconds``, or until ``cancelled`` is set."""

    async def record(self, database: Database, unit: Unit) -> Any:
        """Commit a unit, grouped with concurrent units, and return its value once it is on disk."""


class LoopThread(ProcessLocal):
    """Event loop in its own thread, started on first use, for ``async def`` actions of synchronous
    callers.
    """

    def __init__(self) -> None:
        self._inherited: list[object] = []
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def _leave_to_parent(self) -> None:
        """Reset in a forked child. The parent's loop stays referenced and unused, since closing it
        would change the selector shared with the parent.
        """
        self._inherited.append(self._loop)
        self._begin_anew()

    def run(self, coroutine: Coroutine[Any, Any, T], until: Until | None = None) -> T:
        """Run a coroutine to completion; callable from any other thread. While Python shuts down,
        it runs in the calling thread.

        :raises Unavailable: if Python shuts down and a loop runs in the calling thread.
        :raises JackfieldError: the error of ``until``, if a coroutine still blocks the loop at that
            time; the loop is then abandoned.
        """
        import asyncio

        if self._loop is None and is_ending():
            if running_loop() is None:
                return asyncio.run(coroutine)
            coroutine.close()
            raise no_thread()
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="jackfield-loop", daemon=True
                )
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
        """Wait for the coroutines of the loop (each run has its deadline), cancel the tasks that
        they started and left, and stop the loop.
        """
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
        """Stop the loop of an unreferenced runtime."""
        loop = getattr(self, "_loop", None)
        if loop is not None:
            with suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(loop.stop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread; None if no loop runs. While another thread
    imports asyncio, there is none.
    """
    find = getattr(sys.modules.get("asyncio"), "get_running_loop", None)
    try:
        return None if find is None else find()
    except RuntimeError:
        return None


async def _cancel_others() -> None:
    import asyncio

    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class InThread:
    """Waiter of a synchronous caller: everything happens in its thread, so no coroutine of the run
    ever suspends.

    With ``on_time``, calls with a deadline run in other threads, and the caller stops waiting at
    the deadline. With ``turn``, long computations wait for their turn.
    """

    __slots__ = ("_clock", "_loop", "_on_time", "_turn", "suspends")

    def __init__(
        self,
        clock: Clock,
        loop: LoopThread,
        on_time: OnTime | None = None,
        turn: Turn | None = None,
    ) -> None:
        self._clock, self._loop, self._on_time, self._turn = clock, loop, on_time, turn
        self.suspends = turn is not None

    async def call(
        self,
        function: Callable[[], T],
        *,
        inline_ok: bool = False,
        executor: Executor | None = None,
        until: Until | None = None,
    ) -> T:
        """Call a function that may block."""
        del executor  # threads for an event loop
        if self._on_time is None or until is None or inline_ok or is_ending():
            return in_callers_thread(function)
        return value_of(self._on_time.call(function, *until))

    async def ask(self, function: Callable[[], T]) -> T:
        """Call a function that only waits for the database."""
        return in_callers_thread(function)

    async def fix_state(self, storage: Readings) -> None:
        """Do nothing: this thread may wait when it needs the state."""

    async def open(
        self,
        function: Callable[[], T],
        slots: OpeningSlots,
        until: Until,
        *,
        inline_ok: Callable[[], bool],
        executor: Executor | None = None,
    ) -> T:
        """Call a function that fetches credentials, in the caller's own thread."""
        del slots
        return await self.call(function, inline_ok=inline_ok(), executor=executor, until=until)

    async def compute(self, function: Callable[[], T], deadline: Deadline | None = None) -> T:
        """Call a function with a long computation, when its turn comes."""
        return in_callers_thread(partial(in_turn, self._turn, function, deadline))

    async def finished(self, function: Callable[[], Coroutine[Any, Any, T]], until: Until) -> T:
        """Run a coroutine of a connector to its end."""
        return self._loop.run(function(), None if self._on_time is None else until)

    async def pause(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        """Wait for ``seconds``, or until ``cancelled`` is set."""
        self._clock.sleep(seconds, cancelled)

    async def record(self, database: Database, unit: Unit) -> Any:
        """Commit a unit and return its value."""
        return database.record(unit)


class AtEnd(InThread):
    """Waiter of a task while Python ends, or after the end of the runtime. No thread can be
    started, so every call blocks the loop.
    """

    __slots__ = ()

    async def finished(self, function: Callable[[], Coroutine[Any, Any, T]], until: Until) -> T:
        """Run a coroutine of a connector to its end, in the task's own loop."""
        del until  # as in OnLoop
        return await function()


def run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that uses a thread's waiter, and return its value."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    except RuntimeError as error:
        if isinstance(error.__cause__, StopIteration):  # which cannot leave a coroutine
            raise error.__cause__ from None
        raise
    coroutine.close()
    raise RuntimeError("a synchronous run suspended")


def in_turn(turn: Turn | None, function: Callable[[], T], deadline: Deadline | None) -> T:
    """Call ``function`` when its turn comes.

    :raises TimedOut: if the turn has not come by ``deadline``.
    """
    if turn is None:
        return function()
    with turn(math.inf if deadline is None else deadline.remaining()) as has_come:
        if deadline is not None and not has_come:
            raise deadline.passed(Sent.NOTHING)
        return function()
