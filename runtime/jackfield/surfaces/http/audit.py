"""``/v1/audit``: the audit log of changes, tests, exports and sign-ins."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jackfield.access import Audit
from jackfield.errors import JackfieldError
from jackfield.surfaces.http.parameters import limit_of
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.problem import Problem, of_error
from jackfield.surfaces.shared.server_context import ServerContext


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/audit``: the entries of the caller's workspace, newest first.

    :raises Problem: 403 for a token with rules, which would see entries that its rules hide.
    """
    if identity.rules:
        raise Problem(403, "a token with rules cannot read the audit log")
    if not server.storage.enabled:
        raise Problem(503, "this server has no audit log, because no database is configured")
    given = request.query_params
    log = Audit(server.storage.database, identity.workspace, server.clock)
    wanted = {"actor": given.get("actor"), "target": given.get("object"), "event": given.get("event")}
    try:
        found, cursor = await server.briefly(lambda: log.list(**wanted, cursor=given.get("cursor"), limit=limit_of(request)))
    except JackfieldError as error:
        raise of_error(error) from None
    return answer({"items": [entry.to_json() for entry in found], "nextCursor": cursor})
