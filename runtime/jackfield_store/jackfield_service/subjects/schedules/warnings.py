"""Warning of a server or worker that is ready, but does not run its schedules."""

from __future__ import annotations

from jackfield.kernel.clock import Clock, iso
from jackfield_service.subjects.schedules import DueSchedules
from jackfield_store.database import Database


def silence_warning(database: Database, clock: Clock) -> str | None:
    """Return a sentence with the number of silent schedules since the clock went back, and the end
    of their silence; None if none is silent.
    """
    found = DueSchedules(database, clock).silent()
    if found is None:
        return None
    noun = "1 schedule is" if found[0] == 1 else f"{found[0]:,} schedules are"
    return (
        f"{noun} silent until {iso(found[1])}: the clock went back, and no slot runs twice "
        "('jackfield schedules show' says which)"
    )


WARNINGS = {"schedules": silence_warning}
