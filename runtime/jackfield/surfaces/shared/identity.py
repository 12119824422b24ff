"""Who asks: a bearer token of ours, a JWT of the operator's identity provider, or the session of the console."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jackfield.access import DEFAULT, Actor, Rules, Scope, Tokens, UnknownWorkspace, Workspaces, may
from jackfield.access.workspace_access import Caller
from jackfield.fork import at_fork
from jackfield.surfaces.shared.jwts import Jwts
from jackfield.surfaces.shared.problem import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.clock import Clock
    from jackfield.resources.storage import Storage
    from jackfield.surfaces.shared.settings import Jwt

__all__ = ["NOBODY", "Identities", "Identity", "bearer", "storable"]

_FRESH = 2.0
"""Seconds for which a token is taken as read: a revoked one may serve that long."""
_KEPT = 1000
_ASK = {"WWW-Authenticate": 'Bearer realm="jackfield"'}


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody with a scope in one workspace. ``id`` is the token's id or the JWT's subject."""

    workspace: str
    id: str
    scope: Scope
    rules: Rules
    name: str = ""
    kind: Literal["token", "user", "link"] = "token"

    @property
    def actor(self) -> Actor:
        """Whom the audit log names."""
        return Actor(self.kind, self.id, self.name)

    @property
    def caller(self) -> Caller:
        """The same for the pipe: the journal and the rules."""
        return Caller(self.id, self.scope, self.rules, remote=True, token=self.id if self.kind == "token" else None)

    def require(self, scope: Scope) -> None:
        """Do nothing where the scope is enough.

        :raises Problem: 403 where it is not.
        """
        if not may(self.scope, scope):
            raise Problem(403, f"this needs the scope '{scope}', and the token has '{self.scope}'")


NOBODY = Identity("", "", "read", Rules())
"""Whoever asks for what needs no token."""


class Identities:
    """Finds out who a request is from."""

    def __init__(self, storage: Storage, clock: Clock, jwt: Jwt | None) -> None:
        self._storage = storage
        self._clock = clock
        self._jwt = jwt
        self._known: OrderedDict[str, tuple[float, Identity]] = OrderedDict()
        self._lock = threading.Lock()
        at_fork(self)
        self._jwts = Jwts(jwt, clock) if jwt is not None else None

    async def prepare(self, text: str) -> None:
        """Let a JWT's key be fetched where it has to be, before a thread is taken to look who it is."""
        if self._jwts is not None and _is_jwt(text):
            await self._jwts.ready(text)

    def kept(self, request: Request) -> Identity | None:
        """The identity of a token that was just used; asks nobody."""
        known = self._known.get(bearer(request))
        return known[1] if known is not None and self._clock.monotonic() < known[0] else None

    def of(self, request: Request) -> Identity:
        """The identity behind the ``Authorization`` header.

        :raises Problem: 401 where there is none, or it is not known; 503 where that cannot be said now.
        """
        text = bearer(request)
        if not text:
            raise Problem(401, "a bearer token is missing: 'Authorization: Bearer …'", _ASK)
        if not self._storage.enabled and self._jwt is None:
            raise Problem(503, "this server has no database, and so knows no tokens")
        found = self.find(text)
        if found is None:
            raise Problem(401, "the bearer token is not known, has expired or was revoked", _ASK)
        return found

    def find(self, text: str) -> Identity | None:
        """The identity that a token stands for; None where it stands for none.

        :raises Problem: 503 where it is a JWT and no keys are known.
        """
        now = self._clock.monotonic()
        known = self._known.get(text)
        if known is not None and now < known[0]:
            return known[1]
        found = self._by_jwt(text) if self._jwts is not None and _is_jwt(text) else self._by_token(text)
        with self._lock:
            self._known.pop(text, None)
            if found is not None:
                self._known[text] = (now + _FRESH, found)
                if len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        return found

    def _exists(self, workspace: str) -> bool:
        if not self._storage.enabled:
            return workspace == DEFAULT
        try:
            Workspaces(self._storage.database, self._storage.vault, self._clock).settings(workspace)
        except UnknownWorkspace:
            return False
        return True

    def _by_token(self, text: str) -> Identity | None:
        if not self._storage.enabled:
            return None
        token = Tokens.authenticate(self._storage.database, self._clock, text)
        return None if token is None else Identity(token.workspace, token.id, token.scope, token.rules, token.name)

    def _by_jwt(self, text: str) -> Identity | None:
        settings, claims = (self._jwt, self._jwts.claims(text)) if self._jwts is not None else (None, None)
        if settings is None or claims is None:
            return None
        scope = _scope(claims.get(settings.scope_claim))
        workspace = claims.get(settings.workspace_claim)
        subject, name = str(claims["sub"]), str(claims.get("name", ""))
        if scope is None or not isinstance(workspace, str) or not storable(workspace, subject, name) or not self._exists(workspace):
            return None
        return Identity(workspace, subject, scope, Rules(), name, "user")


def bearer(request: Request) -> str:
    """The token of the ``Authorization`` header; nothing where there is none."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def _is_jwt(text: str) -> bool:
    return text.count(".") == 2


def storable(*texts: str) -> bool:
    """Whether a database takes these texts: JSON can hold lone surrogates and NUL, which no database's text can."""
    return not any("\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text) for text in texts)


def _scope(claim: object) -> Scope | None:
    """The widest of our scopes that a claim names: words in a string (RFC 8693 §4.2) or a list, with ``jackfield:`` before them or not."""
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    named = {str(word).removeprefix("jackfield:") for word in words}
    wide: tuple[Scope, ...] = ("manage", "invoke", "read")
    return next((scope for scope in wide if scope in named), None)
