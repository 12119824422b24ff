"""A loop of one process that does due work in a database, which it shares with other processes.

All server and worker processes run such loops. An idle loop queries due work once a second, by an
index.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import wait as wait_for
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from jackfield.kernel.errors import Unavailable, brief
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.shares import POOLS, Places
from jackfield.kernel.threads import Threads
from jackfield_store.database.due_rows import OvertakenError

if TYPE_CHECKING:
    from jackfield_store.runtime.runtime_pool import RuntimePool

POLL = 1.0
"""Seconds between two checks for changes by other processes."""
_PAUSE = 5.0
"""Seconds to wait after the database could not be used."""
_FULL = 0.25
"""Seconds to wait while no place is free."""
_SLOW = 1.0
"""Seconds after which a running check no longer delays other checks: one of its steps does not
respond.
"""


class Due(Protocol):
    """Rows of a database on which work is due; ``places`` are those that its workspaces share."""

    places: Places | None

    def wait(self) -> float | None:
        """Return the seconds until work is due, 0 if it is due now; None if no work is waiting."""

    def claim(self, limit: int) -> Sequence[Any]:
        """Claim up to ``limit`` rows that are due."""


class DueWork(Protocol):
    """Work on one claimed row."""

    queued: bool
    """True once the loop has queued an invocation."""

    def work(self) -> None:
        """Do the due work, and end the claim.

        :raises OvertakenError: if another process has claimed or changed the row.
        """


D = TypeVar("D", bound=Due)
T = TypeVar("T")


class DueLoop(Generic[D]):
    """Loop of one process.

    - ``what`` is the name of its work in messages, ``row`` the name of a row.
    - ``at_once``: number of rows that it claims at a time; it works on up to ``threads`` of them at
      once.
    - ``quick``: seconds; rows that take less are processed one after the other, since threads would
      only contend for the interpreter.
    - ``share``: maximum share of a processor's time that its work takes; it rests in between.
    - ``pool``: its row of the table of pools. Its places are shared by the workspaces; while one
      check is slow, others begin as long as there are places.
    - ``submit`` notifies the queue's engine; ``stopping`` returns whether the loop begins nothing
      more.
    """

    what = row = ""
    at_once = 1
    threads = 1
    pool = ""
    share = 1.0
    quick = 0.0

    def __init__(
        self,
        runtimes: RuntimePool,
        submit: Callable[[], None] = lambda: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._due: D | None = None
        self._runtimes = runtimes
        self._submit = submit
        self._stopping = stopping
        self._log = logging.getLogger(f"jackfield.{self.what}")
        self._task: asyncio.Task[None] | None = None
        self.places = Places(POOLS[self.pool].size or 1)
        self._claiming = threading.Lock()
        self._looks: Threads | None = None
        self._spent: deque[float] = deque(maxlen=1_000)
        """Seconds of a processor's time that work has taken since the last rest."""

    def start(self) -> None:
        """Start checking for due work, if there is a database; call it in the event loop."""
        if self._runtimes.storage.enabled:
            self._task = asyncio.ensure_future(self._serve())

    async def stop(self) -> None:
        """Begin nothing more. Running work is committed, or left to another process."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._looks is not None:
            self._looks.shutdown(wait=False)

    def look(self) -> float:
        """Do the due work, and return the seconds until the next check.

        :raises JackfieldError: if the database is unavailable.
        """
        with self._claiming:
            due = self._due = self._due or self._shared(self._opened())
            wait = None if self._runtimes.storage.shared.rests() else due.wait()
            if wait is None or wait > 0:
                return POLL if wait is None else min(POLL, wait)
            free = self.places.size - self.places.used
            if free <= 0:
                return _FULL
            claimed = due.claim(min(self.at_once, free))
            for one in claimed:
                self.places.hold(one.workspace)
        self._work_all(due, claimed)
        return 0.0

    def _work_all(self, due: D, claimed: Sequence[Any]) -> None:
        """Work on claimed rows: one after the other while they are quick, the rest at once."""
        left, work = deque(claimed), partial(self._work, due)
        if len(left) == 1:
            work(left.popleft())
        if not left:
            return
        # so that they share waits and commits, and none waits for a provider of another
        with Threads(self.threads, f"jackfield-{self.what}") as threads:
            begun = [threads.submit(work, left.popleft())]
            while left and self.quick and wait_for(begun[-1:], self.quick).done:
                begun.append(threads.submit(work, left.popleft()))
            begun += [threads.submit(work, one) for one in left]
            for one in begun:
                one.result()

    def _shared(self, due: D) -> D:
        """Let the rows know the places that they share."""
        due.places = self.places
        return due

    def _opened(self) -> D:
        raise NotImplementedError

    def _work_on(self, due: D, claimed: Any) -> DueWork:
        raise NotImplementedError

    def _work(self, due: D, claimed: Any) -> None:
        """Process one row. A failure concerns only the row, or its workspace: the claim expires,
        and no other row waits.
        """
        begun = time.thread_time()
        try:
            self._runtimes.blocked.apart(
                claimed.workspace,
                f"the {self.row} '{claimed.name}'",
                partial(self._worked, due, claimed),
            )
        except Unavailable as error:
            self._log.error(
                "the %s '%s' of the workspace '%s' has to wait: %s",
                self.row,
                claimed.name,
                claimed.workspace,
                error.message,
            )
        finally:
            self._spent.append(time.thread_time() - begun)
            with self._claiming:
                self.places.give(claimed.workspace)

    def _rest(self) -> float:
        """Return the seconds to rest after the work since the last rest."""
        return sum(self._spent.popleft() for _ in range(len(self._spent))) * (1 / self.share - 1)

    def _worked(self, due: D, claimed: Any) -> None:
        work = self._work_on(due, claimed)
        try:
            work.work()
        except OvertakenError:  # what the other process does, this one need not
            self._log.info(
                "the %s '%s' was taken or changed by another process", self.row, claimed.name
            )
        finally:
            if work.queued:
                self._submit()

    async def _serve(self) -> None:
        looks: set[asyncio.Task[float]] = set()
        try:
            while True:
                if self._stopping():
                    await asyncio.sleep(POLL)
                    continue
                looks.add(asyncio.ensure_future(self._tried(self.look)))
                patience = _SLOW if len(looks) < self.places.size else None
                done, looks = await asyncio.wait(
                    looks, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                await asyncio.sleep(
                    max(self._rest(), min((look.result() for look in done), default=0.0))
                )
        finally:
            for look in looks:
                look.cancel()

    async def _tried(self, step: Callable[[], T]) -> T | float:
        """Run a step in a thread; return the seconds to wait if it fails."""
        self._looks = self._looks or Threads(self.places.size, f"jackfield-{self.what}-looks")
        run = partial(copy_context().run, partial(attempt, step))
        found = await asyncio.get_running_loop().run_in_executor(self._looks, run)
        if not isinstance(found, Raised):
            return found
        self._log.error("no %s can be served: %s", self.what, brief(found.error))
        return _PAUSE
