"""Operations ``/v1/workspaces/{w}/connect-sessions``: a platform lets its user connect an account
on this server's page, and confirms the user's identity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.clock import Deadline, SystemClock, iso
from jackfield.kernel.errors import InvalidConnection, JackfieldError
from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.endpoints import page_of
from jackfield_service.shell.http.query_parts import BY_MOMENT, filters, paged
from jackfield_service.shell.http.resources import actor_of
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import ON_BEHALF, Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import of_error
from jackfield_service.subjects.connect.confirmation import being_confirmed
from jackfield_service.subjects.connect.connecting import PAGE, Connecting
from jackfield_service.subjects.connect.operations import connecting
from jackfield_service.subjects.connect.session import ConnectSession
from jackfield_service.subjects.connect.table import UnknownSession
from jackfield_service.subjects.connect.trials import SECONDS
from jackfield_service.subjects.tenants.http import done

T = TypeVar("T")
_REFUSED = 422
"""Status for a connection that is not valid."""
_PAUSE = 0.1
"""Seconds between two checks of a confirmation that another request performs, in this process or
another.
"""


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/workspaces/{w}/connect-sessions``. Only this response contains the link."""
    body, actor, page = (
        await members_of(request, "NewConnectSession"),
        actor_of(request, identity),
        server.link(request, PAGE),
    )
    session, link = await _run(
        request, server, identity, lambda sessions: sessions.create(body, actor)
    )
    headers = {
        "Location": f"/v1/workspaces/{request.path_params['w']}/connect-sessions/{session.id}",
        "Cache-Control": "no-store",
    }
    shown = {
        "id": session.id,
        "url": f"{page}/{link}",
        "expiresAt": iso(session.expires_at),
        **session.warnings,
    }
    return answer(shown, 201, headers)


async def confirmed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/workspaces/{w}/connect-sessions/{id}:confirm``."""
    body = await members_of(request, "ConnectConfirmation")
    proof, user, state = body["proof"], body["user"], body.get("digest")
    actor = actor_of(request, identity)
    identifier = request.path_params["id"]

    def confirm(sessions: Connecting) -> dict[str, Any] | None:
        try:
            return sessions.confirm(identifier, proof, user, actor, state)
        except JackfieldError as error:
            raise _referred(sessions, identifier, error) from None

    deadline = Deadline.after(SECONDS, SystemClock())
    while (found := await _run(request, server, identity, confirm)) is None:
        if deadline.remaining() <= 0:
            raise being_confirmed()
        await asyncio.sleep(_PAUSE)
    return answer(found)


def _referred(sessions: Connecting, identifier: str, error: JackfieldError) -> Exception:
    """Return the refusal of a confirmation, with the reference on the person's page if the platform
    has to mend the error.
    """
    with suppress(UnknownSession):
        blocked = sessions.find(identifier).blocked
        if blocked.get("message") == error.message:
            found = of_error(error, _REFUSED if isinstance(error, InvalidConnection) else None)
            found.members["reference"] = blocked["reference"]
            return found
    return error


async def _run(
    request: Request, server: ServerContext, identity: Identity, step: Callable[[Connecting], T]
) -> T:
    """Run a step that may call a provider, in a workspace that the platform manages.

    :raises Problem: 422 if a connection is not valid.
    """
    name = request.path_params["w"]
    await done(request, server, identity, lambda tenants: tenants.find(name))
    await server.indexed()
    try:
        return await server.asking(name, lambda: step(connecting(server, name)))
    except InvalidConnection as error:
        raise of_error(error, _REFUSED) from None


FILTERS = ("status", "user", "connection")
"""Members by which the list can be filtered."""
listed = page_of(_run, Connecting.page, ConnectSession.to_json, FILTERS)


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/workspaces/{w}/connect-sessions/{id}``."""
    return answer(
        await _run(
            request, server, identity, lambda sessions: sessions.show(request.path_params["id"])
        )
    )


async def cancelled(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/workspaces/{w}/connect-sessions/{id}``."""
    await _run(
        request, server, identity, lambda sessions: sessions.cancel(request.path_params["id"])
    )
    return Response(status_code=204)


_SESSION_STATUS = ("pending", "opened", "testing", "saved", "granted", "failed", "expired")
_LISTED = {**filters(FILTERS, status=_SESSION_STATUS), **paged(BY_MOMENT)}
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/workspaces/{w}/connect-sessions",
        created,
        "platform",
        "createConnectSession",
        "Begin a connect session: a user of the platform opens its link and connects an account. "
        "Only this response contains the link.",
        {201: "CreatedConnectSession"},
        headers=(ON_BEHALF,),
        body="NewConnectSession",
        problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "GET",
        "/v1/workspaces/{w}/connect-sessions",
        listed,
        "platform",
        "listConnectSessions",
        "List the connect sessions of the last week, those that last longest first.",
        {200: "ConnectSessionList"},
        query=_LISTED,
        problems=(404, 503),
    ),
    Operation(
        "GET",
        "/v1/workspaces/{w}/connect-sessions/{id}",
        shown,
        "platform",
        "showConnectSession",
        "Show how far a connect session has come.",
        {200: "ConnectSession"},
        problems=(404, 503),
    ),
    Operation(
        "DELETE",
        "/v1/workspaces/{w}/connect-sessions/{id}",
        cancelled,
        "platform",
        "cancelConnectSession",
        "End a connect session.",
        {204: ""},
        headers=(ON_BEHALF,),
        problems=(404, 409, 503),
    ),
    Operation(
        "POST",
        "/v1/workspaces/{w}/connect-sessions/{id}:confirm",
        confirmed,
        "platform",
        "confirmConnectSession",
        "Confirm which user came back with a session's proof. Only now the connection is made, "
        "and a provider's code is exchanged.",
        {200: "ConnectSession"},
        headers=(ON_BEHALF,),
        body="ConnectConfirmation",
        problems=(404, 409, 412, 413, 415, 422, 502, 503, 504),
    ),
)
