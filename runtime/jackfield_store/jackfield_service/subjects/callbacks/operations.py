"""The callbacks and deliveries of a workspace or a platform, as a caller of the server manages them."""

from __future__ import annotations

from jackfield.callers.actor import Actor
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.callbacks.callback import Origin
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.deliveries import Deliveries
from jackfield_store.access.platform_tokens import home_of


def callbacks_of(
    server: ServerContext, identity: Identity, origin: Origin = "remote", actor: Actor | None = None, *, home: str | None = None
) -> Callbacks:
    """Return the callbacks of the caller's workspace or platform, or those under ``home`` (``platform_tokens.home_of``), which the operator
    may manage; what it changes is audited in the caller's name, or ``actor``'s.

    :raises Problem: 403 for a token with rules, since callbacks get events of the whole workspace; 503 without a database.
    """
    _check(server, identity)
    database, vault, at = server.storage.database, server.storage.vault, home or _home(identity)
    return Callbacks(database, vault, at, server.clock, actor or identity.actor, origin=origin, guard=server.runtimes.outgoing)


def deliveries_of(server: ServerContext, identity: Identity, *, home: str | None = None) -> Deliveries:
    """Return the deliveries of the caller's workspace or platform, or those under ``home``.

    :raises Problem: as ``callbacks_of`` does.
    """
    _check(server, identity)
    return Deliveries(server.storage.database, server.storage.vault, home or _home(identity), server.clock)


def _home(identity: Identity) -> str:
    return home_of(identity.workspaces) if identity.kind == "platform" else identity.workspace


def _check(server: ServerContext, identity: Identity) -> None:
    if identity.rules:
        raise Problem(403, "a token with rules cannot manage callbacks, which get events of the whole workspace", code="not_allowed")
    server.require_database("callbacks")
