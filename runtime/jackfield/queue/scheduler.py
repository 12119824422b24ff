"""The scheduler of one process: it waits for the next slot of any schedule of the database, and queues the invocations of those due."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from jackfield.errors import JackfieldError
from jackfield.queue.due_loop import POLL, DueLoop
from jackfield.queue.slot_runs import SlotRuns
from jackfield.resources.threads import Threads
from jackfield.schedules import Claimed, DueSchedules, OvertakenError

if TYPE_CHECKING:
    from jackfield.queue.runtime_pool import RuntimePool

_AT_ONCE = 64
"""Limit of schedules that one process claims at once; others are left to other processes."""
_THREADS = 8
"""Limit of schedules that one process works on at once."""


class Scheduler(DueLoop):
    """Scheduler of one process. ``submit`` notifies the queue's engine; ``stopping`` says when nothing new is begun."""

    what = "schedules"

    def __init__(self, runtimes: RuntimePool, submit: Callable[[], None], stopping: Callable[[], bool] = lambda: False) -> None:
        super().__init__(runtimes, stopping)
        self._submit = submit
        self._due: DueSchedules | None = None

    def start(self) -> None:
        """Begin to look for slots, if there is a database and what computes them is installed; call it in the event loop."""
        if find_spec("cronsim") is None:
            self._log.info("this process runs no schedules, since the extra 'server' is not installed")
        else:
            super().start()

    def look(self) -> float:
        """Queue the invocations of all slots that are due, and return the seconds until the next look.

        :raises JackfieldError: if the database is unavailable.
        """
        if self._due is None:
            self._due = DueSchedules(self._runtimes.storage.database, self._runtimes.clock)
        wait = self._due.wait()
        if wait is None or wait > 0:
            return POLL if wait is None else min(POLL, wait)
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
            self._log.info("the schedule '%s' was taken or changed by another process", schedule.name)
        except JackfieldError as error:
            self._log.error("the schedule '%s' of the workspace '%s' has to wait: %s", schedule.name, schedule.workspace, error.message)
        if runs.queued:
            self._submit()
