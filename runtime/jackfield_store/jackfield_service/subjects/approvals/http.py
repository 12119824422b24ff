"""``/v1/approvals``: calls that wait until a person approves them. A GET decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.hidden import visible_json
from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.http.query_parts import BY_MOMENT, filters, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import dumps
from jackfield_store.recording.decisions import STATUSES, WaitingCalls

T = TypeVar("T")


async def _done(
    _request: Request, server: ServerContext, identity: Identity, step: Callable[[WaitingCalls], T]
) -> T:
    server.require_database("approvals")
    runtime = await server.opened(identity.workspace)
    return await server.slowly(lambda: step(runtime.approvals_of(identity.caller, identity.actor)))


def _answer(value: Any) -> Response:
    """Answer a person who decides on a call: characters that are hidden, or reorder others, are
    escaped, and decode to the same string.
    """
    return Response(visible_json(dumps(value).decode()), 200, None, "application/json")


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/approvals``."""
    given, limit = request.query_params, limit_of(request)
    status, cursor = given.get("status"), given.get("cursor")
    items, following = await _done(
        request,
        server,
        identity,
        lambda approvals: approvals.list(status=status, cursor=cursor, limit=limit),
    )
    return _answer({"items": items, "nextCursor": following})


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/approvals/{id}``."""
    return _answer(
        await _done(
            request, server, identity, lambda approvals: approvals.show(request.path_params["id"])
        )
    )


async def approved(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/approvals/{id}:approve`` with ``{"why": text, "digest": text}``."""
    given = await _given(request)
    found = await _done(
        request,
        server,
        identity,
        lambda approvals: approvals.approve(request.path_params["id"], **given),
    )
    server.wake()
    return _answer(found)


async def declined(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/approvals/{id}:decline`` with ``{"why": text, "digest": text}``."""
    given = await _given(request)
    return _answer(
        await _done(
            request,
            server,
            identity,
            lambda approvals: approvals.decline(request.path_params["id"], **given),
        )
    )


async def _given(request: Request) -> dict[str, str]:
    """Return the reason of a decision, and the digest of the displayed call."""
    return await members_of(request, "Decision")


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/approvals",
        listed,
        "approve",
        "listApprovals",
        "List calls that wait until a person approves them, or waited for one, the newest first, "
        "without inputs.",
        {200: "ApprovalList"},
        query={**filters(("status",), status=STATUSES), **paged(BY_MOMENT)},
        problems=(503,),
    ),
    Operation(
        "GET",
        "/v1/approvals/{id}",
        shown,
        "approve",
        "showApproval",
        "Show an approval: while the call waits, with what would be sent, secrets masked.",
        {200: "Approval"},
        problems=(404, 503),
    ),
    Operation(
        "POST",
        "/v1/approvals/{id}:approve",
        approved,
        "approve",
        "approveCall",
        "Approve a call: the workers begin it.",
        {200: "Approval"},
        body="Decision",
        problems=(404, 409, 412, 413, 415, 503),
    ),
    Operation(
        "POST",
        "/v1/approvals/{id}:decline",
        declined,
        "approve",
        "declineCall",
        "Decline a call: nothing is sent.",
        {200: "Approval"},
        body="Decision",
        problems=(404, 409, 412, 413, 415, 503),
    ),
)
