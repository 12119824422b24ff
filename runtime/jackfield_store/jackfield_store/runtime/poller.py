"""The poller of one process: it polls due jobs of all workspaces, and sends requested cancellations
to providers.

All server and worker processes run one, with any engine of the queue. A waiting job is a row; only
a polled job takes memory, and a thread if its connector blocks. An idle poller queries the next job
twice a second, by an index.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from jackfield.invocation.claimed import ClaimedJob
from jackfield.kernel.exports import late_hints
from jackfield_store.database.blocked import LOOP_FAULTS
from jackfield_store.journal.jobs import DueJobs
from jackfield_store.runtime.due_loop import DueLoop

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield_store.runtime.runtime_pool import RuntimePool

_LOOK = 0.5
"""Seconds between two checks for jobs that other processes have started or want to cancel."""


class Poller(DueLoop[DueJobs]):
    """Poller of one process. ``ended`` is called with the Result of each job that ends; while
    ``stopping()`` is true, nothing is polled.
    """

    what, pool = "jobs", "polls"

    def __init__(
        self,
        runtimes: RuntimePool,
        ended: Callable[[Result], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(runtimes, stopping=stopping)
        self._ended = ended
        self._polls: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    async def stop(self, within: float = 0.0) -> None:
        """Claim nothing more, and wait up to ``within`` seconds for polls; another process repeats
        unfinished ones.
        """
        await super().stop()
        left = set(self._polls)
        if left:
            _, left = await asyncio.wait(left, timeout=within)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def claim(self) -> list[ClaimedJob] | float:
        """Claim jobs that are due; if no job is due, return the seconds until the next check.

        :raises JackfieldError: if the database is unavailable.
        """
        self._due = self._due or self._shared(
            DueJobs(self._runtimes.storage.database, self._runtimes.clock, self._runtimes.blocked)
        )
        wait = None if self._runtimes.storage.shared.rests() else self._due.wait()
        if wait is None or wait > 0:
            return _LOOK if wait is None else min(_LOOK, wait)
        return self._due.claim(self.places.size - self.places.used) or _LOOK

    async def poll(self, claimed: ClaimedJob) -> None:
        """Poll one job."""
        try:
            runtime = await asyncio.to_thread(self._runtimes.find, claimed.workspace)
            result = await runtime.poll(claimed)
        except LOOP_FAULTS as error:  # the claim runs out, and no other job waits
            self._runtimes.blocked.failed(
                claimed.workspace, f"the poll of the job '{claimed.id}'", error
            )
            return
        if result is not None:
            self._ended(result)

    async def _serve(self) -> None:
        while True:
            full = self._stopping() or self.places.used >= self.places.size
            claimed = _LOOK if full else await self._tried(self.claim)
            if isinstance(claimed, float):
                with contextlib.suppress(TimeoutError):
                    # wait_for of Python 3.11 loses a cancellation that comes as the event is set
                    async with asyncio.timeout(claimed):
                        await self._woken.wait()
                self._woken.clear()
                continue
            for job in claimed:
                task = asyncio.ensure_future(self.poll(job))
                self._polls.add(task)
                self.places.hold(job.workspace)
                task.add_done_callback(partial(self._on_done, job.workspace))

    def _on_done(self, workspace: str, task: asyncio.Task[None]) -> None:
        was_barred = bool(self.places.barred)
        self._polls.discard(task)
        self.places.give(workspace)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("a job could not be polled: an unexpected %s", type(error).__name__)
        if was_barred:
            self._woken.set()


late_hints(__name__)
