"""Doubts over HTTP: resolution by a person, and a look at the provider now."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import members_of
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.shell.requests.wording import reworded
from jackfield_service.subjects.invocations.http import journal_of, visible_entry
from jackfield_store.journal.entry import LONGEST_NOTE
from jackfield_store.runtime.evidence_loop import look_now


async def resolve(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations/{id}/resolve`` with ``{"as": "succeeded" | "failed", "note":
    text, "because": number of a look, "output": object}``.
    """
    body = await members_of(request, {"as"}, {"note", "because", "output"})
    outcome, note, because = body["as"], body.get("note", ""), body.get("because")
    if outcome not in ("succeeded", "failed"):
        raise Problem(400, "'as' must be succeeded or failed")
    if not isinstance(note, str) or len(note) > LONGEST_NOTE:
        raise Problem(400, f"'note' must be a text of at most {LONGEST_NOTE:,} characters")
    if "because" in body and type(because) is not int:
        raise Problem(400, "'because' must be the number of a look")
    output = body.get("output")
    if "output" in body and not isinstance(output, dict):
        raise Problem(400, "'output' must be an object")
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
)
