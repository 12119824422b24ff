"""Times of a schedule in words: each choice of the form is an interval, one time, or a cron
expression that the form writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from starlette.responses import Response

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import choice_field, field, h, text_field
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment
from jackfield_service.subjects.schedules import Timing
from jackfield_service.subjects.schedules.timing import invalid, zone, zones

NEXT = 5
_PLACE = "schedule:"
"""Prefix of the names of a schedule's own members in faults, which distinguishes them from
inputs.
"""
_KINDS = (
    ("every", "Every few minutes or hours"),
    ("daily", "Daily"),
    ("weekdays", "On weekdays, Monday to Friday"),
    ("weekly", "Weekly"),
    ("monthly", "Monthly"),
    ("at", "Once"),
    ("cron", "By a cron expression"),
)
_UNITS = (("s", "seconds"), ("m", "minutes"), ("h", "hours"), ("d", "days"))
_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_WEEK = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_DAYS = [*((str(day), str(day)) for day in range(1, 32)), ("L", "the last day")]
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")
_CLOCKED = "daily weekdays weekly monthly"
_FORMS = (
    ("daily", re.compile(r"(\d{1,2}) (\d{1,2}) \* \* \*\Z")),
    ("weekdays", re.compile(r"(\d{1,2}) (\d{1,2}) \* \* 1-5\Z")),
    ("weekly", re.compile(r"(\d{1,2}) (\d{1,2}) \* \* (?P<weekday>[0-6])\Z")),
    ("monthly", re.compile(r"(\d{1,2}) (\d{1,2}) (?P<day>\d{1,2}|L) \* \*\Z")),
)


@dataclass(frozen=True, slots=True)
class Times:
    """The form's fields for the times of a schedule, as strings; ``runs`` selects which of the
    others count.
    """

    runs: str = "daily"
    number: str = "10"
    unit: str = "m"
    time: str = "09:00"
    weekday: str = "1"
    day: str = "1"
    at: str = ""
    cron: str = ""
    timezone: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Times:
        """Read the fields that a browser has sent."""
        known = {name: given[name].strip() for name in cls.__slots__ if given.get(name, "").strip()}
        found = cls(**known)
        return found if found.runs in dict(_KINDS) else cls(**{**known, "runs": "cron"})

    @classmethod
    def of(cls, schedule: Mapping[str, Any]) -> Times:
        """Return the fields of an existing schedule."""
        timezone = str(schedule.get("timezone", "UTC"))
        if "every" in schedule:
            seconds = int(str(schedule["every"]).removesuffix("s"))
            unit = next(name for name, size in _SECONDS.items() if seconds % size == 0)
            return cls(
                runs="every", number=str(seconds // _SECONDS[unit]), unit=unit, timezone=timezone
            )
        if "at" in schedule:
            local = datetime.fromisoformat(schedule["at"]).astimezone(zone(timezone))
            return cls(runs="at", at=local.strftime("%Y-%m-%dT%H:%M:%S"), timezone=timezone)
        cron = str(schedule.get("cron", ""))  # none of a schedule whose times are damaged
        for runs, form in _FORMS:
            if (
                found := form.match(cron)
            ) is not None and f"{int(found[1])} {int(found[2])}" == f"{found[1]} {found[2]}":
                return cls(
                    runs=runs,
                    time=f"{int(found[2]):02}:{int(found[1]):02}",
                    timezone=timezone,
                    cron=cron,
                    **found.groupdict(),
                )
        return cls(runs="cron", cron=cron, timezone=timezone)

    def members(self) -> dict[str, str]:
        """Return the members of a schedule.

        :raises InvalidInvocation: if the time of day is not valid; the schedule's own checks judge
            the other fields.
        """
        timezone = {"timezone": self.timezone or "UTC"}
        if self.runs == "every":
            return {"every": f"{self.number}{self.unit}", **timezone}
        if self.runs in ("at", "cron"):
            return {self.runs: self.at if self.runs == "at" else self.cron, **timezone}
        clock = _CLOCK.match(self.time)
        if clock is None:
            raise invalid(
                "/time", "must be a time of the day such as 09:00", "Enter hours and minutes."
            )
        days = {
            "daily": "* * *",
            "weekdays": "* * 1-5",
            "weekly": f"* * {self.weekday}",
            "monthly": f"{self.day} * *",
        }[self.runs]
        return {"cron": f"{int(clock[2])} {int(clock[1])} {days}", **timezone}

    def words(self) -> str:
        """Return the times of the schedule in the form's words; a cron expression without such
        words is unchanged.
        """
        if self.runs == "every":
            unit = dict(_UNITS)[self.unit]
            return (
                f"Every {unit.removesuffix('s')}"
                if self.number == "1"
                else f"Every {self.number} {unit}"
            )
        if self.runs == "at":
            when = datetime.fromisoformat(self.at)
            return f"Once, on {when.day} {when:%b %Y} at {when:%H:%M:%S}".removesuffix(":00")
        month = "the last day" if self.day == "L" else f"day {self.day}"
        days = {
            "daily": "Daily",
            "weekdays": "On weekdays, Monday to Friday,",
            "monthly": f"Monthly, on {month},",
        }
        days["weekly"] = f"Weekly, on {_WEEK[int(self.weekday)]},"
        return (
            "By a cron expression" if self.runs == "cron" else f"{days[self.runs]} at {self.time}"
        )

    def place(self, path: str) -> str:
        """Return the form's path for a fault of a schedule's member."""
        name = path.removeprefix("/")
        shown = {"cron": "cron" if self.runs == "cron" else "time", "every": "number"}.get(
            name, name
        )
        return f"/{_PLACE}{shown}"

    def fields(self, request: PageRequest) -> Markup:
        """Render the fields, of which the page displays the relevant ones, and the next times."""
        known = h.datalist([h.option(value=name) for name in sorted(zones())], id="zones")
        number = text_field("number", "Every", self.number, inputmode="numeric", maxlength=6)
        hint = [
            "Minute, hour, day of the month, month, day of the week: ",
            h.code("0 7 * * 1-5"),
            ".",
        ]
        months = (
            "Months that do not have this day are left out." if self.runs == "monthly" else None
        )
        return h.fieldset(
            h.legend(h.h2("When it runs")),
            choice_field("runs", "Runs", _KINDS, self.runs),
            _of(
                "every",
                h.div(
                    placed("number", number),
                    choice_field("unit", "Unit", _UNITS, self.unit),
                    class_="pair",
                ),
            ),
            _of(
                "weekly",
                choice_field(
                    "weekday",
                    "Day of the week",
                    [(str(day), name) for day, name in enumerate(_WEEK)],
                    self.weekday,
                ),
            ),
            _of(
                "monthly",
                choice_field("day", "Day of the month", _DAYS, self.day),
                h.p(months, class_="hint") if months else None,
            ),
            _of(_CLOCKED, placed("time", text_field("time", "Time", self.time, type="time"))),
            _of(
                "at",
                placed(
                    "at",
                    text_field("at", "Date and time", self.at, type="datetime-local", step="1"),
                ),
            ),
            _of(
                "cron",
                placed(
                    "cron", text_field("cron", "Cron expression", self.cron, hint, maxlength=200)
                ),
            ),
            placed(
                "timezone",
                text_field(
                    "timezone",
                    "Time zone",
                    self.timezone,
                    "Such as Europe/Berlin.",
                    maxlength=64,
                    list="zones",
                    data_own_zone=not self.timezone,
                ),
            ),
            known,
            field(
                "next-times",
                "Next",
                h.output(
                    next_times(request, self),
                    id="next-times",
                    for_="runs",
                    hx_get="/schedule-times",
                    hx_include="#times",
                    hx_sync="this:replace",
                    hx_trigger="change from:#times, input from:#times delay:250ms",
                ),
            ),
            id="times",
            class_="stack",
        )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /schedule-times``: the next times of the fields in the query."""
    request.require("read")
    return fragment(next_times(request, Times.read(request.query)))


def next_times(request: PageRequest, times: Times) -> Node:
    """Render the next times, or the reason why there are none yet."""
    if (times.runs == "at" and not times.at) or (times.runs == "cron" and not times.cron):
        return h.span("Enter when it is to run.", class_="muted")
    try:
        timing = Timing.parse(times.members(), request.now)
    except InvalidInvocation as error:
        return h.span("; ".join(item.message for item in error.details), class_="wrong")
    slots = [timing.local(slot) for slot in islice(timing.slots(request.now), NEXT)]
    return [h.div(slot_text(slot), class_="small") for slot in slots] + [
        h.div(timing.timezone, class_="muted small")
    ]


def slot_text(slot: datetime) -> str:
    """Format the time of a slot, in its own time zone."""
    return f"{slot:%a} {slot.day} {slot:%b %Y, %H:%M:%S}"


def placed(name: str, control: Node) -> Markup:
    """Render a field for one of the schedule's own members, at which the script displays its
    faults.
    """
    return h.div(control, data_schemapath=f"inputs.{_PLACE}{name}")


def _of(kinds: str, *content: Node) -> Markup:
    """Render fields that apply to some of the choices only."""
    return h.div(content, data_of=kinds)
