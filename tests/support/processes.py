"""Processes over one database whose time stands still until it is moved: what the stages of jobs,
doubts, schedules and triggers are made of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from unittest import mock

from clocks import StillClock, time_passes
from forking import fork
from jackfield import Result
from jackfield.invocation.entry import Entry
from jackfield_store.database import Database, open_database
from jackfield_store.journal import Journal, Queue
from jackfield_store.journal.recovery import Recovery
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.runtime_pool import RuntimePool


class Processes:
    """A context manager. ``pools`` are the processes; the present one is the first, or was begun
    since. ``clock`` is the time of all.
    """

    def __init__(
        self, environment: dict[str, str], clock: StillClock | None = None, count: int = 1
    ) -> None:
        self.environment, self.clock = environment, clock or StillClock()
        self.pools: list[RuntimePool] = []
        for _ in range(count):
            self.begin()
        self._present = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for pool in self.pools:
            pool.close()

    def begin(self) -> Jackfield:
        """Begin another process, which is the present one from now on."""
        self._present = len(self.pools)
        self.pools.append(RuntimePool(self.environment, self.clock))
        self.move(0.0)  # before anything is written with the server's own time
        return self.runtime

    def back(self) -> None:
        """Let the first process be the present one."""
        self._present = 0

    @property
    def pool(self) -> RuntimePool:
        """The present process."""
        return self.pools[self._present]

    @property
    def database(self) -> Database:
        """Its database."""
        return self.pool.storage.database

    @property
    def runtime(self) -> Jackfield:
        """Its runtime of the workspace ``default``."""
        return self.pool.find("default")

    @property
    def journal(self) -> Journal:
        """Its journal."""
        found = self.runtime.journal
        assert found is not None
        return found

    def move(self, seconds: float) -> None:
        """Let time pass for all processes and the database."""
        self.clock.advance(seconds)
        for pool in self.pools:
            time_passes(0.0, self.clock, pool.storage.database)

    def entry(self, identifier: str) -> Entry:
        """The invocation as the journal has it."""
        return self.journal.find(identifier)

    def work(self) -> list[Result]:
        """Run everything that is queued."""
        return [
            self.runtime.run(claimed) for claimed in Queue(self.database, self.clock).claim(10_000)
        ]

    def killed(self, step: Callable[[], object]) -> None:
        """Fork a process that dies in a step; then recover what it left."""

        def run() -> None:
            self.begin()
            step()

        assert fork(run).dies() == 9
        self.recover()

    def recover(self) -> None:
        """Let the present process take over what dead ones have left."""
        Recovery(self.database, self.pool.storage.vault, self.clock).look()


@contextmanager
def variables(folder: Path, database_url: str, **more: str) -> Iterator[dict[str, str]]:
    """Upgrade a database, and set the environment of processes over it, with a home of their
    own.
    """
    open_database(database_url, migrate=True).close()
    environment = {
        **os.environ,
        "JACKFIELD_HOME": str(folder / "home"),
        "JACKFIELD_DATABASE_URL": database_url,
        **more,
    }
    with mock.patch.dict(os.environ, environment, clear=True):
        yield environment
