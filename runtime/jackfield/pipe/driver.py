"""Steps of a run, and the drivers that perform them: one generator serves both threads and event loops."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from jackfield.clock import Clock, Deadline, patience
from jackfield.errors import JackfieldError
from jackfield.failures import Raised, attempt_foreign, contained
from jackfield.fork import at_fork
from jackfield.pipe.on_time import GRACE

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Executor, Future

    from jackfield.database import Database, Transaction
    from jackfield.pipe.on_time import OnTime

T = TypeVar("T")


class Until(NamedTuple):
    """End of a caller's wait for a call: a deadline, and the error for a call that goes on after it."""

    deadline: Deadline
    late: Callable[[], JackfieldError]


class Execute(NamedTuple):
    """Call of ``function``: in this thread or, under an event loop, in a worker thread; a coroutine function is awaited.

    ``inline_ok``: the call is faster than a switch to a thread, so it may run in the event loop.
    ``executor``: the threads for it under an event loop, if not those that all calls share.
    ``until``: the call is not awaited for longer where it runs in another thread.
    """

    function: Callable[[], Any]
    is_async: bool = False
    inline_ok: bool = False
    executor: Executor | None = None
    until: Until | None = None


class Wait(NamedTuple):
    """Wait for ``seconds``, or until ``cancelled`` is set."""

    seconds: float
    cancelled: threading.Event | None = None


class Commit(NamedTuple):
    """Commit of ``unit``, grouped with concurrent ones.

    If ``durable``, the step waits until the unit is on disk and returns its value. Otherwise it returns a function that withdraws the unit,
    if no commit has taken it yet, and ``lost`` is called if the commit fails.
    """

    database: Database
    unit: Callable[[Transaction], Any]
    durable: bool
    lost: Callable[[Exception], None] | None = None

    def ended(self, _value: object, error: Exception | None) -> None:
        """Handle the end of a commit that no caller waits for."""
        if error is None:
            return
        if self.lost is not None:
            self.lost(error)
        else:
            logging.getLogger("jackfield.journal").error("an entry could not be recorded: %s", error)


Step = Execute | Wait | Commit
Steps = Generator[Step, Any, T]


class LoopThread:
    """Event loop in its own thread, started on first use, for ``async def`` actions of synchronous callers."""

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
                self._thread = threading.Thread(target=self._loop.run_forever, name="jackfield-loop", daemon=True)
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
            loop.close()


async def _cancel_others() -> None:
    import asyncio

    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def drive(steps: Steps[T], clock: Clock, loop: LoopThread, on_time: OnTime | None = None) -> T:
    """Perform the steps in this thread; with ``on_time``, those with a deadline in others, so that none is awaited for longer."""
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
                value = _commit(step) if isinstance(step, Commit) else _executed(step, loop, on_time)
            except BaseException as error:  # noqa: BLE001 (passed to the run, which maps it or records that it was interrupted)
                failure = error
    except StopIteration as end:
        result: T = end.value
        return result


def _executed(step: Execute, loop: LoopThread, on_time: OnTime | None) -> Any:
    until = None if on_time is None else step.until
    if step.is_async:
        return loop.run(step.function(), until)
    if on_time is None or until is None or step.inline_ok:
        return contained(step.function)
    value = on_time.call(step.function, *until)
    if isinstance(value, Raised):
        raise value.error
    return value


async def adrive(steps: Steps[T], clock: Clock, workers: Executor, on_time: OnTime) -> T:
    """Perform the steps in this task; calls that may block run in a worker thread, and are not awaited beyond their deadline."""
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
                value = attempt_foreign(step.function)
            elif step.is_async:
                value = await step.function()
            elif step.until is not None:
                value = await on_time.acall(step.function, *step.until, step.executor or workers)
            else:
                run = partial(copy_context().run, attempt_foreign, step.function)
                value = await loop.run_in_executor(step.executor or workers, run)
        except BaseException as error:  # noqa: BLE001 (passed to the run, which maps it or records that it was interrupted)
            failure = error
        else:
            failure = value.error if isinstance(value, Raised) else None


def _commit(step: Commit) -> Any:
    if step.durable:
        return step.database.record(step.unit)
    taken_back = step.database.defer(step.unit, step.ended)
    if step.database.is_behind:
        with suppress(JackfieldError):  # each deferred unit reports its own failure
            step.database.record(_flush)
    return taken_back


async def _acommit(step: Commit, loop: asyncio.AbstractEventLoop) -> Any:
    if step.durable:
        return await _commit_durably(step.database, step.unit, loop)
    taken_back = step.database.defer(step.unit, step.ended)
    if step.database.is_behind:
        with suppress(JackfieldError):  # each deferred unit reports its own failure
            await _commit_durably(step.database, _flush, loop)
    return taken_back


def _flush(_transaction: Transaction) -> None:
    """Do nothing; used as the unit of a commit that flushes deferred units."""


async def _commit_durably(database: Database, unit: Callable[[Transaction], Any], loop: asyncio.AbstractEventLoop) -> Any:
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
