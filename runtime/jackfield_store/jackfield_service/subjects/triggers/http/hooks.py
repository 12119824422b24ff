"""``/hooks/{path}``: requests of providers, which ``jackfield_service.subjects.triggers.intake`` receives."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.dataclass import replace
from jackfield_service.shell.identity.guesses import address_of
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import read_body
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.triggers.intake import Hook, RefusedError

HANDSHAKES: tuple[tuple[Literal["GET", "OPTIONS"], str, str], ...] = (
    ("GET", "answerHook", "Answer the handshake by which a provider checks a webhook's URL, where the trigger declares one."),
    ("OPTIONS", "allowHook", "Allow the origin of a CloudEvents sender, where the trigger declares it."),
)
"""Further operations on a webhook's path: method, name and text."""


async def received(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``/hooks/{path}``. Addresses with many unknown paths or forged requests wait here for their turn, and hold no thread.

    :raises Problem: as ``Intake.find`` and ``Intake.take`` refuse a request; 503 if the bodies of all requests exceed their quota.
    """
    path, query, headers = request.path_params["path"], dict(request.query_params), dict(request.headers.items())
    sent_query = request.url.query
    hook, intake = Hook(request.method, path, query, headers, address=address_of(request), query_string=sent_query), server.intake
    try:
        async with server.guesses.turn(request):
            found = await server.briefly(lambda: intake.find(hook))
        hook = replace(hook, body=await read_body(request, found.largest))
        async with server.forged.turn(request, found.subscription.id.encode()):
            answer = await server.slowly(lambda: intake.take(found, hook))
    except RefusedError as refused:
        raise Problem(refused.status, refused.detail, refused.headers) from None
    return Response(answer.body, answer.status, answer.headers)
