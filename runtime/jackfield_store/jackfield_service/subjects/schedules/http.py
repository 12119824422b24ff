"""Operations ``/v1/schedules``: invocations at given times."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jackfield.invocation import Result
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.http.resources import done, operations
from jackfield_service.shell.http.results import to_answer
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.subjects.schedules.subject import SCHEDULES

_NEXT = 5


async def run(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/schedules/{name}:run``."""
    found = await done(
        SCHEDULES,
        request,
        server,
        identity,
        lambda schedules: schedules.run(request.path_params["name"]),
    )
    if isinstance(found, Result):
        return to_answer(found, identity.surface)
    server.wake()
    return answer(
        {"invocationId": found, "status": "queued"}, 202, {"Location": f"/v1/invocations/{found}"}
    )


async def following(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/schedules/{name}/next``."""
    limit = limit_of(request, _NEXT)
    items = await done(
        SCHEDULES,
        request,
        server,
        identity,
        lambda schedules: schedules.next(request.path_params["name"], limit),
    )
    return answer({"items": items, "nextCursor": None})


async def slots(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/schedules/{name}/slots``."""
    cursor, limit = request.query_params.get("cursor"), limit_of(request)
    items, after = await done(
        SCHEDULES,
        request,
        server,
        identity,
        lambda schedules: schedules.slots(request.path_params["name"], cursor, limit),
    )
    return answer({"items": items, "nextCursor": after})


OPERATIONS = operations(SCHEDULES, run=run, next=following, slots=slots)
