"""The scheduler of one process: it waits for the next slot of any schedule of the database, and
queues the invocations of due slots.
"""

from __future__ import annotations

from importlib.util import find_spec

from jackfield_service.shell.process.loops import Process
from jackfield_service.subjects.schedules import Claimed, DueSchedules
from jackfield_service.subjects.schedules.slot_runs import SlotRuns
from jackfield_store.runtime.due_loop import DueLoop


class Scheduler(DueLoop[DueSchedules]):
    """Scheduler of one process."""

    what, row, pool = "schedules", "schedule", "schedules"
    at_once = 64
    """Maximum number of schedules that are claimed at once; other due schedules are left to other
    processes.
    """
    threads = 8

    def start(self) -> None:
        """Start the scheduler, if there is a database and the library for slots is installed; call
        it in the event loop.
        """
        if find_spec("cronsim") is None:
            self._log.info(
                "this process runs no schedules, since the extra 'server' is not installed"
            )
        else:
            super().start()

    def _opened(self) -> DueSchedules:
        return DueSchedules(
            self._runtimes.storage.database, self._runtimes.clock, self._runtimes.blocked
        )

    def _work_on(self, due: DueSchedules, claimed: Claimed) -> SlotRuns:
        return SlotRuns(self._runtimes.find(claimed.workspace), claimed, due)


def loop(process: Process) -> Scheduler:
    """Return the scheduler of a process."""
    return Scheduler(process.runtimes, process.submit, process.stopping)
