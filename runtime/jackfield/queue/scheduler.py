"""The scheduler of one process: it waits for the next slot of any schedule of the database, and queues the invocations of those due.

All processes that serve or work run one. An idle one asks the database once a second for the next slot, by an index.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from jackfield.errors import JackfieldError
from jackfield.queue.slot_runs import SlotRuns
from jackfield.resources.threads import Threads
from jackfield.schedules import Claimed, DueSchedules, OvertakenError

if TYPE_CHECKING:
    from jackfield.queue.runtime_pool import RuntimePool

_LOG = logging.getLogger("jackfield.schedules")
_POLL = 1.0
"""Seconds between two looks for schedules that other processes have added or changed."""
_PAUSE = 5.0
"""Seconds after which a scheduler looks again that could not use the database."""
_AT_ONCE = 64
"""Limit of schedules that one process claims at once; others are left to other processes."""
_THREADS = 8
"""Limit of schedules that one process works on at once."""


class Scheduler:
    """Scheduler of one process. ``submit`` notifies the queue's engine; ``stopping`` says when nothing new is begun."""

    def __init__(self, runtimes: RuntimePool, submit: Callable[[], None], stopping: Callable[[], bool] = lambda: False) -> None:
        self._runtimes = runtimes
        self._submit = submit
        self._stopping = stopping
        self._due: DueSchedules | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for slots, if there is a database and what computes them is installed; call it in the event loop."""
        if find_spec("cronsim") is None:
            _LOG.info("this process runs no schedules, since the extra 'server' is not installed")
        elif self._runtimes.storage.enabled:
            self._task = asyncio.ensure_future(self._serve())

    async def stop(self) -> None:
        """Queue nothing more. What is being queued is committed, or left to another process."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def look(self) -> float:
        """Queue the invocations of all slots that are due, and return the seconds until the next look.

        :raises JackfieldError: if the database is unavailable.
        """
        if self._due is None:
            self._due = DueSchedules(self._runtimes.storage.database, self._runtimes.clock)
        wait = self._due.wait()
        if wait is None or wait > 0:
            return _POLL if wait is None else min(_POLL, wait)
        claimed, work = self._due.claim(_AT_ONCE), partial(self._work, self._due)
        if len(claimed) > 1:
            with Threads(_THREADS, "jackfield-schedules") as threads:  # so that they share commits
                list(threads.map(work, claimed))
        else:
            list(map(work, claimed))
        return 0.0

    def _work(self, due: DueSchedules, schedule: Claimed) -> None:
        runs = SlotRuns(self._runtimes.find(schedule.workspace), schedule, due)
        try:
            runs.work()
        except OvertakenError:  # what the other process does, this one need not
            _LOG.info("the schedule '%s' was taken or changed by another process", schedule.name)
        except JackfieldError as error:
            _LOG.error("the schedule '%s' of the workspace '%s' has to wait: %s", schedule.name, schedule.workspace, error.message)
        if runs.queued:
            self._submit()

    async def _serve(self) -> None:
        while True:
            pause = _POLL if self._stopping() else await self._looked()
            if pause:
                await asyncio.sleep(pause)

    async def _looked(self) -> float:
        try:
            return await asyncio.to_thread(self.look)
        except JackfieldError as error:
            _LOG.error("no schedules can be run: %s", error.message)
        except (RuntimeError, MemoryError) as error:
            _LOG.error("no schedules can be run: %s", type(error).__name__)
        return _PAUSE
