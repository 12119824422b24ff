"""Sign-in to the console. The session's identity is looked up again for each request, so revoking a token ends its sessions."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from jackfield.access import DEFAULT, Audit, Rules, Tokens, UnknownToken
from jackfield.access.sessions import LASTS, Sessions
from jackfield.clock import Clock
from jackfield.resources.storage import Storage
from jackfield.surfaces.console.cookies import CookieJar
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.server_context import ServerContext

_OPERATOR = Identity(DEFAULT, "console", "manage", Rules(), "one-time link", "link")
"""Identity that a one-time link signs in as."""


def one_time_link(storage: Storage, clock: Clock, origin: str) -> str:
    """Create a URL that signs in once, within ten minutes, with the scope ``manage`` on the workspace ``default``.

    :raises JackfieldError: if there is no database, or it cannot be written.
    """
    return f"{origin}/login?once={Sessions(storage.database, DEFAULT, clock).make_link()}"


class Entrance:
    """Sign-in and sign-out, by one-time link, token or JWT."""

    def __init__(self, server: ServerContext) -> None:
        self._server = server
        self.jar = CookieJar(server.settings)

    def find(self, request: Request, *, touch: bool) -> tuple[Identity, str, bool] | None:
        """Return the request's identity, session secret, and whether a one-time link began the session; None if not signed in.

        ``touch`` counts the request as activity, which postpones the session's expiry.
        """
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
        """Spend a one-time link and begin a session; return its workspace and secret, or None if the link is spent or expired."""
        if not self._server.storage.enabled or not self._sessions(DEFAULT).spend_link(secret):
            return None
        self._record(_OPERATOR, "session.started")
        return DEFAULT, self._sessions(DEFAULT).begin({"by": "link"})

    def by_token(self, text: str) -> tuple[str, str] | None:
        """Begin a session for a jackfield token or a JWT; return its workspace and secret, or None if the token is invalid."""
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
    """Read the expiry of a JWT that has been verified (RFC 7519 §4.1.4)."""
    payload = jwt.split(".")[1]
    return float(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
