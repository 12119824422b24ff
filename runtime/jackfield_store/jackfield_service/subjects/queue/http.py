"""Operations ``/v1/queue``: the figures of the queue, and dead invocations, queued again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.errors import IdempotencyConflict, InvalidInvocation
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.shell.requests.wording import reworded
from jackfield_service.subjects.invocations.http import journal_of, visible_entry
from jackfield_store.journal.queue_stats import NAMES, queue_stats
from jackfield_store.management.dead_letters import audited_dead_letters, refuse_unapproved


async def stats(_request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/queue``: the figures of the token's workspace. They cover all actions, so a
    token with rules cannot read them.
    """
    if identity.rules:
        raise Problem(403, "this needs a token without rules", code="not_allowed")
    await journal_of(server, identity)
    found = await server.briefly(lambda: queue_stats(server.storage.database, server.clock))
    return answer(found.get(identity.workspace, {**dict.fromkeys(NAMES, 0), "oldestSeconds": None}))


async def redrive(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations/{id}/redrive``."""
    entry = await visible_entry(request, server, identity)
    letters = audited_dead_letters(server.storage, identity.workspace, server.clock, identity.actor)
    runtime = await server.opened(identity.workspace)

    def step() -> None:
        refuse_unapproved(runtime.access.authorizer(identity.caller), entry)
        letters.redrive(entry.id)

    try:
        await server.briefly(step)
    except (InvalidInvocation, IdempotencyConflict) as error:
        raise of_error(error, 409) from None
    server.wake()
    return answer(
        reworded((await visible_entry(request, server, identity)).to_json(), identity.surface), 202
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/invocations/{id}/redrive",
        redrive,
        "manage",
        "redriveInvocation",
        "Queue a dead invocation again, with a fresh count of deliveries.",
        {202: "Entry"},
        problems=(404, 409),
    ),
    Operation(
        "GET",
        "/v1/queue",
        stats,
        "read",
        "showQueue",
        "Show the figures of the workspace's queue.",
        {200: "QueueStats"},
    ),
)
