"""``/v1/suppressions``: recipients to whom nothing more is sent. They are people's addresses, so a token with rules sees none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.errors import JackfieldError
from jackfield.journal.suppressions import Suppressions
from jackfield.management.suppressions import audited_suppressions
from jackfield.surfaces.http.parameters import limit_of
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.problem import Problem, of_error
from jackfield.surfaces.shared.server_context import ServerContext

T = TypeVar("T")


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/suppressions``."""
    cursor, limit = request.query_params.get("cursor"), limit_of(request)
    items, after = await _done(server, identity, lambda known: known.page(cursor, limit))
    return answer({"items": items, "nextCursor": after})


async def removed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/suppressions/{recipient}``."""
    await _done(server, identity, lambda known: known.remove(request.path_params["recipient"]))
    return Response(status_code=204)


async def _done(server: ServerContext, identity: Identity, step: Callable[[Suppressions], T]) -> T:
    if identity.rules:
        raise Problem(403, "this needs a token without rules")
    if not server.storage.enabled:
        raise Problem(503, "this server has no suppressions, because no database is configured")
    runtime = await server.opened(identity.workspace)
    try:
        return await server.slowly(lambda: step(audited_suppressions(runtime.storage, identity.workspace, server.clock, identity.actor)))
    except JackfieldError as error:
        raise of_error(error) from None
