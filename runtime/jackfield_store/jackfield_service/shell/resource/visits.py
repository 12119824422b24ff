"""Objects of a kind, opened for a caller of the server: a request of the API or of a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.resource.resource import Resource, Visit
from jackfield_store.access.platform_tokens import home_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.callers.actor import Actor
    from jackfield.connections.named_connection import Origin
    from jackfield_service.shell.identity.identity import Identity
    from jackfield_service.shell.process.server_context import ServerContext

T = TypeVar("T")


def opening(
    resource: Resource[T],
    request: Request,
    server: ServerContext,
    identity: Identity,
    *,
    origin: Origin = "remote",
    actor: Actor | None = None,
    home: str | None = None,
) -> Callable[[], T]:
    """Return the function that opens the resources of the caller's workspace or platform, or of
    ``home``. It runs in a thread.

    :raises Problem: 403 for a token with rules, if the resource refuses them; 503 without a
        database.
    """
    if resource.unruled and identity.rules:
        raise Problem(403, resource.unruled, code="not_allowed")
    server.require_database(resource.kept or resource.path.rpartition("/")[2])
    home = home or (
        home_of(identity.workspaces) if identity.kind == "platform" else identity.workspace
    )
    visit = Visit(
        server.storage,
        home,
        server.clock,
        identity.caller,
        actor or identity.actor,
        origin,
        partial(server.runtime, home),
        server.runtimes.guard,
        server.runtimes.outgoing,
        partial(server.base, request),
    )
    return partial(resource.opens, visit)
