"""Schedules: invocations at given times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield_service.shell.http.query_parts import BY_KEY, BY_SLOT, LIMIT, paged
from jackfield_service.shell.http.shape_parts import (
    GONE,
    MOMENT,
    NAME,
    NULLABLE,
    STRING,
    Json,
    object_of,
)
from jackfield_service.shell.resource.judged import shaped
from jackfield_service.shell.resource.resource import Act, Field, InFiles, Is, Resource, Visit
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.schedules.timing import (
    MEMBERS,
    is_over,
    meaning_of_cron,
    meaning_of_time,
)

_SCHEDULED: Json = {
    "type": "object",
    "description": (
        'An invocation without key. Inputs may contain {"$slot": "%Y-%m-%d"} for the slot\'s time.'
    ),
}
_SET = Is.GIVEN | Is.CHANGED
MISSED = {"skip": "skip all", "latest": "run the latest", "all": "run all"}
OVERLAP = {
    "skip": "skip the new one",
    "queue": "wait for the one before",
    "allow": "run at the same time",
}


def _passed(stated: Mapping[str, Any], visit: Visit) -> str:
    return "its 'at' has passed" if is_over(stated, visit.clock.time()) else ""


def _open(visit: Visit) -> WorkspaceSchedules:
    return WorkspaceSchedules(visit.runtime, visit.caller, visit.actor)


def add(schedules: WorkspaceSchedules, document: Mapping[str, Any]) -> Json:
    """Add a schedule from a document that has the shape.

    :raises JackfieldError: as ``WorkspaceSchedules.add`` does, and if it has not the shape.
    """
    return schedules.add(shaped("NewSchedule", document))


def change(schedules: WorkspaceSchedules, name: str, document: Mapping[str, Any]) -> Json:
    """Change a schedule by a document that has the shape.

    :raises JackfieldError: as ``add`` does.
    """
    return schedules.change(name, shaped("ScheduleChange", document))


SCHEDULES = Resource(
    "Schedule",
    "/v1/schedules",
    _open,
    fields=(
        Field("id", STRING, Is.ALWAYS),
        Field("name", NAME, Is.ALWAYS | Is.NEEDED, title="Name"),
        Field(
            "status", {"enum": ["active", "paused", "ended", "stopped"]}, Is.ALWAYS, title="Status"
        ),
        Field("reason", STRING),
        Field("fault", GONE),
        Field(
            "problem",
            {**STRING, "description": "Why what is stored of it cannot be run: it is paused."},
        ),
        Field("connector", STRING, Is.ALWAYS),
        Field("action", STRING, Is.ALWAYS, title="Action"),
        Field("connection", STRING),
        Field("invocation", _SCHEDULED, Is.NEEDED | Is.CHANGED),
        Field(
            "cron",
            {
                "type": "string",
                "maxLength": 200,
                "description": "Five fields, such as '*/5 * * * *', or @hourly, @daily, @weekly.",
            },
            _SET | Is.UNSORTED,
            title="Runs",
        ),
        Field(
            "timezone",
            {
                "type": "string",
                "maxLength": 100,
                "description": "IANA name, such as Europe/Berlin (default UTC).",
            },
            _SET,
        ),
        Field(
            "every",
            {
                "type": ["string", "integer"],
                "description": "A duration such as 10s, 5m or 12h, or seconds.",
            },
            _SET,
        ),
        Field(
            "anchor",
            {
                "type": "string",
                "maxLength": 40,
                "description": "A time from which the intervals are counted (default: now).",
            },
            _SET,
        ),
        Field(
            "at",
            {
                "type": "string",
                "maxLength": 40,
                "description": "Once: an RFC 3339 time, or a duration from now.",
            },
            _SET,
        ),
        Field(
            "missed",
            {
                "enum": [*MISSED],
                "description": "Which slots run that no scheduler ran in time (default: latest).",
            },
            Is.ALWAYS | _SET,
            title="Missed runs",
            words=MISSED,
        ),
        Field(
            "overlap",
            {
                "enum": [*OVERLAP],
                "description": (
                    "What becomes of a slot while an earlier invocation has not ended "
                    "(default: skip; queue if all missed slots run)."
                ),
            },
            Is.ALWAYS | _SET,
            title="If still running",
            words=OVERLAP,
        ),
        Field(
            "runsAs",
            object_of(("caller", "token"), caller=NULLABLE, token=NULLABLE),
            Is.ALWAYS,
            title="Runs as",
        ),
        Field("nextAt", {**NULLABLE, "format": "date-time"}, Is.ALWAYS, title="Next"),
        Field("silentUntil", MOMENT),
        Field("silentReason", STRING),
        Field(
            "next",
            {
                "type": "array",
                "items": {"$ref": "#/components/schemas/NextSlot"},
                "description": "The next five slots, of a schedule that is added or changed.",
            },
        ),
        Field(
            "slots",
            {"type": "array", "items": {"$ref": "#/components/schemas/Slot"}},
            title="Last run",
        ),
        Field("createdAt", MOMENT, Is.ALWAYS),
        Field("changedAt", MOMENT, Is.ALWAYS),
    ),
    acts=(
        Act(
            "list",
            WorkspaceSchedules.page,
            "List the schedules by name.",
            "read",
            verb="List the schedules.",
        ),
        Act(
            "create",
            add,
            "Run an invocation at given times, with the rights of this token.",
            problems=(404, 409, 422),
        ),
        Act("show", WorkspaceSchedules.show, "Show a schedule and its last slots.", "read"),
        Act(
            "change",
            change,
            "Change a schedule. It runs with the rights of this token from then on.",
            problems=(409, 422),
        ),
        Act(
            "pause", WorkspaceSchedules.pause, "Run no slots until it is resumed.", problems=(409,)
        ),
        Act(
            "resume",
            WorkspaceSchedules.resume,
            "Run the slots that follow. One that was stopped runs with the rights of this token.",
            problems=(409, 422),
            verb="Run the slots that follow.",
        ),
        Act("remove", WorkspaceSchedules.remove, "Delete a schedule."),
        Act(
            "next",
            WorkspaceSchedules.next,
            "Show the next slots.",
            "read",
            operation="nextSlots",
            answers={200: "NextSlotList"},
            query={"limit": LIMIT},
            reads=True,
        ),
        Act(
            "slots",
            WorkspaceSchedules.slots,
            "List the slots that are past, newest first.",
            "read",
            operation="listSlots",
            answers={200: "SlotList"},
            query=paged(BY_SLOT),
            reads=True,
        ),
        Act(
            "run",
            WorkspaceSchedules.run,
            "Queue the invocation now, with the rights of this token.",
            "invoke",
            problems=(409, 422),
            answers={200: "Result", 202: "Queued"},
        ),
    ),
    shapes={
        "Slot": object_of(
            ("slot", "outcome"),
            slot=MOMENT,
            last=MOMENT,
            slots={"type": "integer", "description": "More than one if recorded together."},
            outcome={"enum": ["queued", "waiting", "missed", "skipped", "refused"]},
            reason=STRING,
            invocationId=STRING,
            status=STRING,
        ),
        "NextSlot": object_of(
            ("slot", "local"),
            slot=MOMENT,
            local={**MOMENT, "description": "In the schedule's time zone."},
        ),
    },
    cursor=BY_KEY,
    filters=("status", "connector", "action", "connection"),
    closed=False,
    listed=("name", "status", "action", "cron", "slots", "nextAt"),
    stated=InFiles(
        together=MEMBERS,
        meanings={"cron": meaning_of_cron, "at": meaning_of_time, "anchor": meaning_of_time},
        passed=_passed,
    ),
    columns=(
        "name",
        "status",
        "connector",
        "action",
        "cron",
        "timezone",
        "every",
        "at",
        "nextAt",
        "reason",
    ),
)
RESOURCES = (SCHEDULES,)
