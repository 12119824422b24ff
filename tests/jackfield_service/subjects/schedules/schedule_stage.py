"""Servers' schedulers over one database, with a clock that stands still until it is moved, and a
connector that only counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from clocks import StillClock
from jackfield.callers import LIBRARY, Caller
from jackfield.callers.actor import Actor
from jackfield.invocation.entry import Entry
from jackfield_service.subjects.schedules.loop import Scheduler
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.schedules.subject import add
from plugboard import make_connector, plugged
from processes import Processes, variables

_TICKING = '''
"""Runs at given times."""
from jackfield.connector import Connector, Field, Inputs, Output, Rejected

class Tick(Inputs):
    """When it was to run."""
    at: str = Field("", title="At")
    number: int = Field(0, title="Number")
    secret: str = Field("", title="Secret", secret=True)

class Ticked(Output):
    """When it was to run."""
    at: str

connector = Connector("clockwork", title="Clockwork", version="1.0.0")

@connector.action("tick", effect="write")
def tick(given: Tick) -> Ticked:
    """Tick."""
    if given.at == "fail":
        raise Rejected("it was told to fail")
    return Ticked(at=given.at)
'''
TICK: dict[str, Any] = {
    "connector": "clockwork",
    "action": "tick",
    "inputs": {"at": {"$slot": "rfc3339"}},
}


class SteppedClock(StillClock):
    """Clock that can be set, as NTP or a person does: its monotonic time does not move with it."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by = 0.0

    def time(self) -> float:
        """Return seconds since 1970, UTC."""
        return super().time() + self.set_by


class ScheduleStage(Processes):
    """Servers on one database."""

    clock: SteppedClock

    def __init__(self, environment: dict[str, str], clock: SteppedClock, servers: int) -> None:
        super().__init__(environment, clock, servers)
        self.schedulers = [Scheduler(pool, lambda: None) for pool in self.pools]

    def schedules(self, caller: Caller = LIBRARY, workspace: str = "default") -> WorkspaceSchedules:
        """The schedules as a caller sees them."""
        return WorkspaceSchedules(self.pools[0].find(workspace), caller, Actor("library"))

    def add(self, name: str = "one", **members: Any) -> dict[str, Any]:
        """Add a schedule of the counting connector."""
        return add(self.schedules(), {"name": name, "invocation": TICK, **members})

    def move_to(self, moment: str, zone: str) -> None:
        """Let time pass until a local time."""
        self.move(
            datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone)).timestamp()
            - self.clock.time()
        )

    def look(self, server: int = 0) -> None:
        """Let a scheduler work until nothing is due."""
        while self.schedulers[server].look() == 0:
            pass

    def queued(self) -> list[Entry]:
        """All invocations of the journal, the oldest first."""
        found, cursor = [], None
        while True:
            page, cursor = self.journal.entries(cursor=cursor, limit=200)
            found += page
            if cursor is None:
                return found[::-1]

    def slots(self, name: str = "one") -> list[dict[str, Any]]:
        """All slots that are recorded, the oldest first."""
        found, cursor = [], None
        while True:
            page, cursor = self.schedules().slots(name, cursor, 200)
            found += page
            if cursor is None:
                return found[::-1]

    def outcomes(self, name: str = "one") -> list[str]:
        """The outcome of each slot, the oldest first."""
        return [slot["outcome"] for slot in self.slots(name) for _ in range(slot.get("slots", 1))]


@contextmanager
def schedule_stage(
    folder: Path, database_url: str, servers: int = 2, clock: SteppedClock | None = None
) -> Iterator[ScheduleStage]:
    """Make the connector and open the stage."""
    make_connector(folder / "plugs", "clockwork", _TICKING)
    with (
        variables(folder, database_url) as environment,
        plugged(folder / "plugs"),
        ScheduleStage(environment, clock or SteppedClock(), servers) as stage,
    ):
        yield stage


__all__ = ["TICK", "ScheduleStage", "SteppedClock", "schedule_stage"]
