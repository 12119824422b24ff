"""Calls of a connector's code that end for their caller at a deadline, although the code may block
in its thread for longer.

Python cannot stop a thread. The caller gets an answer; the code goes on in its thread, is counted
until it ends, and its value is dropped. A limit keeps code that never ends from occupying all
threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.failures import OnFailure, attempt_foreign
from jackfield.kernel.fork import ProcessLocal

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Executor

    from jackfield.kernel.clock import Deadline
    from jackfield.kernel.errors import JackfieldError
    from jackfield.kernel.failures import Raised

T = TypeVar("T")

GRACE = 0.5
"""Seconds after its deadline for which a call is awaited. Most code ends at the deadline by itself,
with an error that explains the cause better.
"""
MOST = 32
"""Maximum number of calls of one runtime that still run after their deadline."""


class _Watched:
    """One call of a function, in a thread other than its waiter's."""

    def __init__(self, function: Callable[[], Any], watch: OnTime) -> None:
        self._function: Callable[[], Any] = partial(attempt_foreign, function)
        self._context, self._watch, self._lock = copy_context(), watch, threading.Lock()
        self._runs, self._is_over, self.is_abandoned = False, False, False

    def __call__(self) -> Any:
        with self._lock:
            if self.is_abandoned:  # it waited for a thread until its deadline
                return None
            self._runs = True
        try:
            return self._context.run(self._function)
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            if self.is_abandoned:
                self._watch.count(-1)

    def abandon(self) -> bool:
        """Stop waiting for the call; return False if it has already ended or was abandoned."""
        with self._lock:
            if self._is_over or self.is_abandoned:
                return False
            self.is_abandoned = True
            if self._runs:
                self._watch.count(1)
        return True


class _Helper:
    """Thread that makes calls, one after the other, until one is abandoned."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[tuple[_Watched, SimpleQueue[Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="jackfield-action", daemon=True).start()

    def ask(self, call: _Watched) -> SimpleQueue[Any]:
        """Start a call, and return the queue that will get its outcome."""
        answer: SimpleQueue[Any] = SimpleQueue()
        self._asked.put((call, answer))
        return answer

    def end(self) -> None:
        """End the thread."""
        self._asked.put(None)

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            call, answer = asked
            answer.put(call())
            if call.is_abandoned:
                return
            del asked, call, answer  # while it waits for the next one, it keeps nothing alive


class OnTime(ProcessLocal):
    """Threads of one runtime for calls that are not awaited beyond their deadline, and the number
    of calls that still run.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Helper] = []
        self.overdue = 0
        """Number of calls that still run after their deadline."""

    def count(self, change: int) -> None:
        """Add ``change`` to the number of calls that go on without a waiter."""
        with self._lock:
            self.overdue += change

    def call(
        self, function: Callable[[], T], deadline: Deadline, late: Callable[[], JackfieldError]
    ) -> T | Raised:
        """Call a connector's code in another thread. Return its value, or its exception as
        ``Raised``.

        :raises JackfieldError: the error that ``late`` returns, if the code has not ended by the
            deadline.
        :raises Unavailable: if too many calls still run after their deadlines.
        """
        self._admit()
        call, helper = _Watched(function, self), self._idle.pop() if self._idle else _Helper()
        answer = helper.ask(call)
        # if the host interrupts the wait, nobody waits for the call any more
        with OnFailure(call.abandon):
            try:
                found: T | Raised = answer.get(timeout=deadline.remaining() + GRACE)
            except Empty:
                if call.abandon():
                    raise late() from None
                found = answer.get()
        self._idle.append(helper)
        return found

    async def acall(
        self,
        function: Callable[[], T],
        deadline: Deadline,
        late: Callable[[], JackfieldError],
        workers: Executor,
    ) -> T | Raised:
        """Call a connector's code in a thread of ``workers``, as ``call`` does."""
        import asyncio

        self._admit()
        call, loop = _Watched(function, self), asyncio.get_running_loop()
        told: asyncio.Future[T | Raised] = loop.create_future()
        working = workers.submit(partial(tell, call, loop, told))

        def overdue() -> None:
            if not told.done() and call.abandon():
                working.cancel()
                told.set_exception(late())

        alarm = loop.call_later(deadline.remaining() + GRACE, overdue)
        try:
            return await told
        finally:
            alarm.cancel()

    def close(self) -> None:
        """End the idle threads."""
        while self._idle:
            self._idle.pop().end()

    def __del__(self) -> None:
        """End the idle threads of an unreferenced runtime."""
        if hasattr(self, "_idle"):
            self.close()

    def _admit(self) -> None:
        if self.overdue >= (self._most or MOST):
            raise Unavailable(
                f"{self.overdue} calls of connectors still run after their deadlines, so no more "
                "are begun",
                hint=(
                    "The log names the actions that block. Installed connectors run in "
                    "processes of their own, which are stopped instead."
                ),
                sent=Sent.NOTHING,
            )


def tell(
    step: Callable[[], Any], loop: asyncio.AbstractEventLoop, told: asyncio.Future[Any]
) -> None:
    """Call a function that raises nothing, unless its waiter has left, and pass its outcome to a
    loop. This is cheaper than the chain of futures of ``run_in_executor``.
    """
    if told.done():
        return
    outcome = step()
    with suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(_resolve, told, outcome)


def _resolve(told: asyncio.Future[Any], outcome: Any) -> None:
    if not told.done():
        told.set_result(outcome)
