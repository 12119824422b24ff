"""The clock of the repository's tests is the one that authors of connectors get; a database's own
is moved with it.
"""

import time
from typing import Protocol

from jackfield_market.testing.fake_clock import FakeClock
from jackfield_store.database import Database
from jackfield_store.database.shared_clock import SharedClock

__all__ = ["FakeClock", "StillClock", "time_passes"]


def time_passes(seconds: float, clock: FakeClock, database: Database) -> None:
    """Let time pass by a process's clock and by a server's own. SQLite has none: its processes
    agree on what theirs show.
    """
    clock.advance(seconds)
    dialect = database.dialect
    if dialect.name == "postgresql":
        is_first = "now" not in vars(dialect)
        vars(dialect).update(now=_MovedNow(type(dialect).now, clock))
        # what the process has read from the server before is ahead of a clock that stands still
        if is_first:
            SharedClock.of(database, clock).look()


class Loop(Protocol):
    """Loop of a server that looks for what is due, such as those of evidence and of triggers."""

    def look(self) -> float:
        """Do what is due; return the seconds until the next look, 0 if there is more."""


def look_while_due(loop: Loop) -> int:
    """Have a loop do all that is due; return how many of its rounds had something to do."""
    rounds = 0
    while loop.look() == 0.0:
        rounds += 1
    return rounds


class _MovedNow:
    """Expression for a server's time as a clock shows it, also where another thread asks while that
    is being moved.
    """

    def __init__(self, now: str, clock: FakeClock) -> None:
        self._now, self._clock = now, clock

    def __str__(self) -> str:
        # a server's would go on by what each query takes, and back at a faster one
        if isinstance(self._clock, StillClock):
            return f"{self._clock.time()!r}::double precision"
        return f"({self._now} + {self._clock.time() - time.time()})"

    def __format__(self, form: str) -> str:
        return format(str(self), form)


class StillClock(FakeClock):
    """Clock whose time passes only as it is told: what a slow machine takes for its work is no part
    of what a test counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self._at, self._monotonic_at = time.time(), time.monotonic()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._monotonic_at + self._ahead

    def time(self) -> float:
        """Return seconds since 1970, UTC."""
        return self._at + self._ahead
