"""Slots of a workspace whose queue is full: accepted work waits, and no slot is lost for it."""

from __future__ import annotations

import pytest
from tests.jackfield_service.subjects.schedules.schedule_stage import ScheduleStage

from jackfield.kernel.clock import iso


def _limit(stage: ScheduleStage, most: int | None) -> None:
    stage.runtime.access.workspaces.set("default", {"limits": {"queued": most}})


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
def test_due_slots_wait_for_room_in_the_queue(stage: ScheduleStage, overlap: str) -> None:
    """A workspace whose queue is full loses no slot: the slot waits, with the limit as the reason,
    and is queued when there is room.
    """
    stage.add("one", every="1h", overlap=overlap)
    _limit(stage, 0)
    stage.move(3601)
    stage.look()
    (waiting,) = stage.slots()
    assert (waiting["outcome"], "'queued' of 0" in waiting["reason"]) == ("waiting", True)
    stage.move(60)
    stage.look()
    assert [slot["outcome"] for slot in stage.slots()] == ["waiting"]
    _limit(stage, 1)
    stage.move(60)
    stage.look()
    (queued,) = stage.slots()
    assert (queued["outcome"], queued["slot"]) == ("queued", waiting["slot"])
    assert [entry.status for entry in stage.queued()] == ["queued"]


def test_a_burst_of_schedules_waits_for_room_and_none_is_lost(stage: ScheduleStage) -> None:
    """Of ten that are due at once in a queue of three, three are queued at a time, until all
    were.
    """
    for number in range(10):
        stage.add(f"s{number}", every="1h")
    _limit(stage, 3)
    stage.move(3601)
    for _ in range(4):
        stage.look()
        assert sum(entry.status == "queued" for entry in stage.queued()) <= 3
        stage.work()
        stage.move(2)
    assert [entry.status for entry in stage.queued()] == ["succeeded"] * 10
    assert {slot["outcome"] for number in range(10) for slot in stage.slots(f"s{number}")} == {
        "queued"
    }


def test_a_single_slot_that_waits_ends_its_schedule_only_afterwards(stage: ScheduleStage) -> None:
    """A schedule of one time is not over while its slot waits for room."""
    stage.add("once", at=iso(stage.clock.time() + 60))
    _limit(stage, 0)
    stage.move(61)
    stage.look()
    assert stage.schedules().show("once")["status"] == "active"
    _limit(stage, None)
    stage.move(2)
    stage.look()
    assert [entry.status for entry in stage.queued()] == ["queued"]
    assert stage.schedules().show("once")["status"] == "ended"
