"""The time that the processes of a SQLite database agree on: the highest seen, and no wrong clock
changes it alone.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from clocks import FakeClock, time_passes
from jackfield_store.database import Database
from jackfield_store.database.shared_clock import TOLERATED, Agreed, ClockReading, SharedClock

LEASE = 6.0
T = 1_900_000_000.0
RIGHT = Agreed(T, 1000.0, "boot")


def reading(since: float, off: float = 0.0, by: str = "a", boot: str = "boot") -> ClockReading:
    """What a process reads so many seconds after ``RIGHT``; its clock is ``off``."""
    return ClockReading(T + since + off, 1000.0 + since, boot, by)


def after(*readings: ClockReading, agreed: Agreed = RIGHT) -> Agreed:
    """What is agreed after the readings."""
    for one in readings:
        agreed = agreed.after(one)
    return agreed


def test_right_clocks_store_nothing_for_a_minute() -> None:
    """A process whose clock agrees changes nothing until the row is old: then it is written
    again.
    """
    assert after(reading(3), reading(50, off=-20)) is RIGHT
    assert after(reading(61)) == Agreed(T + 61, 1061.0, "boot")


def test_the_highest_reading_counts() -> None:
    """Of clocks that differ by less than a minute the one ahead is believed, and the time does not
    go back to the other's.
    """
    agreed = after(reading(5, off=40), reading(6))
    assert agreed.at(reading(6)) == T + 46


@pytest.mark.parametrize("off", [3600.0, -3600.0, 90_000.0, 3_456_000.0, TOLERATED + 1])
def test_r5_one_wrong_clock_changes_nothing(off: float) -> None:
    """However often a process looks, its wrong clock stays out of the shared time while another
    contradicts it.
    """
    agreed = RIGHT
    for second in range(0, 60, 2):
        agreed = after(reading(second, off, "wrong"), reading(second + 1), agreed=agreed)
        assert agreed.at(reading(second + 1)) == T + second + 1


@pytest.mark.parametrize("off", [3600.0, -3600.0])
def test_r5_one_process_is_believed_after_a_lease_without_contradiction(off: float) -> None:
    """A machine whose clock was set has the new time a lease later, and not before."""
    early = after(reading(1, off), reading(1 + LEASE - 0.1, off))
    assert early.at(reading(7)) == T + 7
    assert after(reading(1 + LEASE, off), agreed=early) == Agreed(
        T + 1 + LEASE + off, 1001.0 + LEASE, "boot", leap=max(0.0, off)
    )


def test_r5_two_processes_that_agree_are_believed_at_once() -> None:
    """A second process that reads the same ends the waiting; one that reads yet another time does
    not.
    """
    proposed = after(reading(1, 90_000.0, "a"))
    assert after(reading(2, 3_456_000.0, "b"), agreed=proposed).at(reading(3)) == T + 3
    assert after(reading(2, 90_000.5, "b"), agreed=proposed) == Agreed(
        T + 2 + 90_000.5, 1002.0, "boot", leap=90_000.5
    )


def test_v5_what_was_agreed_is_no_proof_that_time_has_passed() -> None:
    """The seconds by which two processes set the time ahead are remembered until it goes back by
    them, or the machine boots.
    """
    wrong = after(reading(1, 90_000.0, "a"), reading(2, 90_000.0, "b"))
    assert (wrong.leap, after(reading(62, 90_000.0, "b"), agreed=wrong).leap) == (
        90_000.0,
        90_000.0,
    )
    assert after(reading(3, 0.0, "a"), reading(4, 0.0, "b"), agreed=wrong) == Agreed(
        T + 4, 1004.0, "boot"
    )
    booted = after(
        reading(8, 90_000.0, "a", "next"), reading(9, 90_000.0, "b", "next"), agreed=wrong
    )
    assert booted == Agreed(T + 90_008, 1008.0, "next")


def test_r5_a_wrong_time_that_was_agreed_on_is_left_again() -> None:
    """Once the clocks are right, the shared time follows them by the same rule: nothing stays a
    month ahead for a month.
    """
    wrong = after(reading(1, 3_456_000.0, "a"), reading(2, 3_456_000.0, "b"))
    assert wrong.at(reading(2)) == T + 2 + 3_456_000.0
    assert after(reading(3), reading(3 + LEASE), agreed=wrong).at(reading(10)) == T + 10


def test_r5_after_a_boot_the_time_stands_until_a_lease_has_passed() -> None:
    """A machine that was off for a weekend has the time again a lease later: until then it may as
    well be a clock without battery.
    """
    booted = after(reading(200_000, boot="next", by="a"))
    assert (booted.boot, booted.at(reading(200_001, boot="next"))) == ("boot", T)
    agreed = after(reading(200_000 + LEASE, boot="next", by="a"), agreed=booted)
    assert agreed == Agreed(T + 200_000 + LEASE, 201_000.0 + LEASE, "next")


def test_the_time_goes_on_by_the_monotonic_clock() -> None:
    """Without a reading the time is the last one plus what has passed; after a boot nobody knows
    how much that is.
    """
    assert RIGHT.at(reading(500)) == T + 500
    assert RIGHT.at(replace(reading(500), boot="another")) == T
    assert after(reading(30, boot="another")) == Agreed(T + 30, 1030.0, "another")


def test_a_process_that_was_stopped_while_it_looked_looks_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that sleeps, or SIGSTOP, between the database's answer and the process's own
    reading: its clock is not taken to be ahead.
    """
    clock, asked, looks = FakeClock(), 0, database.look_up
    time_passes(0, clock, database)

    def look_up(sql: str, values: dict[str, object]) -> object:
        nonlocal asked
        found, asked = looks(sql, values), asked + 1
        if asked == 1:
            clock.advance(4000)
        return found

    monkeypatch.setattr(database, "look_up", look_up)
    shared = SharedClock.of(database, clock)
    assert shared.now() == pytest.approx(clock.time(), abs=60)
    assert shared.warning is None
    assert shared.sure() is not None
