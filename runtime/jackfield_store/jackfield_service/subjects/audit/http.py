"""``/v1/audit``: the audit log of changes, tests, exports and sign-ins."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.clock import moment
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.http.query_parts import BY_NUMBER, TEXT, WHEN, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_store.access import Audit


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/audit``: the entries of the caller's workspace, newest first.

    :raises Problem: 403 for a token with rules, which would see entries that its rules hide.
    """
    if identity.rules:
        raise Problem(403, "a token with rules cannot read the audit log", code="not_allowed")
    server.require_database("audit log")
    given = request.query_params
    log = Audit(
        server.storage.database, lambda: server.storage.vault, identity.workspace, server.clock
    )
    wanted: dict[str, Any] = {
        "actor": given.get("actor"),
        "target": given.get("object"),
        "event": given.get("event"),
    }
    try:
        wanted |= {
            name: moment(
                given[name],
                server.clock.time(),
                -1,
                f"the parameter '{name}'",
                ends=name == "until",
            )
            for name in ("since", "until")
            if name in given
        }
    except InvalidInvocation as error:
        raise of_error(error, 400) from None
    found, cursor = await server.briefly(
        lambda: log.list(**wanted, cursor=given.get("cursor"), limit=limit_of(request))
    )
    return answer({"items": [entry.to_json() for entry in found], "nextCursor": cursor})


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/audit",
        listed,
        "manage",
        "listAudit",
        "List audit entries (changes, tests, exports, sign-ins), newest first.",
        {200: "AuditEntryList"},
        problems=(503,),
        query={
            **dict.fromkeys(("actor", "object", "event"), TEXT),
            "since": WHEN,
            "until": WHEN,
            **paged(BY_NUMBER),
        },
    ),
)
