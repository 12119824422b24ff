"""Schedules: invocations at given times, each slot at most once, and a stored reason for each slot
that did not run.

``timing`` computes slots, ``policy`` decides about due slots, ``slot_values`` puts a slot's time
into the inputs. ``table`` stores the schedules of one workspace; ``due`` has the transactions by
which a scheduler (``loop``) processes the schedules of a whole database.

A slot is used up in the transaction that queues its invocation. The row of the invocation, the row
of the slot and the schedule's next slot are committed together, by the one scheduler that holds the
claim. So neither a crash nor a second server nor a changed clock runs a slot twice.
"""

from __future__ import annotations

from jackfield_service.subjects.schedules.due import Claimed, DueSchedules, UsedError
from jackfield_service.subjects.schedules.policy import Passed, passed
from jackfield_service.subjects.schedules.slot_values import check_slot_values, with_slot
from jackfield_service.subjects.schedules.table import (
    Content,
    Schedule,
    ScheduleConflict,
    ScheduleTable,
    Slot,
    UnknownSchedule,
)
from jackfield_service.subjects.schedules.timing import Timing
from jackfield_store.database.due_rows import OvertakenError

__all__ = [
    "Claimed",
    "Content",
    "DueSchedules",
    "OvertakenError",
    "Passed",
    "Schedule",
    "ScheduleConflict",
    "ScheduleTable",
    "Slot",
    "Timing",
    "UnknownSchedule",
    "UsedError",
    "check_slot_values",
    "passed",
    "with_slot",
]
