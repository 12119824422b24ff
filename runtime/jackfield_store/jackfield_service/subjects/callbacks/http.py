"""Operations ``/v1/callbacks`` and ``/v1/deliveries``, of a workspace and, below ``/v1/platform``,
of a platform.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.clock import moment
from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.resources import done, operations
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.subjects.callbacks.callbacks import OVERLAP, Callbacks
from jackfield_service.subjects.callbacks.subject import (
    CALLBACKS,
    DELIVERIES,
    PLATFORM_CALLBACKS,
    PLATFORM_DELIVERIES,
)


async def rotated(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/callbacks/{id}:rotate``: a new secret; the present one stays valid for a
    while.
    """
    given = await members_of(request, "CallbackRotation")
    overlap, identifier = given.get("overlapSeconds", OVERLAP), request.path_params["id"]

    def rotate(callbacks: Callbacks) -> dict[str, object]:
        callbacks.find(identifier)
        made, until = callbacks.rotate(identifier, overlap)
        return {"id": identifier, **made.shown(), "previousUntil": until}

    return answer(await done(CALLBACKS, request, server, identity, rotate))


async def tested(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/callbacks/{id}:test``: send an event now, once, and return the outcome."""
    identifier = request.path_params["id"]
    await done(CALLBACKS, request, server, identity, lambda callbacks: callbacks.find(identifier))
    attempt = await done(
        CALLBACKS,
        request,
        server,
        identity,
        lambda callbacks: callbacks.test(identifier),
        waits="asking",
        judged=_damaged,
    )
    return answer({"delivered": attempt.succeeded, **attempt.to_json()})


def _damaged(error: JackfieldError) -> int | None:
    return 409 if isinstance(error, InvalidInvocation) else None


async def recovered(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/callbacks/{id}:recover``: send undelivered events since a time."""
    given, identifier = await members_of(request, "CallbackRecovery"), request.path_params["id"]
    await done(CALLBACKS, request, server, identity, lambda callbacks: callbacks.find(identifier))
    at = moment(given["since"], server.clock.time(), -1, "'since'")
    found = await done(
        DELIVERIES, request, server, identity, lambda deliveries: deliveries.recover(identifier, at)
    )
    return answer({"recovered": found}, 202)


OPERATIONS = tuple(
    operation
    for callbacks, deliveries in (
        (CALLBACKS, DELIVERIES),
        (PLATFORM_CALLBACKS, PLATFORM_DELIVERIES),
    )
    for operation in (
        *operations(callbacks, rotate=rotated, test=tested, recover=recovered),
        *operations(deliveries),
    )
)
