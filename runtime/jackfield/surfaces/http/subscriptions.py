"""``/v1/subscriptions`` and ``/v1/triggers``: what connectors can watch, and what is watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.errors import JackfieldError
from jackfield.queue.subscriptions import WorkspaceSubscriptions
from jackfield.surfaces.http.parameters import limit_of
from jackfield.surfaces.shared.body import members_of
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.problem import Problem, of_error
from jackfield.surfaces.shared.server_context import ServerContext

T = TypeVar("T")

_OPTIONAL = {"connection", "inputs", "every", "from", "then"}


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/subscriptions``."""
    cursor, limit = request.query_params.get("cursor"), limit_of(request)
    items, after = await _done(request, server, identity, lambda all_: all_.page(cursor, limit))
    return answer({"items": items, "nextCursor": after})


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/subscriptions``."""
    body = await members_of(request, {"name", "trigger"}, _OPTIONAL)
    found = await _done(request, server, identity, lambda all_: all_.add(body))
    return answer(found, 201, {"Location": f"/v1/subscriptions/{found['name']}"})


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/subscriptions/{name}``."""
    return answer(await _done(request, server, identity, lambda all_: all_.show(request.path_params["name"])))


async def enabled(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/subscriptions/{name}:enable``."""
    return answer(await _done(request, server, identity, lambda all_: all_.enable(request.path_params["name"])))


async def disabled(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/subscriptions/{name}:disable``."""
    return answer(await _done(request, server, identity, lambda all_: all_.disable(request.path_params["name"])))


async def tested(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/subscriptions/{name}:test``."""
    return answer({"items": await _done(request, server, identity, lambda all_: all_.samples(request.path_params["name"]))})


async def removed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/subscriptions/{name}``."""
    await _done(request, server, identity, lambda all_: all_.remove(request.path_params["name"]))
    return Response(status_code=204)


async def _done(request: Request, server: ServerContext, identity: Identity, step: Callable[[WorkspaceSubscriptions], T]) -> T:
    """Run a step in a thread.

    :raises Problem: for errors of the step, and 503 if there is no database.
    """
    if not server.storage.enabled:
        raise Problem(503, "this server has no subscriptions, because no database is configured")
    runtime, base = await server.opened(identity.workspace), server.base(request)
    try:
        return await server.slowly(lambda: step(WorkspaceSubscriptions(runtime, identity.caller, identity.actor, base)))
    except JackfieldError as error:
        raise of_error(error) from None
