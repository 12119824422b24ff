"""The times of a schedule: a cron expression in a time zone, an interval from an anchor on, or one
point in time.

Cron expressions follow Debian's rules (``cronsim``). On the days when clocks change, a fixed time
in the skipped hour runs at the hour's end, and a fixed time in the repeated hour runs once, at its
first occurrence. ``*`` and ``*/n`` follow real time. A day of the month and a day of the week are
alternatives if both are given and neither begins with ``*``.
"""

from __future__ import annotations

import math
import zoneinfo
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, partial
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso, moment, seconds, unclear, written
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInvocation, did_you_mean, missing_extra
from jackfield.kernel.hints import NextStep

if TYPE_CHECKING:
    from cronsim import CronSim

_KINDS = ("cron", "every", "at")
_OF_KIND = {"cron": ("timezone",), "every": ("anchor", "timezone"), "at": ("timezone",)}
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_SHORTEST, _LONGEST = 1.0, 366 * 86_400.0
_MAX_CRON = 200
_SPAN = "must be a duration of whole seconds from 1s to 366d, such as 10s, 5m, 12h or PT1H"
_DAY = 86_400
_YEARS = 10 * 366 * _DAY
"""Seconds within which a cron expression must have a slot: without one in ten years it is a
mistake.
"""
_HINT = NextStep("schedule_times")
MEMBERS = (*_KINDS, "timezone", "anchor")
"""Members of a schedule that define its times."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of a schedule: exactly one of ``cron``, ``every`` (seconds, counted from ``anchor``)
    and ``at``, in seconds since 1970.
    """

    cron: str | None = None
    timezone: str = "UTC"
    every: float | None = None
    anchor: float | None = None
    at: float | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any], now: float) -> Timing:
        """Read the members of a schedule that define its times. ``now`` is the anchor of an
        interval without one.

        :raises InvalidInvocation: if they are not valid, or no slot follows.
        """
        kinds = [name for name in _KINDS if given.get(name) is not None]
        if len(kinds) != 1:
            raise invalid("/cron", "give exactly one of 'cron', 'every' and 'at'")
        kind = kinds[0]
        for name in ("timezone", "anchor"):
            if given.get(name) is not None and name not in _OF_KIND[kind]:
                raise invalid(f"/{name}", f"has no meaning beside '{kind}'")
        timezone = given.get("timezone", "UTC")
        zone(timezone)
        if kind == "cron":
            found = cls(cron=_cron(given["cron"]), timezone=timezone)
        elif kind == "every":
            anchor = now if given.get("anchor") is None else _moment(given, "anchor", timezone, now)
            found = cls(
                every=_span(given["every"]), anchor=float(math.floor(anchor)), timezone=timezone
            )
        else:
            found = cls(at=_moment(given, "at", timezone, now), timezone=timezone)
        if (fault := found.fault) is not None:
            raise invalid(*fault)
        first = found.after(now)
        if first is None or (kind == "cron" and first > now + _YEARS):
            raise invalid(
                f"/{kind}",
                "is in the past" if kind == "at" else "matches no time in the next ten years",
            )
        return found

    @property
    def fault(self) -> tuple[str, str] | None:
        """Return the member that prevents the computation or display of slots, and its fault; None
        without a fault. A row may have been stored by an older version, on a machine with other
        time zones, or changed in the database.
        """
        try:
            found = zone(self.timezone)
            for name in ("at", "anchor"):
                if (at := getattr(self, name)) is not None and not _is_shown(at, found):
                    return (
                        f"/{name}",
                        (
                            "must be in the years 1 to 9999, in UTC and in the time zone "
                            f"{self.timezone}"
                        ),
                    )
            if self.every is not None and not _SHORTEST <= self.every <= _LONGEST:
                return "/every", _SPAN
            if self.cron is not None:
                _simulated(self.cron, datetime.now(UTC))
            elif self.every is self.at is None:
                return "", "the times are damaged"
        except InvalidInvocation as error:
            return error.details[0].path, error.details[0].message
        except (TypeError, AttributeError):
            return "", "the times are damaged"
        return None

    def after(self, at: float) -> float | None:
        """Return the first slot after a time; None if no slot follows."""
        return next(self.slots(at), None)

    def slots(self, after: float) -> Iterator[float]:
        """Iterate over all slots after a time, up to the end of the year 9999."""
        later = dropwhile(lambda slot: slot <= after, self._slots(after))
        return takewhile(partial(_is_shown, zone=zone(self.timezone)), later)

    def _slots(self, after: float) -> Iterator[float]:
        if self.at is not None:
            yield from (self.at,) if self.at > after else ()
        elif self.every is not None:
            anchor = self.anchor or 0.0
            number = max(0, math.floor((after - anchor) / self.every) + 1)
            while True:
                yield anchor + number * self.every
                number += 1
        else:
            try:
                yield from _matches(self.cron or "", math.floor(after), zone(self.timezone))
            except (OverflowError, ValueError):  # the calendar ends
                return

    def local(self, slot: float) -> datetime:
        """Return a slot in the schedule's time zone."""
        return datetime.fromtimestamp(slot, zone(self.timezone))

    def to_json(self) -> dict[str, Any]:
        """Return the members of a schedule that define its times."""
        if self.cron is not None:
            return {"cron": self.cron, "timezone": self.timezone}
        zoned = {} if self.timezone == "UTC" else {"timezone": self.timezone}
        if self.every is not None:
            return {"every": f"{self.every:.0f}s", "anchor": iso(self.anchor), **zoned}
        return {"at": iso(self.at), **zoned}


@cache
def zones() -> frozenset[str]:
    """Return the names of the time zones that IANA publishes. ``ZoneInfo`` also opens other files,
    and names of the machine's own zone, with which another machine would run such a schedule at
    another time.
    """
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    :raises InvalidInvocation: if no time zone has this name.
    """
    if name == "UTC":
        return UTC
    if name not in zones():
        raise invalid(
            "/timezone",
            f"'{name[:80]}' is not an IANA time zone such as "
            f"Europe/Berlin{did_you_mean(name, zones())}",
        )
    return zoneinfo.ZoneInfo(name)


def _cron(text: str) -> str:
    found = _MACROS.get(text.strip().lower(), " ".join(text.split()))
    if len(found) > _MAX_CRON or len(found.split(" ")) != 5:
        raise invalid(
            "/cron", "must have five fields: minute, hour, day of the month, month, day of the week"
        )
    next(_simulated(found, datetime.now(UTC)), None)
    for number, field in enumerate(found.split(" ")):
        for part in field.split(","):
            if "/" in part and len(_values(part, number)) == 1:
                step = (
                    f"the step of '{part}' is so wide that one value of the field is left: "
                    "write that value, or an interval as 'every'"
                )
                raise invalid("/cron", step)
    return found


def _values(part: str, number: int) -> set[Any]:
    """Return the values for a part of a cron expression's field."""
    found = _simulated(" ".join([*"*" * number, part, *"*" * (4 - number)]), datetime.now(UTC))
    values: tuple[set[Any], ...] = (
        found.minutes,
        found.hours,
        found.days,
        found.months,
        {7 if day == 0 else day for day in found.weekdays},
    )
    return values[number]


def _matches(expression: str, after: int, zone: tzinfo) -> Iterator[float]:
    """Iterate over the times after ``after`` that match a cron expression.

    The library omits times that follow real time near a clock change that is not by whole hours, or
    not at a whole hour. So it gets the local times between two changes, one range after the other,
    in which it omits none.
    """
    if not any(field.startswith("*") for field in expression.split(" ")[:2]):
        yield from (
            found.timestamp()
            for found in _simulated(expression, datetime.fromtimestamp(after, zone))
        )
        return
    change: int | None = after + 1
    while change is not None:
        begin, offset, change = change, _offset(change, zone), None
        for found in _simulated(expression, datetime.fromtimestamp(begin + offset - 1, UTC)):
            slot = int(found.timestamp()) - offset
            change = _change(begin, slot, zone)
            if change is not None:
                break
            yield slot
            begin = slot


def _change(begin: int, end: int, zone: tzinfo) -> int | None:
    """Return the first second after ``begin`` at which the clock has changed; None if it has not
    changed by ``end``. No zone changes its clock twice a day.
    """
    offset = _offset(begin, zone)
    for day in range(begin, end, _DAY):
        later = range(day + 1, min(day + _DAY, end) + 1)
        if _offset(later[-1], zone) != offset:
            return later[bisect_left(later, True, key=lambda at: _offset(at, zone) != offset)]
    return None


def _offset(at: int, zone: tzinfo) -> int:
    return round((datetime.fromtimestamp(at, zone).utcoffset() or timedelta()).total_seconds())


def _simulated(expression: str, start: datetime) -> CronSim:
    try:
        from cronsim import CronSim, CronSimError
    except ImportError:
        raise missing_extra("schedules by cron need", "server", "cronsim") from None
    try:
        return CronSim(expression, start)
    except CronSimError as error:
        raise invalid(
            "/cron",
            f"'{expression[:80]}' is not a cron expression: "
            f"{str(error)[:1].lower()}{str(error)[1:]}",
        ) from None


def _moment(given: Mapping[str, Any], name: str, timezone: str, now: float) -> float:
    """Parse a time, in the schedule's time zone unless the time names a time zone itself."""
    text = given[name]
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo:
            return written(found)
        first, second = (
            written(found.replace(tzinfo=zone(timezone), fold=fold)) for fold in (0, 1)
        )
        # A time that is skipped is after the change by the clocks before it, and before the change
        # by those after it.
        return (
            first
            if first <= second
            else _change(math.floor(second), math.ceil(first), zone(timezone)) or first
        )
    except (ValueError, OverflowError):
        return moment(text, now, 1, f"'{name}'")


def is_over(given: Mapping[str, Any], now: float) -> bool:
    """Return whether the only time of a schedule has passed.

    :raises InvalidInvocation: if it is not a time.
    """
    if given.get("at") is None:
        return False
    return _moment(given, "at", str(given.get("timezone") or "UTC"), now) <= now


def meaning_of_cron(text: Any) -> Any:
    """Return what a cron expression means: the values of each field, and which days combine. Text
    that is none means itself.
    """
    try:
        fields = _cron(text).split(" ")
    except (InvalidInvocation, TypeError, AttributeError):
        return text
    found = [
        frozenset[Any]().union(*(_values(part, number) for part in field.split(",")))
        for number, field in enumerate(fields)
    ]
    return (*found, fields[2].startswith("*"), fields[4].startswith("*"))


def meaning_of_time(text: Any) -> Any:
    """Return the time that a text with a time zone means; other text means itself."""
    try:
        found = datetime.fromisoformat(text.strip())
        return written(found) if found.tzinfo else text
    except (ValueError, OverflowError, AttributeError):
        return text


def _is_shown(at: float, zone: tzinfo) -> bool:
    """Return whether a time can be written in UTC and in a time zone."""
    try:
        return all(datetime.fromtimestamp(at, each) for each in (UTC, zone))
    except (ValueError, OverflowError, OSError):
        return False


def _span(given: str | int) -> float:
    span = seconds(given) if isinstance(given, str) else given
    if span is None or not _SHORTEST <= span <= _LONGEST or span != int(span):
        raise invalid("/every", _SPAN + (unclear(given) if isinstance(given, str) else ""))
    return float(span)


def invalid(path: str, message: str, hint: str | NextStep = _HINT) -> InvalidInvocation:
    """Return the error for a member of a schedule."""
    return InvalidInvocation(
        "1 member of the schedule is not valid", details=[Detail(path, message)], hint=hint
    )
