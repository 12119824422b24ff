"""Doubts over HTTP: resolution by a person, and a look at the provider now."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.errors import Detail, InvalidInvocation, JackfieldError
from jackfield_service.shell.http.bodies import invalid_body, members_of
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import of_error
from jackfield_service.shell.requests.wording import reworded
from jackfield_service.subjects.invocations.http import journal_of, visible_entry
from jackfield_store.runtime.evidence_loop import look_now


async def resolve(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations/{id}/resolve`` with ``{"as": "succeeded" | "failed", "note":
    text, "because": number of a look, "output": object}``.
    """
    body = await members_of(request, "Resolution")
    outcome, note = body["as"], body.get("note", "")
    because, output = body.get("because"), body.get("output")
    if isinstance(because, float):  # 1.0 is an integer to JSON Schema, and no number of a look
        fault = Detail("/because", "must be the number of a look")
        raise of_error(invalid_body([fault]), 400)
    await visible_entry(request, server, identity)
    journal = await journal_of(server, identity)
    try:
        entry = await server.briefly(
            lambda: journal.resolve(
                request.path_params["id"], outcome, identity.id, note, because, output
            )
        )
    except InvalidInvocation as error:
        raise of_error(error, 409) from None
    return answer(reworded(entry.to_json(), identity.surface))


async def look(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations/{id}/look``."""
    entry = await visible_entry(request, server, identity)
    runtime = await server.opened(identity.workspace)
    try:
        await server.asking(identity.workspace, lambda: look_now(runtime, entry.id))
    except InvalidInvocation as error:
        raise of_error(error, 409) from None
    return answer(
        reworded((await visible_entry(request, server, identity)).to_json(), identity.surface)
    )


async def ask(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations/{id}/ask``."""
    entry = await visible_entry(request, server, identity)
    runtime = await server.opened(identity.workspace)
    try:
        await server.asking(
            identity.workspace, lambda: runtime.ask(entry.id, caller=identity.caller)
        )
    except InvalidInvocation as error:
        raise of_error(error, 409) from None
    except JackfieldError as error:
        raise of_error(error) from None
    return answer(
        reworded((await visible_entry(request, server, identity)).to_json(), identity.surface)
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/invocations/{id}/resolve",
        resolve,
        "manage",
        "resolveInvocation",
        "Resolve an invocation in doubt.",
        {200: "Entry"},
        body="Resolution",
        problems=(404, 409, 413, 415, 422),
    ),
    Operation(
        "POST",
        "/v1/invocations/{id}/look",
        look,
        "manage",
        "lookForInvocation",
        "Ask the provider now what became of an invocation in doubt.",
        {200: "Entry"},
        problems=(404, 409),
    ),
    Operation(
        "POST",
        "/v1/invocations/{id}/ask",
        ask,
        "invoke",
        "askInvocation",
        "Send the request of an invocation in doubt again, under its key.",
        {200: "Entry"},
        problems=(403, 404, 409),
    ),
)
