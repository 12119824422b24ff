"""Readiness of one process: the catalog is loaded, and the database is writable, not just readable."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from jackfield.access import DEFAULT
from jackfield.clock import Clock, iso, within
from jackfield.database import Database
from jackfield.database.blocked import blocked_workspaces
from jackfield.database.faults import KeyServiceRefused, KeyServiceUnavailable
from jackfield.database.hold import find_hold
from jackfield.database.shared_clock import SharedClock
from jackfield.errors import JackfieldError
from jackfield.journal.went_back import return_warning
from jackfield.kernel.threads import Threads
from jackfield.resources.storage import Storage
from jackfield.schedules import DueSchedules
from jackfield.wire.shortage import exhausted

_FRESH = 2.0
"""Seconds for which an outcome is cached: probes cost at most one commit in that time."""
_LOCK_WAIT = 2.0
_PATIENCE = 3.0
_ROOM = 256 * 1024
"""Free bytes required on the disk: SQLite needs them for the next commits."""
_NO_KEYS = "the key service of JACKFIELD_KEY_WRAPPERS cannot be used"
_CACHED = "workspaces whose keys are cached are served"
_PROBE = "UPDATE schema_migrations SET applied_at = applied_at WHERE version = 1"


class Readiness:
    """Readiness check, cached. One check runs at a time, in its own thread: a hanging database blocks nothing else."""

    def __init__(self, storage: Storage, clock: Clock, broker: Callable[[], str | None] = lambda: None) -> None:
        self.warm_up: asyncio.Future[Any] | None = None
        """Loading of what the first call needs, once it has begun."""
        self._storage = storage
        self._clock = clock
        self._broker = broker
        self._threads: Threads | None = None
        self._looking: asyncio.Task[None] | None = None
        self._until = 0.0
        self._fault: str | None = None
        self.warning: str | None = None
        """Problem found by the last check in spite of which requests are accepted: a clock that is off."""
        self.key_warning: str | None = None
        """Another one: a key service that cannot be used, while keys are cached."""
        self.silence_warning: str | None = None
        """Another one: schedules that are silent since the clock went back."""
        self.hold_warning: str | None = None
        """Another one: the queue is held."""
        self.return_warning: str | None = None
        """Another one: the database went back to an earlier state."""
        self.blocked_warning: str | None = None
        """Another one: workspaces of which nothing is begun."""
        self.broker_warning: str | None = None
        """Another one: the broker of queued invocations does not answer."""

    async def fault(self) -> str | None:
        """Return why the process is not ready; None if it is. Wait briefly for a process that has just started."""
        if self.warm_up is None or not (self.warm_up.done() or (await asyncio.wait({self.warm_up}, timeout=_PATIENCE))[0]):
            return "the catalog is being loaded"
        if not self._storage.enabled:
            return None
        if self._looking is None and self._clock.monotonic() >= self._until:
            self._looking = asyncio.ensure_future(self._look())
        if self._looking is not None:
            done, _ = await asyncio.wait({self._looking}, timeout=_PATIENCE)
            if not done:
                return f"the database did not respond within {_PATIENCE:g} seconds"
        return self._fault

    async def _look(self) -> None:
        try:
            if self._threads is None:
                self._threads = Threads(1, "jackfield-ready")
            self._fault = await asyncio.get_running_loop().run_in_executor(self._threads, self._found)
        except (MemoryError, RuntimeError) as error:
            self._fault = f"the database cannot be checked: {exhausted(error) or error}"
        finally:
            self._until = self._clock.monotonic() + _FRESH
            self._looking = None

    def _found(self) -> str | None:
        try:
            with within(_LOCK_WAIT):
                database = self._storage.database
                pending = database.pending()
                if pending:
                    return f"{len(pending)} migrations are pending: run 'jackfield db upgrade'"
                with database.write() as transaction:
                    transaction.change(_PROBE, {})
                self.warning = clock_warning(database, self._clock)
                self.blocked_warning = blocked_warning(database, self._clock)
                self.return_warning, self.hold_warning = return_warning(database), hold_warning(database)
                self.silence_warning = silence_warning(database, self._clock)
            fault, self.key_warning = key_state(self._storage)
            self.broker_warning = self._broker()
        except JackfieldError as error:
            return error.message
        return fault or _full(getattr(database.dialect, "path", None))


def key_state(storage: Storage) -> tuple[str | None, str | None]:
    """Return why no workspace can be served for lack of its key, and what an operator should know although those with cached keys are.

    :raises JackfieldError: if the master key is missing, or does not decrypt this database: every call would be refused.
    """
    vault = storage.vault
    try:
        vault.prepare(DEFAULT)
    except (KeyServiceUnavailable, KeyServiceRefused):
        return (None, f"{_NO_KEYS}; {_CACHED}") if vault.cached else (_NO_KEYS, None)
    return None, f"{_NO_KEYS}; {_CACHED}" if storage.asks_key_services and vault.trouble else None


def blocked_warning(database: Database, clock: Clock) -> str | None:
    """Return how many workspaces are blocked; their names are for operators, and this answer needs no token."""
    count = len(blocked_workspaces(database, clock.time()))
    noun = "1 workspace is" if count == 1 else f"{count:,} workspaces are"
    return f"{noun} blocked, since their keys or settings cannot be used: 'jackfield queue stats' says why" if count else None


def silence_warning(database: Database, clock: Clock) -> str | None:
    """Return how many schedules are silent since the clock went back, and until when; None if none is."""
    found = DueSchedules(database, clock).silent()
    if found is None:
        return None
    noun = "1 schedule is" if found[0] == 1 else f"{found[0]:,} schedules are"
    return f"{noun} silent until {iso(found[1])}: the clock went back, and no slot runs twice ('jackfield schedules show' says which)"


def hold_warning(database: Database) -> str | None:
    """Return since when the queue is held, by whom and why; None if it is not."""
    hold = find_hold(database)
    return None if hold is None else hold.warning


def clock_warning(database: Database, clock: Clock) -> str | None:
    """Return by how much this process's clock differs from the database's now; None if they agree."""
    shared = SharedClock.of(database, clock)
    shared.look()
    return shared.warning


def answer_of(clock: str | None, plugins: Iterable[str]) -> dict[str, Any]:
    """Return what a process that is ready answers: ``clock`` and ``plugins`` are what it warns of."""
    warnings = [*([] if clock is None else [clock]), *plugins]
    return {"status": "ok", "warnings": warnings} if warnings else {"status": "ok"}


def _full(path: str | None) -> str | None:
    if path is None or sys.platform == "win32":
        return None
    try:
        found = os.statvfs(path)
    except OSError:
        return None  # the write has just succeeded
    return "the disk of the database is full" if found.f_bavail * found.f_frsize < _ROOM else None
