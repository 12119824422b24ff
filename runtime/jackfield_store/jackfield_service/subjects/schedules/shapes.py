"""Shapes of what the HTTP API takes and shows of schedules and their slots."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield_service.shell.http.shape_parts import GONE, MOMENT, NAME, NULLABLE, STRING, Json, closed_with, object_of

_WHEN: Mapping[str, Json] = {
    "cron": {"type": "string", "maxLength": 200, "description": "Five fields, such as '*/5 * * * *', or @hourly, @daily, @weekly."},
    "timezone": {"type": "string", "maxLength": 100, "description": "IANA name, such as Europe/Berlin (default UTC)."},
    "every": {"type": ["string", "integer"], "description": "A duration such as 10s, 5m or 12h, or seconds."},
    "anchor": {"type": "string", "maxLength": 40, "description": "A time from which the intervals are counted (default: now)."},
    "at": {"type": "string", "maxLength": 40, "description": "Once: an RFC 3339 time, or a duration from now."},
    "missed": {"enum": ["skip", "latest", "all"], "description": "Which slots run that no scheduler ran in time (default: latest)."},
    "overlap": {
        "enum": ["skip", "queue", "allow"],
        "description": "What becomes of a slot while an earlier invocation has not ended (default: skip; queue if all missed slots run).",
    },
}  # fmt: skip
_SCHEDULED: Json = {
    "type": "object",
    "description": 'An invocation without key. Inputs may contain {"$slot": "%Y-%m-%d"} for the slot\'s time.',
}
SHAPES: dict[str, Json] = {
    "NewSchedule": closed_with(("name", "invocation"), {"name": NAME, "invocation": _SCHEDULED, **_WHEN}),
    "ScheduleChange": closed_with((), {"invocation": _SCHEDULED, **_WHEN}),
    "Schedule": object_of(
        ("id", "name", "status", "connector", "action", "missed", "overlap", "runsAs", "nextAt", "createdAt", "changedAt"), closed=False,
        id=STRING, name=NAME, status={"enum": ["active", "paused", "ended", "stopped"]}, reason=STRING, fault=GONE,
        problem={**STRING, "description": "Why what is stored of it cannot be run: it is paused."},
        connector=STRING, action=STRING, connection=STRING, invocation=_SCHEDULED, **_WHEN,
        runsAs=object_of(("caller", "token"), caller=NULLABLE, token=NULLABLE), nextAt={**NULLABLE, "format": "date-time"},
        silentUntil=MOMENT, silentReason={"type": "string"},
        next={
            "type": "array", "items": {"$ref": "#/components/schemas/NextSlot"},
            "description": "The next five slots, of a schedule that is added or changed.",
        },
        slots={"type": "array", "items": {"$ref": "#/components/schemas/Slot"}}, createdAt=MOMENT, changedAt=MOMENT,
    ),
    "Slot": object_of(
        ("slot", "outcome"), slot=MOMENT, last=MOMENT, slots={"type": "integer", "description": "More than one if recorded together."},
        outcome={"enum": ["queued", "waiting", "missed", "skipped", "refused"]}, reason=STRING, invocationId=STRING, status=STRING,
    ),
    "NextSlot": object_of(("slot", "local"), slot=MOMENT, local={**MOMENT, "description": "In the schedule's time zone."}),
}  # fmt: skip
