"""What a run asks its driver to do, so that one straight piece of code serves threads and event loops alike."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor, Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.clock import Clock

if TYPE_CHECKING:
    from jackfield.database import Database, Transaction

__all__ = ["Commit", "LoopThread", "Perform", "Step", "Steps", "Wait", "adrive", "drive"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Perform:
    """Call ``function``: in this thread, or in a worker thread under an event loop; a coroutine function is awaited. ``swift``: it takes
    less than going to a thread does, and is called in the loop."""

    function: Callable[[], Any]
    is_async: bool = False
    swift: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait ``seconds``, or until the invocation is cancelled."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Commit:
    """Have ``unit`` committed with what others record at the same time; ``durable`` waits until it is on the disk."""

    database: Database
    unit: Callable[[Transaction], Any]
    durable: bool


Step = Perform | Wait | Commit
Steps = Generator[Step, Any, T]


class LoopThread:
    """An event loop in a thread of its own, started on first use: where a synchronous caller runs ``async def`` actions."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, from any other thread."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="jackfield-loop", daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._running.add(future)
        try:
            return future.result()
        finally:
            self._running.discard(future)

    def close(self) -> None:
        """Let what was given to the loop end (each run has its deadline), cancel what it left behind, and stop the loop."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None and self._thread is not None:
            wait(set(self._running))
            asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()
            loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def drive(steps: Steps[T], clock: Clock, loop: LoopThread) -> T:
    """Run the steps in this thread."""
    send: Callable[[], Step] = steps.__next__
    try:
        while True:
            step = send()
            if isinstance(step, Wait):
                clock.sleep(step.seconds)
                send = steps.__next__
                continue
            try:
                value = _commit(step) if isinstance(step, Commit) else loop.run(step.function()) if step.is_async else step.function()
            except BaseException as error:  # noqa: BLE001 (handed to the run, which maps it or records that it was torn down)
                send = _thrower(steps, error)
            else:
                send = _sender(steps, value)
    except StopIteration as end:
        result: T = end.value
        return result


async def adrive(steps: Steps[T], clock: Clock, workers: Executor) -> T:
    """Run the steps in this task; what may block goes to a worker thread."""
    send: Callable[[], Step] = steps.__next__
    loop = asyncio.get_running_loop()
    while True:
        try:
            step = send()
        except StopIteration as end:
            result: T = end.value
            return result
        if isinstance(step, Wait):
            await clock.asleep(step.seconds)
            send = steps.__next__
            continue
        try:
            if isinstance(step, Commit):
                value = await _acommit(step, loop)
            elif step.swift:
                value = _caught(step.function)
            else:
                value = await (
                    step.function() if step.is_async else loop.run_in_executor(workers, copy_context().run, _caught, step.function)
                )
        except BaseException as error:  # noqa: BLE001 (handed to the run, which maps it or records that it was torn down)
            send = _thrower(steps, error)
        else:
            send = _thrower(steps, value.error) if isinstance(value, _Raised) else _sender(steps, value)


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


def _caught(function: Callable[[], Any]) -> Any:  # noqa: ANN401 (whatever the step gives)
    """What ``function`` gives or raises, as a value: asyncio's futures do not take a StopIteration, and would never be done."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001 (handed to the run, which maps it)
        return _Raised(error)


def _commit(step: Commit) -> Any:  # noqa: ANN401 (what the unit gives)
    if step.durable:
        return step.database.record(step.unit)
    return step.database.defer(step.unit, _noted)


async def _acommit(step: Commit, loop: asyncio.AbstractEventLoop) -> Any:  # noqa: ANN401 (what the unit gives)
    if not step.durable:
        return step.database.defer(step.unit, _noted)
    future = loop.create_future()

    def done(value: object, error: Exception | None) -> None:
        loop.call_soon_threadsafe(_settled, future, value, error)

    step.database.submit(step.unit, done)
    return await future


def _settled(future: asyncio.Future[Any], value: object, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


def _noted(_value: object, error: Exception | None) -> None:
    """Nobody waits for this commit: its failure is for the log."""
    if error is not None:
        logging.getLogger("jackfield.journal").error("an entry could not be recorded: %s", error)


def _sender(steps: Steps[T], value: object) -> Callable[[], Step]:
    return lambda: steps.send(value)


def _thrower(steps: Steps[T], error: BaseException) -> Callable[[], Step]:
    return lambda: steps.throw(error)
