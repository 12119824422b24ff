"""The scheduler of one process: it waits for the next slot of any schedule of the database, and queues the invocations of those due."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from jackfield.errors import JackfieldError
from jackfield.queue.due_loop import DueLoop
from jackfield.queue.slot_runs import SlotRuns
from jackfield.schedules import Claimed, DueSchedules, OvertakenError

if TYPE_CHECKING:
    from jackfield.queue.runtime_pool import RuntimePool


class Scheduler(DueLoop[DueSchedules]):
    """Scheduler of one process. ``submit`` notifies the queue's engine; ``stopping`` says when nothing new is begun."""

    what = "schedules"
    at_once = 64
    """Others that are due are left to other processes."""
    threads = 8

    def __init__(self, runtimes: RuntimePool, submit: Callable[[], None], stopping: Callable[[], bool] = lambda: False) -> None:
        super().__init__(runtimes, stopping)
        self._submit = submit

    def start(self) -> None:
        """Begin to look for slots, if there is a database and what computes them is installed; call it in the event loop."""
        if find_spec("cronsim") is None:
            self._log.info("this process runs no schedules, since the extra 'server' is not installed")
        else:
            super().start()

    def _opened(self) -> DueSchedules:
        return DueSchedules(self._runtimes.storage.database, self._runtimes.clock)

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
