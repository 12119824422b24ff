"""Slots beside each change of each zone's clocks, judged by a walk over the minutes that knows
nothing of cron and of intervals.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from tests.jackfield_service.subjects.schedules.schedule_stage import ScheduleStage

from jackfield_service.subjects.schedules import Timing

HOUR, DAY, EPOCH = 3600, 86_400, datetime(1970, 1, 1, tzinfo=UTC)
CRON: dict[str, Callable[[datetime], bool]] = {
    "30 2 * * *": lambda at: (at.hour, at.minute) == (2, 30),
    "15 0 * * *": lambda at: (at.hour, at.minute) == (0, 15),
    "0,45 0-3,23 * * *": lambda at: at.minute in (0, 45) and at.hour in (0, 1, 2, 3, 23),
    "30 1 1,15 * SUN": lambda at: (
        (at.hour, at.minute) == (1, 30) and (at.day in (1, 15) or at.isoweekday() == 7)
    ),
    "0 0 L * *": lambda at: (at.hour, at.minute) == (0, 0) and (at + timedelta(days=1)).day == 1,
    "59 1,2,23 * * SAT,sun": lambda at: (
        at.minute == 59 and at.hour in (1, 2, 23) and at.isoweekday() >= 6
    ),
    "*/5 * * * *": lambda at: at.minute % 5 == 0,
    "0 * * * *": lambda at: at.minute == 0,
    "20 */2 * * *": lambda at: at.minute == 20 and at.hour % 2 == 0,
    "* 2 * * *": lambda at: at.hour == 2,
    "*/10 0,1,23 * * *": lambda at: at.minute % 10 == 0 and at.hour in (0, 1, 23),
    "30 * */2 * 0": lambda at: at.minute == 30 and at.day % 2 == 1 and at.isoweekday() == 7,
}
"""Expressions, with what they mean: the first half are fixed times, the others follow real time."""
ZONES = (
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Nuuk",
    "America/Havana",
    "America/Santiago",
    "America/Asuncion",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Asia/Beirut",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Antarctica/Troll",
)
"""Zones whose clocks change at two, at midnight, by half an hour and by two, at a quarter to three,
around Ramadan, and in winter.
"""


def _offset(at: int, zone: ZoneInfo) -> timedelta:
    return datetime.fromtimestamp(at, zone).utcoffset() or timedelta()


def changes(zone: ZoneInfo, first: int, last: int) -> Iterator[int]:
    """The seconds at which the clocks of a zone change, from a year to another."""
    at, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (first, last + 1))
    while at < end:
        if _offset(at, zone) == _offset(at + 6 * HOUR, zone):
            at += 6 * HOUR
            continue
        before, after = at, at + 6 * HOUR
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (
                (middle, after) if _offset(middle, zone) == _offset(at, zone) else (before, middle)
            )
        yield after
        at = after


class Walk:
    """Minutes from a day before a change to a day after it, as clocks on a wall show them: set from
    one offset to another.
    """

    def __init__(self, change: int, before: timedelta, after: timedelta) -> None:
        self.begin, self.end = ((change + days * DAY) // 60 * 60 for days in (-1, 1))
        minutes = range(self.begin, self.end, 60)
        self.shown = [
            (at, EPOCH + timedelta(seconds=at) + (before if at < change else after))
            for at in minutes
        ]
        self.first: list[tuple[int, datetime]] = []
        """What is shown for the first time, and what is never shown, with the minute that is shown
        instead.
        """
        ahead = self.shown[0][1]
        for at, local in self.shown:
            while ahead <= local:
                self.first.append((at, ahead))
                ahead += timedelta(minutes=1)

    def expected(self, expression: str) -> list[int]:
        """The slots by the rules of the page: real time, or a gap at its end and a repeated hour
        once.
        """
        is_real = any(field.startswith("*") for field in expression.split()[:2])
        return sorted(
            {at for at, local in (self.shown if is_real else self.first) if CRON[expression](local)}
        )


@cache
def expectations(
    change: int, before: timedelta, after: timedelta
) -> tuple[Walk, dict[str, list[int]]]:
    """The walk over a change, and the slots of each expression: the same for all zones with this
    change.
    """
    walk = Walk(change, before, after)
    return walk, {expression: walk.expected(expression) for expression in CRON}


def faults(names: Iterable[str], first: int, last: int) -> tuple[int, list[str]]:
    """How many schedules were judged, each from several starts, and those with slots that are lost,
    doubled or early.
    """
    judged, found = 0, list[str]()
    for name in names:
        zone = ZoneInfo(name)
        for change in changes(zone, first, last):
            walk, expected = expectations(change, _offset(change - 1, zone), _offset(change, zone))
            assert [_offset(at, zone) for at in (walk.begin, walk.end)] == [
                _offset(change - 1, zone),
                _offset(change, zone),
            ]
            for expression, wanted in expected.items():
                timing = Timing(cron=expression, timezone=name)
                judged += 1
                for start in (
                    walk.begin,
                    *(
                        change + seconds
                        for seconds in (-HOUR, -1, 0, HOUR // 2, HOUR - 1, 5 * HOUR // 2)
                    ),
                ):
                    most = None if start == walk.begin else 20
                    slots = list(
                        islice(takewhile(float(walk.end).__gt__, timing.slots(float(start))), most)
                    )
                    if slots != [slot for slot in wanted if slot > start][:most]:
                        found.append(
                            f"{expression} in {name} after {datetime.fromtimestamp(start, zone)}"
                        )
    return judged, found


def test_no_slot_beside_a_change_of_clocks_is_lost_doubled_or_early() -> None:
    """Whether a schedule is added or goes on before the change, at it, in the hour that is
    repeated, or after it.
    """
    judged, found = faults(ZONES, 2026, 2026)
    assert found == []
    assert judged >= 12 * 2 * (len(ZONES) - 2)
    casey = faults(["Antarctica/Casey"], 2020, 2020)  # by three hours, a minute after midnight
    assert casey == (24, [])


@pytest.mark.campaign
def test_no_slot_beside_any_change_is_lost_doubled_or_early() -> None:
    """All zones and all changes from 2020 to 2037."""
    names = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
    judged, found = faults(names, 2020, 2037)
    assert found == []
    assert judged > 80_000


def test_nothing_runs_at_once_in_an_hour_that_is_repeated(stage: ScheduleStage) -> None:
    """A schedule that is added in the second pass, or removed there and added again, does not run
    the slot of the first pass.
    """
    stage.move_to("2027-10-31T02:10:00", "Europe/Berlin")
    stage.move(HOUR)
    for _ in range(2):
        made = stage.add(cron="30 2 * * *", timezone="Europe/Berlin")
        assert [each["local"] for each in made["next"]] == [
            f"2027-11-0{day}T02:30:00+01:00" for day in range(1, 6)
        ]
        stage.look()
        stage.move(60)
        stage.look()
        stage.schedules().remove("one")
    assert stage.queued() == []


def test_real_time_is_followed_where_clocks_change_by_half_an_hour(stage: ScheduleStage) -> None:
    """Each slot between two and three is queued, also where the hour before has ninety minutes."""
    stage.move_to("2027-04-04T00:00:01", "Australia/Lord_Howe")
    stage.add(cron="*/10 2 * * *", timezone="Australia/Lord_Howe", overlap="allow")
    for _ in range(24):
        stage.move(600)
        stage.look()
    assert [slot["slot"][11:16] for slot in stage.slots()] == [
        "15:30",
        "15:40",
        "15:50",
        "16:00",
        "16:10",
        "16:20",
    ]
    assert set(stage.outcomes()) == {"queued"}
