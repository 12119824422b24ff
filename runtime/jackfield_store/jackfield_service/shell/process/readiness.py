"""Readiness of one process for its probes: its condition, examined at most every two seconds and
reported within three.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from jackfield.kernel.clock import Clock
from jackfield.kernel.failures import exhausted
from jackfield.kernel.threads import Threads
from jackfield_service.shell.finding import surfaces
from jackfield_store.database import Database
from jackfield_store.management.conditions import SAID, Condition, FoundCondition, examine
from jackfield_store.resources.storage import Storage

_LOG = logging.getLogger("jackfield.readiness")
_FRESH = 2.0
"""Seconds for which an outcome is cached: probes cost at most one commit in that time."""
_PATIENCE = 2.5
"""Seconds that a probe waits, so that it answers within three."""
_STARTING = Condition(FoundCondition("starting", "the installed connectors are being loaded"))


class Readiness:
    """Readiness check, cached. One examination runs at a time, in its own thread: a hanging
    database blocks nothing else.

    ``needs_broker`` is true for a worker, which runs nothing without its broker.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        broker: Callable[[], str | None] = lambda: None,
        *,
        needs_broker: bool = False,
    ) -> None:
        self.warm_up: asyncio.Future[Any] | None = None
        """Loading of the modules and data for the first call, once it has begun."""
        self._storage = storage
        self._clock = clock
        self._broker = broker
        self._needs_broker = needs_broker
        self._warnings = {**_of_subjects(), "settings": lambda *_: self._storage.shared.warning()}
        self._threads: Threads | None = None
        self._lock = threading.Lock()
        self._examined: Future[Condition] | None = None
        self._until = 0.0
        self._stage = "silent"
        self._known = Condition()

    async def condition(self) -> Condition:
        """Return the condition of a server. Wait briefly for a server that has just started."""
        began = self._clock.monotonic()
        if self.warm_up is None or not (
            self.warm_up.done() or (await asyncio.wait({self.warm_up}, timeout=_PATIENCE))[0]
        ):
            return _STARTING
        found = self._begun()
        if isinstance(found, Condition):
            return found
        left = max(0.0, _PATIENCE - (self._clock.monotonic() - began))
        done, _ = await asyncio.wait({asyncio.wrap_future(found)}, timeout=left)
        return found.result() if done else self._late()

    def look(self) -> Condition:
        """Return the condition of a process without an event loop."""
        found = self._begun()
        try:
            return found if isinstance(found, Condition) else found.result(_PATIENCE)
        except TimeoutError:
            return self._late()

    def _begun(self) -> Future[Condition] | Condition:
        """Return the running or fresh examination, else start one. Return a Condition if no
        examination can start, or none is needed.
        """
        if not self._storage.enabled:
            return Condition()
        with self._lock:
            found = self._examined
            if found is None or (found.done() and self._clock.monotonic() >= self._until):
                try:
                    if self._threads is None:
                        self._threads = Threads(1, "jackfield-ready")
                    found = self._examined = self._threads.submit(self._noted)
                except (MemoryError, RuntimeError) as error:
                    return _short(error)
            return found

    def _noted(self) -> Condition:
        try:
            found = self._examine()
        except (MemoryError, RuntimeError) as error:
            found = _short(error)
        finally:
            self._until = self._clock.monotonic() + _FRESH
        _report(self._known, found)
        self._known = found
        return found

    def _examine(self) -> Condition:
        found = examine(
            self._storage,
            self._clock,
            self._broker,
            self._warnings,
            self._enter,
        )
        broken = (
            next((one for one in found.warnings if one.kind == "broker"), None)
            if self._needs_broker
            else None
        )
        return (
            found
            if found.fault is not None or broken is None
            else Condition(broken, found.warnings)
        )

    def _enter(self, stage: str) -> None:
        self._stage = stage

    def _late(self) -> Condition:
        """Return the condition of a process whose examination takes too long."""
        stage = self._stage
        finding = FoundCondition(stage, f"{SAID[stage]}: no answer within {_PATIENCE:g} seconds")
        return (
            Condition(None, (finding,))
            if stage == "broker" and not self._needs_broker
            else Condition(finding)
        )


def _short(error: Exception) -> Condition:
    return Condition(
        FoundCondition("shortage", f"the database cannot be checked: {exhausted(error) or error}")
    )


def _report(before: Condition, now: Condition) -> None:
    """Log in full the new faults and the end of a fault. Warnings with log lines of their own are
    left out.
    """
    was, fault = before.fault, now.fault
    if fault is not None and (was is None or was.kind != fault.kind):
        _LOG.warning("not ready (%s): %s. %s", fault.kind, fault.text, fault.hint)
    elif fault is None and was is not None:
        _LOG.warning("ready again (it was: %s)", was.kind)
    known = {one.kind for one in before.warnings}
    for one in now.warnings:
        if one.kind in {"broker", "key_service", "workspaces"} and one.kind not in known:
            _LOG.warning("ready, but (%s): %s", one.kind, one.text)


def _of_subjects() -> dict[str, Callable[[Database, Clock], str | None]]:
    return {
        kind: warning
        for module in surfaces("warnings")
        for kind, warning in module.WARNINGS.items()
    }
