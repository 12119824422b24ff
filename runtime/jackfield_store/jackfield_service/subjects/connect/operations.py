"""Connect sessions of a workspace, for the API and for the page that people open."""

from __future__ import annotations

import contextlib
from functools import partial

from jackfield.callers.actor import Actor
from jackfield.kernel.errors import JackfieldError
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connect.connecting import PAGE, Connecting, open_sessions
from jackfield_service.subjects.connect.session import ConnectSession
from jackfield_service.subjects.connect.table import late_workspaces, same, unknown, workspace_of
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.access.workspace_access import SUSPENDED

SESSION = f"{PAGE}/session"
"""Path of a session's own page, to which its ID is appended."""


def connecting(server: ServerContext, workspace: str) -> Connecting:
    """Return the connect sessions of a workspace.

    :raises Problem: 403 if the workspace is suspended.
    """
    runtime = server.runtime(workspace)
    if runtime.access.settings.suspended:
        raise Problem(403, SUSPENDED, code="not_allowed")
    return open_sessions(runtime, server.clock)


def sweep(server: ServerContext) -> None:
    """End the expired sessions of all workspaces that are not blocked."""
    blocked = server.storage.blocked
    for workspace in blocked.served(late_workspaces(server.storage.database, server.clock.time())):
        blocked.apart(workspace, "the end of connect sessions", partial(_sweep, server, workspace))


def _sweep(server: ServerContext, workspace: str) -> None:
    with contextlib.suppress(Problem):  # a suspended workspace's wait until it is resumed
        connecting(server, workspace).sweep()


def session_of(
    server: ServerContext,
    *,
    link: str = "",
    identifier: str = "",
    browser: str = "",
    returned: str = "",
    start: str = "",
) -> tuple[Connecting, ConnectSession]:
    """Return the session with this link or ID, and the sessions of its workspace. With an ID, the
    caller must present the secret of a browser, or the link to the approval. The browser is the one
    that opened the session, or the one that came back from the provider.

    :raises UnknownSession: if there is no such session, or the platform's token that began it was
        revoked.
    :raises Problem: 403 if the workspace is suspended, which callers without such proof do not
        learn.
    """
    place = (
        workspace_of(server.storage.database, link=link, identifier=identifier)
        if server.storage.enabled
        else None
    )
    if place is None:
        raise unknown()
    sessions = open_sessions(server.runtime(place[0]), server.clock)
    found = sessions.find(place[1])
    asked = Actor.from_json(found.asked_by) if found.asked_by else Actor("platform")
    tokens = PlatformTokens(server.storage.database, server.storage.vault, server.clock)
    # the operator's own sessions stand until they end
    stands = asked.kind != "platform" or tokens.stands(asked.id)
    came_back = same(found.apart, returned) or sessions.approvals.came_back(found, returned)
    known = (
        link or same(found.browser, browser) or came_back or sessions.approvals.leads(found, start)
    )
    if not stands or not known:
        raise unknown()
    return connecting(server, place[0]), found


def recognised(
    server: ServerContext,
    *,
    link: str = "",
    identifier: str = "",
    browser: str = "",
    returned: str = "",
) -> ConnectSession | None:
    """Return a session that can no longer be continued, such as one of a revoked token, so that its
    page can explain this; None without such a session. The browser has its link, has started it, or
    has come back for it: the ID alone reveals nothing.
    """
    try:
        place = (
            workspace_of(server.storage.database, link=link, identifier=identifier)
            if server.storage.enabled
            else None
        )
        if place is None:
            return None
        found = open_sessions(server.runtime(place[0]), server.clock).find(place[1])
    except JackfieldError:
        return None
    return (
        found
        if link
        or same(found.browser, browser)
        or same(found.opener, browser)
        or same(found.apart, returned)
        else None
    )
