"""``/v1/schedules``: invocations at given times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.invocation import Result
from jackfield_service.shell.http.endpoints import Endpoints
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.http.query_parts import BY_KEY, BY_SLOT, LIMIT, filters, paged
from jackfield_service.shell.http.results import to_answer
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import members_of
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules

T = TypeVar("T")

_NAME = "name"
_CHANGES = {"invocation", "cron", "timezone", "every", "anchor", "at", "missed", "overlap"}
_NEXT = 5


async def _done(_request: Request, server: ServerContext, identity: Identity, step: Callable[[WorkspaceSchedules], T]) -> T:
    """Run a step in a thread.

    :raises Problem: 503 if there is no database.
    """
    server.require_database("schedules")
    runtime = await server.opened(identity.workspace)
    return await server.slowly(lambda: step(WorkspaceSchedules(runtime, identity.caller, identity.actor)))


_SCHEDULES = Endpoints(_done, _NAME)
FILTERS = ("status", "connector", "action", "connection")
"""Members by which the list is filtered."""
listed = _SCHEDULES.page(WorkspaceSchedules.page, dict, FILTERS)
shown = _SCHEDULES.one(WorkspaceSchedules.show)
removed = _SCHEDULES.removal(WorkspaceSchedules.remove)
paused = _SCHEDULES.one(WorkspaceSchedules.pause)
resumed = _SCHEDULES.one(WorkspaceSchedules.resume)


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/schedules``."""
    body = await members_of(request, {_NAME, "invocation"}, _CHANGES - {"invocation"})
    found = await _done(request, server, identity, lambda schedules: schedules.add(body))
    return answer(found, 201, {"Location": f"/v1/schedules/{found[_NAME]}"})


async def changed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``PATCH /v1/schedules/{name}``."""
    body = await members_of(request, set(), _CHANGES)
    return answer(await _done(request, server, identity, lambda schedules: schedules.change(request.path_params[_NAME], body)))


async def run(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/schedules/{name}:run``."""
    found = await _done(request, server, identity, lambda schedules: schedules.run(request.path_params[_NAME]))
    if isinstance(found, Result):
        return to_answer(found, identity.surface)
    server.wake()
    return answer({"invocationId": found, "status": "queued"}, 202, {"Location": f"/v1/invocations/{found}"})


async def following(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/schedules/{name}/next``."""
    limit = limit_of(request, _NEXT)
    items = await _done(request, server, identity, lambda schedules: schedules.next(request.path_params[_NAME], limit))
    return answer({"items": items, "nextCursor": None})


async def slots(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/schedules/{name}/slots``."""
    cursor, limit = request.query_params.get("cursor"), limit_of(request)
    items, after = await _done(request, server, identity, lambda schedules: schedules.slots(request.path_params[_NAME], cursor, limit))
    return answer({"items": items, "nextCursor": after})


_SCHEDULE_STATUS = ("active", "paused", "ended", "stopped")
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/v1/schedules", listed, "read", "listSchedules", "List the schedules by name.",
        {200: "ScheduleList"}, query={**filters(FILTERS, status=_SCHEDULE_STATUS), **paged(BY_KEY)}, problems=(503,),
    ),
    Operation(
        "POST", "/v1/schedules", created, "manage", "createSchedule",
        "Run an invocation at given times, with the rights of this token.",
        {201: "Schedule"}, body="NewSchedule", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "POST", "/v1/schedules/{name}:pause", paused, "manage", "pauseSchedule", "Run no slots until it is resumed.",
        {200: "Schedule"}, problems=(404, 409, 503),
    ),
    Operation(
        "POST", "/v1/schedules/{name}:resume", resumed, "manage", "resumeSchedule",
        "Run the slots that follow. One that was stopped runs with the rights of this token.",
        {200: "Schedule"}, problems=(404, 409, 422, 503),
    ),
    Operation(
        "POST", "/v1/schedules/{name}:run", run, "invoke", "runSchedule",
        "Queue the invocation now, with the rights of this token.",
        {200: "Result", 202: "Queued"}, problems=(404, 409, 422, 503),
    ),
    Operation(
        "GET", "/v1/schedules/{name}/next", following, "read", "nextSlots", "Show the next slots.",
        {200: "NextSlotList"}, query={"limit": LIMIT}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/schedules/{name}/slots", slots, "read", "listSlots", "List the slots that are past, newest first.",
        {200: "SlotList"}, query=paged(BY_SLOT), problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/schedules/{name}", shown, "read", "showSchedule", "Show a schedule and its last slots.",
        {200: "Schedule"}, problems=(404, 503),
    ),
    Operation(
        "PATCH", "/v1/schedules/{name}", changed, "manage", "changeSchedule",
        "Change a schedule. It runs with the rights of this token from then on.",
        {200: "Schedule"}, body="ScheduleChange", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "DELETE", "/v1/schedules/{name}", removed, "manage", "removeSchedule", "Delete a schedule.",
        {204: ""}, problems=(404, 503),
    ),
)  # fmt: skip
