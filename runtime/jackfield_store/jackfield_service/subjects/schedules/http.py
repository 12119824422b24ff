"""``/v1/schedules``: invocations at given times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.invocation import Result
from jackfield_service.shell.http.endpoints import Endpoints
from jackfield_service.subjects.invocations.http import to_answer
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.identity.identity import Identity
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
