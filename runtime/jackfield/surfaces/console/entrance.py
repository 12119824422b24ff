"""Who visits: from the cookie of a session to an identity, asked anew for each request, so that a revoked token ends its sessions."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.access import DEFAULT, Audit, Rules, Tokens, UnknownToken
from jackfield.access.sessions import LASTS, Sessions
from jackfield.surfaces.console.cookies import CookieJar
from jackfield.surfaces.shared.identity import Identity

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.clock import Clock
    from jackfield.resources.storage import Storage
    from jackfield.surfaces.shared.server_context import ServerContext

__all__ = ["Entrance", "one_time_link"]

_OPERATOR = Identity(DEFAULT, "console", "manage", Rules(), "one-time link", "link")
"""Whom a one-time link lets in."""


def one_time_link(storage: Storage, clock: Clock, origin: str) -> str:
    """An address that signs its first visitor in, within ten minutes, with the scope ``manage`` on the workspace ``default``.

    :raises JackfieldError: where there is no database, or it cannot be written.
    """
    return f"{origin}/login?once={Sessions(storage.database, DEFAULT, clock).make_link()}"


class Entrance:
    """Lets people in and out."""

    def __init__(self, server: ServerContext) -> None:
        self._server = server
        self.jar = CookieJar(server.settings)

    def find(self, request: Request, *, touch: bool) -> tuple[Identity, str, bool] | None:
        """Who visits, the session's secret, and whether they came by a one-time link; None where nobody is signed in."""
        found = self.jar.session(request)
        if found is None or not self._server.storage.enabled:
            return None
        workspace, secret = found
        session = self._sessions(workspace).find(secret, touch=touch)
        identity = self._identity(workspace, session.identity) if session is not None else None
        if session is None or identity is None:
            return None
        return identity, secret, session.identity["by"] == "link"

    def by_link(self, secret: str) -> tuple[str, str] | None:
        """The workspace and secret of a new session for a one-time link; None where it is used up."""
        if not self._server.storage.enabled or not self._sessions(DEFAULT).spend_link(secret):
            return None
        self._record(_OPERATOR, "session.started")
        return DEFAULT, self._sessions(DEFAULT).begin({"by": "link"})

    def by_token(self, text: str) -> tuple[str, str] | None:
        """The same for a token of ours, or a JWT of the operator's identity provider."""
        identity = self._server.identities.find(text) if self._server.storage.enabled else None
        if identity is None:
            return None
        noted: dict[str, Any] = {"by": "token", "id": identity.id}
        lasts = LASTS
        if text.count(".") == 2:
            noted = {"by": "jwt", "id": identity.id, "scope": identity.scope, "name": identity.name}
            lasts = _expiry(text) - self._server.clock.time()
        self._record(identity, "session.started")
        return identity.workspace, self._sessions(identity.workspace).begin(noted, lasts)

    def leave(self, request: Request) -> None:
        """End the visitor's session."""
        found = self.jar.session(request)
        if found is None or not self._server.storage.enabled:
            return
        visitor = self.find(request, touch=False)
        self._sessions(found[0]).end(found[1])
        if visitor is not None:
            self._record(visitor[0], "session.ended")

    def _record(self, identity: Identity, event: str) -> None:
        log = Audit(self._server.storage.database, identity.workspace, self._server.clock, identity.actor)
        log.record(event, "console", {"scope": identity.scope})

    def _identity(self, workspace: str, noted: Mapping[str, Any]) -> Identity | None:
        if noted["by"] == "link":
            return _OPERATOR
        if noted["by"] == "jwt":
            return Identity(workspace, noted["id"], noted["scope"], Rules(), noted["name"], "user")
        try:
            token = Tokens(self._server.storage.database, workspace, self._server.clock).find(noted["id"])
        except UnknownToken:
            return None
        if token.status(self._server.clock.time()) != "active":
            return None
        return Identity(workspace, token.id, token.scope, token.rules, token.name)

    def _sessions(self, workspace: str) -> Sessions:
        return Sessions(self._server.storage.database, workspace, self._server.clock)


def _expiry(jwt: str) -> float:
    """When a JWT that was verified before runs out (RFC 7519 §4.1.4)."""
    payload = jwt.split(".")[1]
    return float(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
