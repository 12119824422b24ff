"""The clock of the repository's tests is the one that authors of connectors get; a database's own is moved with it."""

import time

from jackfield.database import Database
from jackfield_market.testing.fake_clock import FakeClock

__all__ = ["FakeClock", "time_passes"]


def time_passes(seconds: float, clock: FakeClock, database: Database) -> None:
    """Let time pass by a process's clock and by a server's own. SQLite has none: its processes agree on what theirs show."""
    clock.advance(seconds)
    dialect = database.dialect
    if dialect.name == "postgresql":
        vars(dialect).update(now=f"({type(dialect).now} + {clock.time() - time.time()})")  # and what was slept before
