"""Ways in which a host interrupts a call, and the calls that each interrupts.

Each way begins once the provider has the request, so that none depends on how fast the machine is.
Those of gevent are in ``interrupting_gevent``, a program.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from host_provider import Provider, request
from jackfield.connector import Unavailable
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield

SIGNAL = signal.SIGUSR1
_WITHIN = 60.0
_ANSWERS_AFTER = 0.5
"""Seconds after which the provider answers, for what blocks until an answer comes."""


class Soft(Exception):
    """As Celery's SoftTimeLimitExceeded, or RQ's JobTimeoutException; nobody has named it."""


class Hard(BaseException):
    """As Dramatiq's TimeLimitExceeded, or gevent's Timeout."""


class Late(OSError):
    """As a time limit of a host whose callers expect an OSError; nobody has named it."""


class Named(Exception):
    """One that the host has named."""


class NamedLate(Late):
    """One that is an OSError, and that the host has named."""


NAMED = (Named, NamedLate)


class Watch:
    """A host's object with a handler."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def handle(self, _number: int, _frame: object) -> NoReturn:
        """Raise the error."""
        raise self._error

    def deeply(self, *_given: object) -> NoReturn:
        """Raise it from another function."""
        self._raise()

    def barely(self, number: int, frame: object) -> NoReturn:
        """Raise it after the handler has dropped its arguments, as some do with what they do not
        use.
        """
        del number, frame
        self._raise()

    def __call__(self, number: int, frame: object) -> NoReturn:
        """Raise it after the object has dropped them."""
        del number, frame
        raise self._error

    def _raise(self) -> NoReturn:
        raise self._error


@dataclass(frozen=True)
class Case:
    """One call of ``kind`` (read, write, keyed, queued) that waits for its answer, through a
    synchronous or asynchronous method.
    """

    jackfield: Jackfield
    provider: Provider
    kind: str

    @property
    def invocation(self) -> dict[str, Any]:
        """The call as JSON."""
        return request(
            "/slow",
            "GET" if self.kind == "read" else "POST",
            **({"idempotencyKey": "order-1"} if self.kind == "keyed" else {}),
        )

    def _claimed(self) -> Any:
        self.jackfield.enqueue(self.invocation)
        (claimed,) = Queue(self.jackfield.storage.database).claim(1)
        return claimed

    def call(self) -> Callable[[], object]:
        """The synchronous call."""
        if self.kind == "queued":
            return partial(self.jackfield.run, self._claimed())
        return partial(self.jackfield.invoke, self.invocation)

    def acall(self) -> Callable[[], Awaitable[object]]:
        """The asynchronous one."""
        if self.kind == "queued":
            return partial(self.jackfield.arun, self._claimed())
        return partial(self.jackfield.ainvoke, self.invocation)

    def looped(self) -> Callable[[], object]:
        """The asynchronous one in a loop of its own."""
        call = self.acall()

        async def work() -> None:
            if threading.current_thread() is threading.main_thread():
                # sets the descriptor by which signals wake the loop: Python loses one that comes
                # just before it waits, in 5 of 100 tries
                asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, int)
            await call()

        return lambda: asyncio.run(work())

    @property
    def status(self) -> str:
        """What the journal says."""
        return self.jackfield.journal_of().entries(limit=1)[0][0].status

    @property
    def left(self) -> str:
        """What the journal says of a call that was interrupted while it waited for its answer."""
        return "failed" if self.kind == "read" else "in_doubt"

    async def arrived(self) -> None:
        """Wait until the provider has the request."""
        assert await asyncio.to_thread(self.provider.came.wait, _WITHIN)

    async def ended(self) -> None:
        """Let the provider answer, and wait until the call has ended."""
        self.provider.go.set()
        await self.jackfield.drained(_WITHIN)


KINDS = ("read", "write", "keyed", "queued")


def _signal(handler: Callable[..., Any], number: int = SIGNAL) -> Callable[[], None]:
    signal.signal(number, handler)
    return partial(signal.pthread_kill, threading.main_thread().ident or 0, number)


def _alarm(error: BaseException) -> Callable[[], None]:
    def begin() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    signal.signal(signal.SIGALRM, Watch(error).handle)
    return begin


def _thrown(kind: type[BaseException]) -> Callable[[], None]:
    """Set an exception for the main thread, as Dramatiq and stoppable threads do."""
    return partial(throw, threading.main_thread().ident, kind)


def throw(thread: int | None, kind: type[BaseException]) -> None:
    """Set an exception for a thread."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread or 0), ctypes.py_object(kind))


@contextmanager
def during(provider: Provider, stop: Callable[[], None]) -> Iterator[None]:
    """Stop the main thread once the provider has the request; then let it answer, for what blocks
    until an answer comes.
    """
    before = {
        number: signal.getsignal(number) for number in (SIGNAL, signal.SIGALRM, signal.SIGINT)
    }

    def work() -> None:
        if provider.came.wait(_WITHIN):
            stop()
            provider.go.wait(_ANSWERS_AFTER)
            provider.go.set()

    thread = threading.Thread(target=work)
    # a callback of the collector would take what is thrown in, and Python would drop it
    gc.disable()
    thread.start()
    try:
        yield
    finally:
        gc.enable()
        thread.join()
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Interrupted:
    """What came of a call: what came out of it, and what the journal says, which ``ends``
    expects.
    """

    raised: BaseException | None
    status: str
    ends: str


def raised_by(function: Callable[[], object]) -> BaseException | None:
    """Call a function and return what came out of it, if anything."""
    try:
        function()
    except BaseException as error:  # noqa: BLE001 (any of them)
        return error
    return None


SIGNALS: Mapping[str, tuple[type[BaseException], Callable[[], Callable[[], None]]]] = {
    "a time limit": (Soft, lambda: _signal(Watch(Soft()).handle)),
    "a time limit that is a TimeoutError": (
        TimeoutError,
        lambda: _signal(Watch(TimeoutError("too long")).handle),
    ),
    "a time limit that is an OSError": (
        OSError,
        lambda: _signal(Watch(OSError("too long")).handle),
    ),
    "a time limit that is an error of ours": (
        Unavailable,
        lambda: _signal(Watch(Unavailable("too long")).handle),
    ),
    "a ValueError": (ValueError, lambda: _signal(Watch(ValueError("no")).handle)),
    "a handler that drops its arguments": (Soft, lambda: _signal(partial(Watch(Soft()).barely))),
    "an object that drops its arguments": (SystemExit, lambda: _signal(Watch(SystemExit(0)))),
    "a stop": (SystemExit, lambda: _signal(Watch(SystemExit(0)).handle)),
    "a stop from deep": (SystemExit, lambda: _signal(Watch(SystemExit(0)).deeply)),
    "a hard limit": (Hard, lambda: _signal(Watch(Hard()).handle)),
    "thrown in": (Named, lambda: _thrown(Named)),
    "thrown in, an OSError of the host's": (NamedLate, lambda: _thrown(NamedLate)),
    "thrown in, hard": (Hard, lambda: _thrown(Hard)),
    "an alarm": (Soft, lambda: _alarm(Soft())),
    "an alarm that is an OSError of the host's": (Late, lambda: _alarm(Late("too long"))),
    "Ctrl-C": (KeyboardInterrupt, lambda: _signal(signal.default_int_handler, signal.SIGINT)),
}
"""Ways to interrupt the main thread: the class of what is raised, and what prepares a way and
returns what begins it.
"""
UNNAMED = (Soft, Late, TimeoutError, OSError, SystemExit)
"""Classes that another thread sets, and nobody has named: each may be the connector's own."""


def by_signal(way: str, case: Case, *, is_async: bool) -> Interrupted:
    """Interrupt the main thread."""
    call = case.looped() if is_async else case.call()
    with during(case.provider, SIGNALS[way][1]()):
        raised = raised_by(call)
    return Interrupted(raised, case.status, case.left)


def thrown_in(kind: type[BaseException], case: Case) -> None:
    """Set an exception for the main thread during a call."""
    with during(case.provider, _thrown(kind)):
        case.call()()


def _into_a_thread(kind: type[BaseException], case: Case, *, is_async: bool) -> Interrupted:
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.get_ident).result()
        future = pool.submit(case.looped() if is_async else case.call())
        with during(case.provider, partial(throw, thread, kind)):
            raised = future.exception(_WITHIN)
    return Interrupted(raised, case.status, case.left)


def _future_too_late(case: Case, *, is_async: bool) -> Interrupted:
    """A future's time-out ends the wait, and not the call."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(case.looped() if is_async else case.call())
        assert case.provider.came.wait(_WITHIN)
        raised = raised_by(partial(future.result, 0.01))
        future.cancel()
        case.provider.go.set()
    return Interrupted(raised, case.status, "succeeded")


THREADS: Mapping[str, tuple[type[BaseException], Callable[..., Interrupted]]] = {
    "thrown into a pool's thread": (Named, partial(_into_a_thread, Named)),
    "thrown into a pool's thread, hard": (Hard, partial(_into_a_thread, Hard)),
    "a future's time-out": (TimeoutError, _future_too_late),
}
"""Ways to interrupt a call in a thread of a pool."""


async def _cancelled(case: Case, call: Callable[[], Awaitable[object]]) -> None:
    task = asyncio.ensure_future(call())
    await case.arrived()
    task.cancel()
    try:
        await task
    finally:
        await case.ended()


async def _timed_out(case: Case, call: Callable[[], Awaitable[object]]) -> None:
    async def end(limit: asyncio.Timeout) -> None:
        await case.arrived()
        limit.reschedule(0)

    try:
        async with asyncio.timeout(None) as limit:
            ending = asyncio.create_task(end(limit))
            await call()
    finally:
        await ending
        await case.ended()


async def _waited_for(case: Case, call: Callable[[], Awaitable[object]]) -> None:
    """``wait_for`` begins its time with the call, which has begun before."""
    task = asyncio.ensure_future(call())
    await case.arrived()
    try:
        await asyncio.wait_for(task, 0.01)
    finally:
        await case.ended()


async def _beside_a_failure(case: Case, call: Callable[[], Awaitable[object]]) -> None:
    async def fail() -> NoReturn:
        await case.arrived()
        raise Soft

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await call()
    except* Soft as found:
        (error,) = found.exceptions
        raise error from None
    finally:
        await case.ended()


async def _exit_in_a_callback(case: Case, call: Callable[[], Awaitable[object]]) -> None:
    async def end() -> None:
        await case.arrived()
        threading.Timer(_ANSWERS_AFTER, case.provider.go.set).start()
        asyncio.get_running_loop().call_soon(sys.exit, 3)

    ending = asyncio.create_task(end())
    await call()
    await ending


async def _stopped(case: Case, call: Callable[[], Awaitable[object]]) -> None:
    async def end() -> None:
        await case.arrived()
        threading.Timer(_ANSWERS_AFTER, case.provider.go.set).start()
        asyncio.get_running_loop().stop()

    ending = asyncio.create_task(end())
    await call()
    await ending


TASKS: Mapping[str, tuple[type[BaseException], Callable[..., Awaitable[None]], bool]] = {
    "a task is cancelled": (asyncio.CancelledError, _cancelled, True),
    "asyncio.timeout": (TimeoutError, _timed_out, True),
    "asyncio.wait_for": (TimeoutError, _waited_for, True),
    "a failure in the same group": (Soft, _beside_a_failure, True),
    "an exit in a callback of the loop": (SystemExit, _exit_in_a_callback, False),
    "the loop is stopped": (RuntimeError, _stopped, False),
}
"""Ways to interrupt a task: what is raised, and whether the loop, and so the call, goes on."""


def by_task(way: str, case: Case) -> Interrupted:
    """Interrupt a task, or its loop."""
    _, interrupt, goes_on = TASKS[way]
    call = case.acall()

    async def work() -> None:
        await interrupt(case, call)

    raised = raised_by(lambda: asyncio.run(work()))
    return Interrupted(raised, case.status, "succeeded" if goes_on else case.left)


GEVENT: Mapping[str, str] = {
    "gevent.Timeout": "Timeout",
    "gevent.Timeout, a class of the host's": "Named",
    "gevent.Timeout, an OSError of the host's": "NamedLate",
    "greenlet.kill": "GreenletExit",
    "greenlet.kill, a class of the host's": "Hard",
    "greenlet.kill, an OSError of the host's": "NamedLate",
}
"""Ways of gevent, and the class of what each raises."""
