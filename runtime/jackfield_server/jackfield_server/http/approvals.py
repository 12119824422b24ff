"""``/v1/approvals``: calls that wait until a person approves them. A GET decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield_server.http.endpoints import Endpoints
from jackfield_server.http.parameters import limit_of
from jackfield_server.shared.identity.identity import Identity
from jackfield_server.shared.process.server_context import ServerContext
from jackfield_server.shared.requests.body import members_of
from jackfield_server.shared.requests.json_response import answer
from jackfield_server.shared.requests.problem import Problem
from jackfield_store.recording.decisions import Approvals

T = TypeVar("T")


async def _done(_request: Request, server: ServerContext, identity: Identity, step: Callable[[Approvals], T]) -> T:
    server.require_database("approvals")
    runtime = await server.opened(identity.workspace)
    return await server.slowly(lambda: step(runtime.approvals_of(identity.caller, identity.actor)))


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/approvals``."""
    given, limit = request.query_params, limit_of(request)
    status, cursor = given.get("status"), given.get("cursor")
    items, following = await _done(request, server, identity, lambda approvals: approvals.list(status=status, cursor=cursor, limit=limit))
    return answer({"items": items, "nextCursor": following})


async def approved(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/approvals/{id}:approve`` with ``{"why": text}``."""
    why = await _why(request)
    found = await _done(request, server, identity, lambda approvals: approvals.approve(request.path_params["id"], why))
    server.wake()
    return answer(found)


async def declined(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/approvals/{id}:decline`` with ``{"why": text}``."""
    why = await _why(request)
    return answer(await _done(request, server, identity, lambda approvals: approvals.decline(request.path_params["id"], why)))


async def _why(request: Request) -> str:
    why = (await members_of(request, set(), {"why"})).get("why", "")
    if not isinstance(why, str):
        raise Problem(400, "'why' must be a text")
    return why


shown = Endpoints(_done, "id").one(Approvals.show)
