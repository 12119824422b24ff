"""Gauges of schedules for operators, by name: their meaning, and the function that reads each."""

from __future__ import annotations

from jackfield.kernel.clock import Clock
from jackfield_service.subjects.schedules import DueSchedules
from jackfield_store.database import Database


def _overdue(database: Database, clock: Clock) -> float:
    return DueSchedules(database, clock).overdue()


GAUGES = {
    "jackfield_schedules_overdue_seconds": (
        "Seconds by which the schedule is late that no scheduler has looked at for longest.",
        _overdue,
    ),
}
