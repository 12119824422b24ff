"""Operations ``/hooks/{path}``: requests of providers, which
``jackfield_service.subjects.triggers.intake`` receives.
"""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.dataclass import replace
from jackfield_service.shell.identity.guesses import Guesses, address_of
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import read_body
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.triggers.intake import Hook, Intake, RefusedError

HANDSHAKES: tuple[tuple[Literal["GET", "OPTIONS"], str, str], ...] = (
    (
        "GET",
        "answerHook",
        (
            "Answer the handshake by which a provider checks a webhook's URL, where the trigger "
            "declares one."
        ),
    ),
    (
        "OPTIONS",
        "allowHook",
        "Allow the origin of a CloudEvents sender, where the trigger declares it.",
    ),
)
"""Further operations on a webhook's path: method, name and summary."""


class ServedIntake(Intake):
    """Intake of a server. ``turns`` are the turns of addresses that send forged requests."""

    def __init__(self, server: ServerContext) -> None:
        super().__init__(
            runtimes=server.runtimes,
            rate=server.settings.hook_rate,
            unknown=server.unknown,
            wake=server.wake,
        )
        self.turns = Guesses(self.forged)


def intake_of(server: ServerContext) -> ServedIntake:
    """Return the server's single intake."""
    return server.own(ServedIntake, lambda: ServedIntake(server))


async def received(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``/hooks/{path}``. Addresses with many unknown paths or forged requests wait here for
    their turn, without occupying a thread.

    :raises Problem: as ``Intake.find`` and ``Intake.take`` refuse a request; 503 if the bodies of
        all requests exceed their quota.
    """
    path, query, headers = (
        request.path_params["path"],
        dict(request.query_params),
        dict(request.headers.items()),
    )
    sent_query = request.url.query
    hook, intake = (
        Hook(
            request.method,
            path,
            query,
            headers,
            address=address_of(request),
            query_string=sent_query,
        ),
        intake_of(server),
    )
    try:
        async with server.guesses.turn(request):
            found = await server.briefly(lambda: intake.find(hook))
        hook = replace(hook, body=await read_body(request, found.largest))
        async with intake.turns.turn(request, found.subscription.id.encode()):
            answer = await server.slowly(lambda: intake.take(found, hook))
    except RefusedError as refused:
        raise Problem(refused.status, refused.detail, refused.headers) from None
    return Response(answer.body, answer.status, answer.headers)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/hooks/{path}",
        received,
        None,
        "receiveHook",
        "Receive a provider's webhook. Its events are stored before this responds.",
        {200: "text/plain"},
        body="*/*",
        problems=(400, 401, 404, 410, 413, 415, 429, 503),
    ),
    *(
        Operation(
            method,
            "/hooks/{path}",
            received,
            None,
            name,
            text,
            {200: "text/plain"},
            problems=(400, 401, 404, 405, 410, 429, 503),
        )
        for method, name, text in HANDSHAKES
    ),
)
