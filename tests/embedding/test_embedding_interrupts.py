"""What the host raises into a call comes out as it was raised: no further attempt, and the journal has what is known."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from host_provider import Provider, request
from jackfield import Jackfield
from jackfield.connector import Unavailable
from jackfield.interrupts import interrupt
from jackfield.journal import Queue
from jackfield.wire.client import Wire

SIGNAL = signal.SIGUSR1


class Soft(Exception):
    """As Celery's SoftTimeLimitExceeded, or RQ's JobTimeoutException."""


class Hard(BaseException):
    """As Dramatiq's TimeLimitExceeded, or gevent's Timeout."""


class Watch:
    """A host's object with a handler."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def handle(self, _number: int, _frame: object) -> NoReturn:
        """Raise the error."""
        raise self._error

    def deeply(self, *_given: object) -> NoReturn:
        """Raise it from another function, after the handler has taken itself away."""
        signal.signal(SIGNAL, signal.SIG_DFL)
        self._raise()

    def _raise(self) -> NoReturn:
        raise self._error


def _signal(handler: Callable[..., Any]) -> Callable[[], None]:
    signal.signal(SIGNAL, handler)
    return partial(signal.pthread_kill, threading.main_thread().ident or 0, SIGNAL)


def _thrown(kind: type[BaseException]) -> Callable[[], None]:
    """Set an exception for the main thread, as Dramatiq and stoppable threads do."""
    return lambda: ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.main_thread().ident or 0), ctypes.py_object(kind))


WAYS: dict[str, tuple[type[BaseException], Callable[[], Callable[[], None]]]] = {
    "a time limit": (Soft, lambda: _signal(Watch(Soft()).handle)),
    "a time limit that is a TimeoutError": (TimeoutError, lambda: _signal(Watch(TimeoutError("too long")).handle)),
    "a time limit that is an OSError": (OSError, lambda: _signal(Watch(OSError("too long")).handle)),
    "a time limit that is an error of ours": (Unavailable, lambda: _signal(Watch(Unavailable("too long")).handle)),
    "a ValueError": (ValueError, lambda: _signal(Watch(ValueError("no")).handle)),
    "a handler that removes itself": (Soft, lambda: _signal(Watch(Soft()).deeply)),
    "a stop": (SystemExit, lambda: _signal(Watch(SystemExit(0)).handle)),
    "a stop from deep": (SystemExit, lambda: _signal(Watch(SystemExit(0)).deeply)),
    "a hard limit": (Hard, lambda: _signal(Watch(Hard()).handle)),
    "thrown in": (Soft, lambda: _thrown(Soft)),
    "thrown in, hard": (Hard, lambda: _thrown(Hard)),
    "thrown in, a stop": (SystemExit, lambda: _thrown(SystemExit)),
}


@contextmanager
def _during(provider: Provider, stop: Callable[[], None]) -> Iterator[None]:
    """Stop the main thread once the provider has the request; then let it answer, for what blocks until an answer comes."""

    def work() -> None:
        if provider.came.wait(30):
            stop()
            provider.go.wait(0.5)
            provider.go.set()

    before, thread = signal.getsignal(SIGNAL), threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(SIGNAL, before)


@pytest.fixture
def jackfield(provider: Provider, tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime that has made its first call, so that the next one only waits for its answer."""
    with Jackfield(connections=[provider.connection()], database_url=f"sqlite:///{tmp_path / 'j.db'}") as found:
        found.invoke(request()).unwrap()
        provider.paths.clear()
        yield found


def _entry(jackfield: Jackfield) -> tuple[str, str | None]:
    assert jackfield.journal is not None
    entry = jackfield.journal.entries(limit=1)[0][0]
    return entry.status, entry.error_code


@pytest.mark.parametrize(("kind", "invocation"), [
    ("read", request("/slow", "GET")),
    ("write", request("/slow")),
    ("keyed", request("/slow", idempotencyKey="order-1")),
])  # fmt: skip
@pytest.mark.parametrize("way", list(WAYS))
def test_the_hosts_exception_comes_out(way: str, kind: str, invocation: dict[str, Any], jackfield: Jackfield, provider: Provider) -> None:
    """Out of ``invoke`` comes what the host has raised, after one request; a write is in doubt, a read has failed."""
    error, arm = WAYS[way]
    with pytest.raises(error) as raised, _during(provider, arm()):
        jackfield.invoke(invocation)
    assert type(raised.value) is error
    assert provider.paths == ["/slow"]
    assert _entry(jackfield) == (("failed", "cancelled") if kind == "read" else ("in_doubt", "in_doubt"))


@pytest.mark.parametrize("way", ["a time limit", "a stop", "thrown in, hard"])
def test_the_hosts_exception_comes_out_of_a_queued_call(way: str, jackfield: Jackfield, provider: Provider) -> None:
    """A worker of the host's that is stopped leaves a write in doubt, which is delivered to nobody else."""
    error, arm = WAYS[way]
    identifier, queue = jackfield.enqueue(request("/slow")), Queue(jackfield.storage.database)
    claimed = queue.claim_one("default", str(identifier)) or queue.claim(1)[0]
    with pytest.raises(error), _during(provider, arm()):
        jackfield.run(claimed)
    assert (provider.paths, _entry(jackfield)) == (["/slow"], ("in_doubt", "in_doubt"))


@pytest.mark.parametrize("way", [way for way, (kind, _) in WAYS.items() if kind is not SystemExit])
def test_the_hosts_exception_comes_out_of_a_loop(way: str, jackfield: Jackfield, provider: Provider) -> None:
    """What a handler raises while a loop waits for ``ainvoke`` ends the loop's run as it was raised, and the write is in doubt."""
    error, arm = WAYS[way]

    async def call() -> None:
        await jackfield.ainvoke(request("/slow"))

    with pytest.raises(error), _during(provider, arm()):
        asyncio.run(call())
    assert provider.paths == ["/slow"]
    assert _entry(jackfield) == ("in_doubt", "in_doubt")


def test_an_interrupt_that_the_host_handles_is_not_raised_again(jackfield: Jackfield, provider: Provider) -> None:
    """A call from where the host handles an earlier interrupt fails by its own cause."""

    def limited() -> None:
        with _during(provider, _signal(Watch(Soft()).handle)):
            jackfield.invoke(request("/slow"))

    try:
        limited()
    except Soft:
        with Jackfield(connections=[provider.connection("http://127.0.0.1:9")], database_url="none") as other:
            result = other.invoke(request(timeoutSeconds=1.5))
    assert result.error is not None
    assert result.error.code == "unavailable"


def _raised(function: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 (any of them)
        function()
    return raised.value


class Own(Exception):
    """An exception of a connector."""


def _raises(error: BaseException) -> Callable[[], NoReturn]:
    def work() -> NoReturn:
        raise error

    return work


@pytest.mark.parametrize("function", [
    _raises(Own()), _raises(Hard()), _raises(SystemExit(1)), _raises(asyncio.CancelledError()), lambda: sys.exit(1), lambda: int("x"),
    list[int]().pop, lambda: os.stat("/nowhere"), lambda: next(iter(())), lambda: __import__("json").loads("{"),
])  # fmt: skip
def test_what_code_raises_is_no_interrupt(function: Callable[[], object]) -> None:
    """What a function raises, exits included, or what Python raises in it, is its own."""
    assert interrupt(_raised(function)) is None


def _given_to_a_future(wait: Callable[[asyncio.Future[None]], Awaitable[object]], *, is_late: bool) -> object:
    """Wait for a future whose error a library has set, as clients of asyncio hand on what their connection's protocol has met."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if is_late:
            loop.call_soon(future.set_exception, Own())
        else:
            future.set_exception(Own())
        await wait(future)

    return asyncio.run(work())


async def _asked(future: asyncio.Future[None]) -> None:
    await asyncio.wait([future])
    future.result()


async def _plainly(future: asyncio.Future[None]) -> None:
    await future


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("wait", [_plainly, _asked, asyncio.gather, asyncio.shield, partial(asyncio.wait_for, timeout=9)])
def test_what_a_future_was_given_is_no_interrupt(wait: Callable[[asyncio.Future[None]], Awaitable[object]], is_late: bool) -> None:
    """An error that a library sets on a future is the library's, however it is waited for."""
    assert interrupt(_raised(partial(_given_to_a_future, wait, is_late=is_late))) is None


def test_what_a_generator_is_thrown_is_no_interrupt() -> None:
    """An error that code throws into a generator that waits, or has not begun, is that code's."""

    def work() -> Generator[int, None, None]:
        yield 1

    begun, new = work(), work()
    next(begun)
    for generator in (begun, new):
        assert interrupt(_raised(partial(generator.throw, Own()))) is None


class Passed(Exception):
    """An exception of a library, as urllib3's ProtocolError: it has the traceback of the one that it was made of."""


def _passes_on(function: Callable[[], object]) -> object:
    try:
        return function()
    except Exception as error:  # noqa: BLE001 (a library that does)
        raise Passed("aborted").with_traceback(error.__traceback__)  # noqa: B904 (as urllib3 does)


def test_a_traceback_that_was_passed_on_is_no_interrupt() -> None:
    """A library's exception with the traceback of an error of Python's is the library's, at whatever depth it was made."""
    for function in (list[int]().pop, partial(os.stat, "/nowhere"), partial(_passes_on, list[int]().pop)):
        assert interrupt(_raised(partial(_passes_on, function))) is None


@pytest.mark.parametrize("way", ["a time limit", "a time limit that is an OSError", "thrown in"])
def test_the_hosts_exception_comes_out_of_one_that_has_its_traceback(
    way: str, jackfield: Jackfield, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a library makes an error of the host's and passes the traceback on, the host's comes out, as it was raised."""
    sent = Wire.send
    monkeypatch.setattr(Wire, "send", lambda *given, **more: _passes_on(partial(sent, *given, **more)))
    error, arm = WAYS[way]
    with pytest.raises(error) as raised, _during(provider, arm()):
        jackfield.invoke(request("/slow"))
    assert (type(raised.value), raised.value.__context__) == (error, None)
    assert (provider.paths, _entry(jackfield)) == (["/slow"], ("in_doubt", "in_doubt"))
