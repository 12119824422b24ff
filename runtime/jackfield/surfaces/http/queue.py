"""``/v1/queue`` and ``/v1/invocations/{id}/redrive``: figures of the queue, and dead invocations queued again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jackfield.errors import IdempotencyConflict, InvalidInvocation
from jackfield.journal.queue_stats import NAMES, queue_stats
from jackfield.management.dead_letters import audited_dead_letters
from jackfield.surfaces.http.invocations import visible_entry
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.problem import Problem, of_error
from jackfield.surfaces.shared.server_context import ServerContext


async def stats(_request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/queue``: the figures of the token's workspace. They cover all actions, so a token with rules cannot read them."""
    if identity.rules:
        raise Problem(403, "this needs a token without rules")
    runtime = await server.opened(identity.workspace)
    if runtime.journal is None:
        raise Problem(503, "this server has no journal")
    found = await server.briefly(lambda: queue_stats(server.storage.database, server.clock))
    return answer(found.get(identity.workspace, {**dict.fromkeys(NAMES, 0), "oldestSeconds": None}))


async def redrive(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations/{id}/redrive``."""
    entry = await visible_entry(request, server, identity)
    letters = audited_dead_letters(server.storage.database, identity.workspace, server.clock, identity.actor)
    try:
        await server.briefly(lambda: letters.redrive(entry.id))
    except (InvalidInvocation, IdempotencyConflict) as error:
        raise of_error(error, 409) from None
    server.wake()
    return answer((await visible_entry(request, server, identity)).to_json(), 202)
