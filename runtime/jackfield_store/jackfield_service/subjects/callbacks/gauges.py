"""Gauges of callbacks for operators, by name: their meaning, and the function that reads each."""

from __future__ import annotations

from jackfield.kernel.clock import Clock
from jackfield_service.subjects.callbacks.callbacks import failing_callbacks
from jackfield_store.database import Database


def _failing(database: Database, clock: Clock) -> int:
    return failing_callbacks(database, clock.time())


GAUGES = {
    "jackfield_callbacks_failing": (
        "Callbacks to which no delivery has succeeded since one failed an hour ago or earlier.",
        _failing,
    ),
}
