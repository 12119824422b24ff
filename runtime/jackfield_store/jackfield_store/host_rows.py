"""Rows of a program's own functions in a workspace's journal, and the runtime that a program gets
if it makes none.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import jackfield as framework  # whose names are found when they are first used
from jackfield.call.calls import Calls
from jackfield.call.on_time import OnTime
from jackfield.call.waiter import InThread, LoopThread
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.ends import at_end
from jackfield.kernel.fork import ProcessLocal, without_fork
from jackfield.kernel.variables import tidied
from jackfield_store.access.workspace_access import WorkspaceAccess
from jackfield_store.resources.opening import Opening
from jackfield_store.resources.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield.call.how import How
    from jackfield.call.on_loop import OnLoop
    from jackfield.call.waiter import Waiter
    from jackfield.call.work import Looked, Work
    from jackfield.invocation import Result
    from jackfield.kernel.clock import Clock
    from jackfield_store.recording.rows import JournalRow


class HostRows(Opening):
    """Rows of functions in the journal of one workspace."""

    def __init__(
        self,
        storage: Storage,
        workspace: str,
        clock: Clock,
        check: Callable[[], object] = lambda: None,
        **about: Any,
    ) -> None:
        super().__init__(storage, workspace, clock, check, **about)
        storage.look_due = _look_due
        self._row_of: type[JournalRow] | None = None

    def row(self, how: How, work: Work) -> JournalRow:
        """Return a new row, not yet begun, for work that is not a connector's call."""
        if self._row_of is None:
            # Two threads that import modules of one circle in two orders see halves of them.
            with without_fork():
                from jackfield_store.recording.rows import JournalRow

            self._row_of = JournalRow  # most programs call connectors alone
        return self._row_of(self.opened(), how, work, self._clock)

    @property
    def clock(self) -> Clock:
        """Clock of the calls."""
        return self._clock

    @property
    def place(self) -> tuple[str, str]:
        """URL of the database, and the workspace."""
        return self._storage.url, self._workspace

    def looked(self, identifier: str, found: Looked) -> Result:
        """Record the finding of a look at a doubt, and return the Result for a repeat."""
        result: Result = _looks().looked(self.opened(), self._clock, identifier, found)
        return result

    def told(self, result: Result) -> Result:
        """Return the Result of a function's call for its caller: of a doubt with the time of its
        next look, if there is one.
        """
        if result.status != "in_doubt":
            return result
        found: Result = _looks().told(self.opened(), self._clock, result)
        return found

    def digest(self, value: Any) -> str:
        """Return a keyed digest of a value."""
        return self.opened().fingerprint({"value": value})


class Environment(ProcessLocal):
    """Runtime of a program that declares functions alone, over the database of its environment. It
    opens no connection and finds no connector.
    """

    def __init__(self) -> None:
        clock, environment = SystemClock(), tidied(os.environ)
        self.calls, storage = Calls(), Storage(None, environment, clock)
        self._storage = storage
        storage.beginning = logging.WARNING  # what was recorded elsewhere would be done again
        access = WorkspaceAccess(storage, "default", clock)
        self.store = HostRows(
            storage, "default", clock, self.calls.check, retention=lambda: access.settings.retention
        )
        self._clock, self._in_thread = clock, InThread(clock, LoopThread(), OnTime())
        self._runtime: framework.Jackfield | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._on_loop: OnLoop | None = None
        self._lock = threading.Lock()

    @property
    def runtime(self) -> framework.Jackfield:
        """Runtime of the environment, for functions that are actions; made on first use."""
        with self._lock:
            if self._runtime is None:
                self._runtime = framework.Jackfield(storage=self._storage)
                at_end(self, Environment.close)
            return self._runtime

    def close(self) -> None:
        """Close the runtime when a program ends that does not close one itself."""
        if self._runtime is not None:
            self._runtime.close(0.0)
        self._storage.close()

    def waiter(self, *, loops: bool) -> Waiter:
        """Return the waiter of a thread or, with ``loops``, of a task on the running loop."""
        if not loops:
            return self._in_thread
        with self._lock:
            if self._on_loop is None:
                from jackfield.call.on_loop import OnLoop  # which imports asyncio

                self._on_loop = OnLoop(self._clock, OnTime())
            return self._on_loop


def _looks() -> Any:
    """Import the module of looks; most programs have no doubts."""
    with without_fork():  # the thread of the lease imports it
        from jackfield_store.recording import host_looks

    return host_looks


def _look_due(storage: Storage, clock: Clock) -> None:
    """Start the due looks at functions' doubts, if this process declares such functions."""
    looks = sys.modules.get("jackfield.boundary.looks")  # most programs declare no function
    if looks is not None and looks.functions(looking=True):
        _looks().begin(storage, clock)
