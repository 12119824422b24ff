"""The engine of one machine, where the journal itself is the queue.

Each process claims invocations from the journal, runs them, and checks it for requests to cancel.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jackfield.invocation import Result
from jackfield.kernel.errors import brief
from jackfield.kernel.exports import late_hints
from jackfield.kernel.rate_limiter import Lines
from jackfield.kernel.shares import Places
from jackfield.pacing.turn import PostponedError
from jackfield_store.database.blocked import LOOP_FAULTS
from jackfield_store.journal import Queue
from jackfield_store.queue.upkeep import EVERY, SHORTAGES, QueueUpkeep

if TYPE_CHECKING:
    from jackfield.invocation.claimed import Claimed
    from jackfield_store.runtime.runtime_pool import RuntimePool

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.queue")
_POLL = 0.25
"""Seconds between polls for invocations that other processes have queued."""


class LocalEngine:
    """Engine that runs at most ``limit`` queued invocations at once, which workspaces share.

    ``ended`` is called with each Result; while ``stopping()`` is true, the engine begins nothing.
    Call all methods in the same event loop.
    """

    def __init__(
        self,
        runtimes: RuntimePool,
        limit: int,
        ended: Callable[[Result], None] = lambda _result: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._runtimes = runtimes
        self._limit = limit
        self._ended = ended
        self._stopping = stopping
        self._woken = asyncio.Event()
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._places = Places(limit)
        self._check_at = 0.0
        self._lines = Lines(_LOG)
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start polling, if there is a database."""
        if self._runtimes.storage.enabled:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.ensure_future(self._serve())

    def submit(self) -> None:
        """Poll now, since an invocation was queued."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._woken.set)

    def cancel(self, workspace: str, identifier: str) -> bool:
        """Cancel a queued or running invocation, wherever it is; return False if it is too late."""
        return self._runtimes.find(workspace).cancel(identifier)

    def depth(self) -> dict[str, int]:
        """Return the number of queued invocations by workspace."""
        return Queue(self._runtimes.storage.database).depth()

    async def stop(self, within: float) -> None:
        """Stop claiming and wait up to ``within`` seconds for running invocations; the journal
        recovers unfinished ones by effect.
        """
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._running:
            await asyncio.wait(self._running, timeout=within)

    async def _serve(self) -> None:
        while (queue := await self._attempted(self._opened)) is None:
            pass
        await self._attempted(self._runtimes.watch)
        upkeep = QueueUpkeep(self._runtimes, queue)
        while True:
            await self._check(upkeep)
            claimed = await self._claimed(queue)
            for item in claimed:
                task = asyncio.ensure_future(self._run(item, upkeep))
                self._running[task] = item
                self._places.hold(item.workspace)
                task.add_done_callback(self._on_done)
            if not claimed:
                with contextlib.suppress(TimeoutError):
                    # wait_for of Python 3.11 loses a cancellation that comes as the event is set
                    async with asyncio.timeout(_POLL):
                        await self._woken.wait()
                self._woken.clear()

    def _opened(self) -> Queue:
        runtimes = self._runtimes
        return Queue(
            runtimes.storage.database,
            runtimes.clock,
            runtimes.limits,
            runtimes.blocked,
            runtimes.storage.limits.free,
        )

    async def _check(self, upkeep: QueueUpkeep) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._check_at:
            self._check_at = now + EVERY
            running = list(self._running.values())
            await self._attempted(lambda: upkeep.check(running))

    def _claim(self, queue: Queue, room: int, busy: Counter[str]) -> list[Claimed]:
        if self._runtimes.storage.shared.rests():
            return []
        return queue.claim(room, busy, self._places.room)

    async def _claimed(self, queue: Queue) -> list[Claimed]:
        room = 0 if self._stopping() else self._limit - len(self._running)
        busy = Counter(item.workspace for item in self._running.values())
        return (await self._attempted(lambda: self._claim(queue, room, busy)) or []) if room else []

    async def _attempted(self, step: Callable[[], T]) -> T | None:
        """Run a step of the queue in a thread. If it fails, with any error, return None after a
        pause: the loop goes on.
        """
        try:
            return await asyncio.to_thread(step)
        except LOOP_FAULTS as error:  # what nobody has foreseen, too, must not end the loop
            self._lines.error("the queue cannot be read: %s", brief(error))
        await asyncio.sleep(_POLL)
        return None

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._places.give(self._running.pop(task).workspace)
        self._woken.set()

    async def _run(self, claimed: Claimed, upkeep: QueueUpkeep) -> None:
        try:
            runtime = await asyncio.to_thread(self._runtimes.find, claimed.workspace)
            self._ended(await runtime.arun(claimed))
        except (PostponedError, *LOOP_FAULTS) as error:  # each of them ends the claim
            failure = error
            if isinstance(failure, SHORTAGES):
                await asyncio.sleep(EVERY)
            await self._attempted(lambda: upkeep.settle(claimed, failure))


def leave(code: int) -> int:
    """Return the exit code, or exit at once if an endless action blocks a thread; the journal has
    already recorded its outcome.
    """
    if any(
        thread.name.startswith("jackfield") and not thread.daemon
        for thread in threading.enumerate()
    ):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


late_hints(__name__)
