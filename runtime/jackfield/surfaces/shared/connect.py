"""Connect sessions of a workspace, for the API and for the page that people open."""

from __future__ import annotations

import contextlib

from jackfield.access import Actor, Audit, Rules
from jackfield.access.platform_tokens import PlatformTokens
from jackfield.access.workspace_access import SUSPENDED, Caller
from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.server_context import ServerContext
from jackfield.tenants.connect_session import ConnectSession
from jackfield.tenants.connect_table import ConnectTable, late_workspaces, unknown, workspace_of
from jackfield.tenants.connecting import Connecting

PAGE = "/connect"
"""Path of the page; a link has a secret after it, the session's own page its ID after ``SESSION``."""
SESSION = f"{PAGE}/session"


def connecting(server: ServerContext, workspace: str) -> Connecting:
    """Return the connect sessions of a workspace.

    :raises Problem: 403 if the workspace is suspended.
    """
    storage, runtime = server.storage, server.runtime(workspace)
    if runtime.access.settings.suspended:
        raise Problem(403, SUSPENDED, code="not_allowed")
    table = ConnectTable(storage.database, lambda: storage.vault, workspace, server.clock)
    caller = Caller("connect session", "manage", Rules(), remote=True)
    return Connecting(table, runtime.connections_of(caller), lambda actor: Audit(storage.database, workspace, server.clock, actor))


def sweep(server: ServerContext) -> None:
    """End the sessions of all workspaces whose time is over."""
    for workspace in late_workspaces(server.storage.database, server.clock.time()):
        with contextlib.suppress(Problem):  # a suspended workspace's wait until it is resumed
            connecting(server, workspace).sweep()


def session_of(server: ServerContext, *, link: str = "", identifier: str = "") -> tuple[Connecting, ConnectSession]:
    """Return the session with this link or this ID, with the sessions of its workspace, for the person's browser.

    :raises UnknownSession: if there is none, or the platform's token that began it was revoked.
    :raises Problem: 403 if the workspace is suspended.
    """
    place = workspace_of(server.storage.database, link=link, identifier=identifier) if server.storage.enabled else None
    if place is None:
        raise unknown()
    sessions = connecting(server, place[0])
    found = sessions.find(place[1])
    platform = Actor.from_json(found.asked_by).id if found.asked_by else ""
    if not PlatformTokens(server.storage.database, server.storage.vault, server.clock).stands(platform):
        raise unknown()
    return sessions, found
