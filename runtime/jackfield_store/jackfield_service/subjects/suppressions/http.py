"""``/v1/suppressions``: recipients to whom nothing more is sent. They are people's addresses, so a token with rules sees none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request

from jackfield_service.shell.http.endpoints import Endpoints
from jackfield_service.shell.http.query_parts import BY_KEY, BY_MOMENT, filters, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.journal.suppressions import Suppressions
from jackfield_store.management.suppressions import audited_suppressions

T = TypeVar("T")


async def _done(_request: Request, server: ServerContext, identity: Identity, step: Callable[[Suppressions], T]) -> T:
    if identity.rules:
        raise Problem(403, "this needs a token without rules", code="not_allowed")
    server.require_database("suppressions")
    runtime = await server.opened(identity.workspace)
    settings = runtime.access.settings
    return await server.slowly(
        lambda: step(audited_suppressions(runtime.storage, identity.workspace, server.clock, identity.actor, settings))
    )


_SUPPRESSIONS = Endpoints(_done, "recipient")
FILTERS = ("reason",)
"""Members by which the list is filtered."""
listed = _SUPPRESSIONS.page(Suppressions.page, dict, FILTERS)
removed = _SUPPRESSIONS.removal(Suppressions.remove)


_BY_OUTCOME = f"{BY_MOMENT}~{BY_KEY}"
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/v1/suppressions", listed, "read", "listSuppressions",
        "List the recipients to whom nothing more is sent, the latest first.", {200: "SuppressionList"},
        query={**filters(FILTERS, reason=("bounce", "complaint")), **paged(_BY_OUTCOME)}, problems=(503,),
    ),
    Operation(
        "DELETE", "/v1/suppressions/{recipient}", removed, "manage", "removeSuppression", "Let a recipient be sent to again.",
        {204: ""}, problems=(404, 503),
    ),
)  # fmt: skip
