"""What a run asks its driver to do, so that one straight piece of code serves threads and event loops alike."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.clock import Clock, patience
from jackfield.errors import JackfieldError
from jackfield.fork import at_fork

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Executor, Future

    from jackfield.database import Database, Transaction

__all__ = ["Commit", "Execute", "LoopThread", "Step", "Steps", "Wait", "adrive", "drive"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Execute:
    """Call ``function``: in this thread, or in a worker thread under an event loop; a coroutine function is awaited. ``inline_ok``: it
    takes less than going to a thread does, and is called in the loop."""

    function: Callable[[], Any]
    is_async: bool = False
    inline_ok: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait ``seconds``, or until ``cancelled`` is set."""

    seconds: float
    cancelled: threading.Event | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Have ``unit`` committed with what others record at the same time. ``durable`` waits until it is on the disk, and gives the unit's
    value; else ``lost`` is told where it cannot be committed, and what is given takes the unit back, if no commit has taken it."""

    database: Database
    unit: Callable[[Transaction], Any]
    durable: bool
    lost: Callable[[Exception], None] | None = None

    def ended(self, _value: object, error: Exception | None) -> None:
        """What is told of a commit that nobody waits for."""
        if error is None:
            return
        if self.lost is not None:
            self.lost(error)
        else:
            logging.getLogger("jackfield.journal").error("an entry could not be recorded: %s", error)


Step = Execute | Wait | Commit
Steps = Generator[Step, Any, T]


class LoopThread:
    """An event loop in a thread of its own, started on first use: where a synchronous caller runs ``async def`` actions."""

    def __init__(self) -> None:
        self._inherited: list[object] = []
        self._begin_anew()
        at_fork(self, child=LoopThread._leave_to_parent)

    def _begin_anew(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def _leave_to_parent(self) -> None:
        """Start a loop of this process's own when one is needed. The parent's is kept, unused: to close it would change its selector."""
        self._inherited.append(self._loop)
        self._begin_anew()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, from any other thread."""
        import asyncio

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
            import asyncio
            from concurrent.futures import wait

            wait(set(self._running))
            asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()
            loop.close()


async def _cancel_others() -> None:
    import asyncio

    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def drive(steps: Steps[T], clock: Clock, loop: LoopThread) -> T:
    """Run the steps in this thread."""
    value: Any = None
    failure: BaseException | None = None
    try:
        while True:
            step = steps.send(value) if failure is None else steps.throw(failure)
            value = failure = None
            if isinstance(step, Wait):
                clock.sleep(step.seconds, step.cancelled)
                continue
            try:
                value = _commit(step) if isinstance(step, Commit) else loop.run(step.function()) if step.is_async else step.function()
            except BaseException as error:  # noqa: BLE001 (handed to the run, which maps it or records that it was torn down)
                failure = error
    except StopIteration as end:
        result: T = end.value
        return result


async def adrive(steps: Steps[T], clock: Clock, workers: Executor) -> T:
    """Run the steps in this task; what may block goes to a worker thread."""
    import asyncio

    value: Any = None
    failure: BaseException | None = None
    loop = asyncio.get_running_loop()
    while True:
        try:
            step = steps.send(value) if failure is None else steps.throw(failure)
        except StopIteration as end:
            result: T = end.value
            return result
        value = failure = None
        if isinstance(step, Wait):
            await clock.asleep(step.seconds, step.cancelled)
            continue
        try:
            if isinstance(step, Commit):
                value = await _acommit(step, loop)
            elif step.inline_ok:
                value = _caught(step.function)
            else:
                value = await (
                    step.function() if step.is_async else loop.run_in_executor(workers, copy_context().run, _caught, step.function)
                )
        except BaseException as error:  # noqa: BLE001 (handed to the run, which maps it or records that it was torn down)
            failure = error
        else:
            failure = value.error if isinstance(value, _Raised) else None


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


def _caught(function: Callable[[], Any]) -> Any:
    """What ``function`` gives or raises, as a value: asyncio's futures do not take a StopIteration, and would never be done."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001 (handed to the run, which maps it)
        return _Raised(error)


def _commit(step: Commit) -> Any:
    if step.durable:
        return step.database.record(step.unit)
    taken_back = step.database.defer(step.unit, step.ended)
    if step.database.is_behind:
        with suppress(JackfieldError):  # each unit that was put off is told of by itself
            step.database.record(_nothing)
    return taken_back


async def _acommit(step: Commit, loop: asyncio.AbstractEventLoop) -> Any:
    if step.durable:
        return await _recorded(step.database, step.unit, loop)
    taken_back = step.database.defer(step.unit, step.ended)
    if step.database.is_behind:
        with suppress(JackfieldError):  # as above
            await _recorded(step.database, _nothing, loop)
    return taken_back


def _nothing(_transaction: Transaction) -> None:
    """The unit of a commit that is made for what was put off."""


async def _recorded(database: Database, unit: Callable[[Transaction], Any], loop: asyncio.AbstractEventLoop) -> Any:
    future = loop.create_future()

    def done(value: object, error: Exception | None) -> None:
        loop.call_soon_threadsafe(_settled, future, value, error)

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
    """The time of a commit is over: what still waits for its turn is taken back; what is under way is waited for."""
    if not future.done() and taken_back():
        from jackfield.database.faults import late

        future.set_exception(late())


def _settled(future: asyncio.Future[Any], value: object, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
