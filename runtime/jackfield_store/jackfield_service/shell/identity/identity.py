"""Authentication: a jackfield token, a JWT of the operator's identity provider, or a console
session.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from starlette.requests import Request

from jackfield.callers import APPROVE, SCOPES, Caller, Rules, Scope, may, united
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import Clock, within
from jackfield.kernel.stored_values import is_storable
from jackfield.wire.outbound import ENVIRONMENT, way_out
from jackfield_service.shell.identity.identity_providers import Jwt
from jackfield_service.shell.identity.jwts import LEEWAY, Jwts
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access import DEFAULT, Settings, Tokens, UnknownWorkspace, Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.access.tokens import NOTED_EVERY
from jackfield_store.access.workspace_access import SUSPENDED
from jackfield_store.database.epoch import EpochCache, is_certain
from jackfield_store.database.faults import RowDamaged
from jackfield_store.resources.storage import Storage

if TYPE_CHECKING:
    from jackfield.callers.caller import PersonKey
    from jackfield.catalog.offering import Audience

_FRESH = 2.0
"""Seconds for which a verified JWT is cached."""
_KEPT = 1000
REMEMBERED = 60.0
"""Seconds after the database's last answer for which tokens that were valid then may still read
descriptions of connectors.
"""
MOMENT = 1.0
"""Seconds that a request for a description of connectors waits for the database."""
_OF_PLATFORM = (
    "A platform's token manages workspaces. Use a token of the workspace: POST "
    "/v1/workspaces/{w}/tokens creates one."
)
_LESS = "Use a token of the scope '{scope}'."
_ASK = {"WWW-Authenticate": 'Bearer realm="jackfield"'}


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller with a scope in one workspace. ``id`` is the token's id or the JWT's
    subject.
    """

    workspace: str
    id: str
    scope: Scope
    rules: Rules
    name: str = ""
    kind: Literal["token", "user", "link", "platform"] = "token"
    workspaces: str = ""
    """Pattern of the workspaces that a platform's token manages."""
    suspended: bool = False
    """True if the workspace refuses everything."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Limits of the workspace (``access.settings.LIMITS``)."""
    operates: bool = False
    """True for a person who is the operator in all workspaces, as the holder of a one-time link
    is.
    """
    grants: bool = False
    """True if the identity may create tokens of the scope ``approve``."""
    others: tuple[str, ...] = ()
    """Workspaces in which the person has roles, this one included."""
    person: PersonKey | None = None
    """Person who signed in, with the groups that roles name."""

    @property
    def holder(self) -> str:
        """Key under which requests in progress share limits: a workspace, or a platform's token,
        which belongs to none.
        """
        return self.workspace or self.id

    @property
    def actor(self) -> Actor:
        """Actor in the audit log."""
        return Actor(self.kind, self.id, self.name)

    @property
    def caller(self) -> Caller:
        """Caller for the journal and the access rules."""
        return self.caller_as("operator" if self.kind == "link" or self.operates else "tenant")

    def caller_as(self, audience: Audience) -> Caller:
        """Return the caller with the connectors and actions that are offered to ``audience``: an
        operator, a tenant or a client such as MCP.
        """
        token = self.id if self.kind == "token" else None
        return Caller(
            self.id,
            self.scope,
            self.rules,
            remote=True,
            token=token,
            audience=audience,
            person=self.person,
        )

    @property
    def is_operator(self) -> bool:
        """True if the identity may read this process's faults: it manages the operator's workspace,
        without rules.
        """
        return (
            self.workspace == DEFAULT
            and may(self.scope, "manage")
            and not self.rules
            and not self.suspended
        )

    @property
    def surface(self) -> str:
        """Surface for which hints are worded (``kernel.hints``)."""
        return f"http:{'operator' if self.is_operator else self.scope}"

    def require(self, scope: Scope) -> None:
        """Check that the scope is sufficient; ``http/app._endpoint`` calls it with the scope of the
        operation.

        :raises Problem: 403 if the scope is not sufficient.
        """
        if self.suspended:
            raise Problem(403, SUSPENDED, code="not_allowed")
        if not may(self.scope, scope):
            hint = _OF_PLATFORM if self.scope == "platform" else _LESS.format(scope=scope)
            raise Problem(
                403,
                f"this needs the scope '{scope}', but the token has '{self.scope}'",
                code="scope_missing",
                hint=hint,
            )


NOBODY = Identity("", "", "read", Rules())
"""Identity of requests to operations that need no token."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Identity behind a token, valid from ``since`` to ``until`` unless the epoch moves. ``until``
    is the expiry, or an earlier time at which the token's use must be noted.
    """

    since: float
    until: float
    identity: Identity
    expires: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """Identity of a token, and the reading of the epoch for which it is certain: the present one,
    or one of the last minute.
    """

    identity: Identity
    reading: int
    is_present: bool


class Identities:
    """Authenticator of requests, with a cache of recent identities. ``resource`` returns the
    audience that JWTs must name, if it differs from the HTTP API's, and ``most`` is their widest
    scope (RFC 8707: a token for one resource opens no other).
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        jwt: Jwt | None,
        resource: Callable[[], str] = lambda: "",
        most: Scope = "manage approve",
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._jwt = jwt
        self._known: EpochCache[str, _Known] = EpochCache(storage.epoch, _KEPT)
        self._running: dict[str, asyncio.Future[Identity]] = {}
        route = way_out(storage.environment, usual=ENVIRONMENT)
        self._jwts = (
            Jwts(jwt, clock, lambda: resource() or jwt.audience, route=route)
            if jwt is not None
            else None
        )
        self._most: Scope = most

    async def prepare(self, text: str) -> None:
        """Fetch a JWT's signing key if needed, before a thread is used for the look-up."""
        if self._jwts is not None and _is_jwt(text):
            await self._jwts.ready(text)

    def cached(self, text: str) -> Identity | None:
        """Return the identity of a recently used token if it is certainly still valid, without any
        query; else None.
        """
        epochs = self._storage.epochs
        told = epochs.answers_locally if epochs is not None else not self._storage.enabled
        return self._valid(self._known.present(), text) if told else None

    def last(self, text: str) -> Identity | None:
        """Return the identity of a token at its last query if only a new query can tell whether it
        is still valid; else None.
        """
        epochs = self._storage.epochs
        found = None if epochs is None or epochs.answers_locally else self._known.last(text)
        return None if found is None else found.identity

    def outlasting(self, text: str) -> Identity | None:
        """Return the identity that a token had at the database's last answer; None if it has
        expired since. It serves an operator's reads while the database is unavailable, when tokens
        cannot be revoked either.
        """
        found = self._known.last(text)
        return (
            found.identity
            if found is not None and found.since <= self._clock.time() < found.expires
            else None
        )

    async def awaited(self, text: str) -> Identity | None:
        """Return the identity of a cached token; None if the token is no longer valid. If only the
        database server knows this, one query confirms it for all requests of a tick.
        """
        return (await self._read(text))[0]

    async def remembered(self, text: str) -> Remembered | None:
        """Return the identity of a token for a request that needs no database: the current
        identity, or the identity of the last minute if the database does not answer at once. None
        if the token is not cached, or no longer valid.
        """
        epochs = self._storage.epochs
        last = None if epochs is None or epochs.answers_locally else epochs.recent(REMEMBERED)
        if epochs is None or last is None or self._known.under(last, text) is None:
            return None
        with within(MOMENT):
            identity, reading = await self._read(text)
        if reading is not None and is_certain(reading):
            return None if identity is None else Remembered(identity, reading, is_present=True)
        last = epochs.recent(REMEMBERED)  # another query may have been answered meanwhile
        found = None if last is None else self._known.under(last, text)
        held = found is not None and found.since <= self._clock.time() < found.expires
        return (
            Remembered(found.identity, last, is_present=False)
            if found is not None and last is not None and held
            else None
        )

    async def confirmed(self, text: str) -> tuple[Identity, int | None]:
        """Return the current identity of a token that ``last`` knows, and the reading of the epoch
        for which it is certain, None if the token was looked up anew.

        :raises Problem: 401 if the token is no longer known; 503 if it cannot be checked now.
        """
        identity, reading = await self._read(text)
        if identity is not None:
            return identity, reading
        await self.prepare(text)
        look_up = partial(asyncio.to_thread, self.of, text)  # with this task's deadline
        return await self.found_once(text, look_up), None

    async def _read(self, text: str) -> tuple[Identity | None, int | None]:
        epochs = self._storage.epochs
        if epochs is None or epochs.answers_locally:
            return None, None
        reading = await epochs.aread()
        with epochs.held(reading):
            return self._valid(self._known.present(), text), reading

    def of(self, text: str) -> Identity:
        """Return the identity behind a bearer token.

        :raises Problem: 401 if the token is empty or unknown; 503 if it cannot be checked now.
        """
        if not text:
            raise Problem(401, "a bearer token is missing: 'Authorization: Bearer …'", _ASK)
        if not self._storage.enabled and self._jwt is None:
            raise Problem(503, "token authentication needs a database, and none is configured")
        found = self.find(text)
        if found is None:
            raise Problem(401, "the bearer token is unknown, expired or revoked", _ASK)
        return found

    async def found_once(self, text: str, look_up: Callable[[], Awaitable[Identity]]) -> Identity:
        """Look a token up, once for all requests that wait for it: the first ones of many
        connections come together.

        A waiting request uses the identity of another's look-up only if it is still valid: the
        token may have been revoked since.

        :raises Problem: the error of ``look_up``.
        """
        running = self._running.get(text)
        if running is not None:
            await asyncio.wait((running,))
            known = self.cached(text)
            return known if known is not None else await look_up()
        running = self._running[text] = asyncio.ensure_future(look_up())
        running.add_done_callback(partial(self._over, text))
        return await asyncio.shield(running)

    def _over(self, text: str, done: asyncio.Future[Identity]) -> None:
        del self._running[text]
        if not done.cancelled():
            done.exception()  # if no request waits any more, nobody else retrieves it

    def find(self, text: str) -> Identity | None:
        """Return the identity of a token; None if it is unknown.

        :raises Problem: 503 for a JWT if no signing keys are available; 401 for a JWT outside its
            validity period.
        """
        known = self._known.present()
        valid = self._valid(known, text)
        if valid is not None:
            return valid
        found = (
            self._by_jwt(text) if self._jwts is not None and _is_jwt(text) else self._by_token(text)
        )
        if found is None:
            known.pop(text, None)
            return None
        self._known.keep(known, text, found)
        return found.identity

    def _valid(self, known: Mapping[str, _Known], text: str) -> Identity | None:
        found = known.get(text)
        return (
            found.identity
            if found is not None and found.since <= self._clock.time() < found.until
            else None
        )

    def _settings(self, workspace: str) -> Settings | None:
        """Return the settings of a workspace; None if it does not exist, the defaults if its row is
        damaged.
        """
        if not self._storage.enabled:
            return Settings() if workspace == DEFAULT else None
        try:
            return Workspaces(self._storage.database, self._storage.vault, self._clock).settings(
                workspace
            )
        except UnknownWorkspace:
            return None
        except RowDamaged:  # each operation reads them itself, and refuses in its own form
            return Settings()

    def _by_token(self, text: str) -> _Known | None:
        if not self._storage.enabled:
            return None
        now = self._clock.time()
        token = Tokens.authenticate(self._storage.database, self._storage.vault, self._clock, text)
        if token is None:
            return self._by_platform_token(text, now)
        noted = max(token.last_used_at or 0.0, now - NOTED_EVERY)
        until = min(
            token.expires_at or math.inf,
            (noted if noted > now - NOTED_EVERY else now) + NOTED_EVERY,
        )
        found = Identity(token.workspace, token.id, token.scope, token.rules, token.name)
        return _Known(
            now,
            until,
            _bound(found, self._settings(token.workspace) or Settings()),
            token.expires_at or math.inf,
        )

    def _by_platform_token(self, text: str, now: float) -> _Known | None:
        token = PlatformTokens.authenticate(
            self._storage.database, self._storage.vault, self._clock, text
        )
        if token is None:
            return None
        until = min(token.expires_at or math.inf, now + NOTED_EVERY)
        found = Identity(
            "", token.id, "platform", Rules(), token.name, "platform", token.workspaces
        )
        return _Known(now, until, found, token.expires_at or math.inf)

    def insufficient(self, text: str) -> Problem | None:
        """Return the refusal of a JWT that the provider issued for this resource but that gives no
        access; None for any other token. A new JWT would not give access either.
        """
        try:
            claims = self._jwts.claims(text) if self._jwts is not None and _is_jwt(text) else None
        except Problem:
            return None
        if self._jwt is None or claims is None:
            return None
        workspace = claims.get(self._jwt.workspace_claim)
        if not isinstance(workspace, str):
            return Problem(
                403,
                f"the token names no workspace: it has no claim '{self._jwt.workspace_claim}'",
                code="forbidden",
            )
        if _scope(claims.get(self._jwt.scope_claim), self._most) is None:
            return Problem(403, "the token has none of jackfield's scopes", code="scope_missing")
        return Problem(403, "the token's workspace does not exist", code="forbidden")

    def _by_jwt(self, text: str) -> _Known | None:
        now = self._clock.time()
        settings, claims = (
            (self._jwt, self._jwts.claims(text)) if self._jwts is not None else (None, None)
        )
        if settings is None or claims is None:
            return None
        scope = _scope(claims.get(settings.scope_claim), self._most)
        workspace = claims.get(settings.workspace_claim)
        subject, name = str(claims["sub"]), str(claims.get("name", ""))
        if (
            scope is None
            or not isinstance(workspace, str)
            or not is_storable(workspace, subject, name)
        ):
            return None
        bounds = self._settings(workspace)
        if bounds is None:
            return None
        found = Identity(workspace, subject, scope, Rules(), name, "user")
        return _Known(now, now + _FRESH, _bound(found, bounds), float(claims["exp"]) + LEEWAY)


def _bound(identity: Identity, settings: Settings) -> Identity:
    """Return the identity with its workspace's settings that apply to every request."""
    if not settings.suspended and not settings.limits:
        return identity
    return replace(identity, suspended=settings.suspended, limits=settings.limits)


def bearer(request: Request) -> str:
    """Return the bearer token of the ``Authorization`` header; an empty string without such a
    header.
    """
    return token_of(request.headers.get("authorization", ""))


def token_of(header: str) -> str:
    """Return the bearer token in the value of an ``Authorization`` header; an empty string if it is
    of another kind.
    """
    kind, _, text = header.partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def _is_jwt(text: str) -> bool:
    return text.count(".") == 2


def _scope(claim: object, most: Scope) -> Scope | None:
    """Return the scope in a claim, a string of words (RFC 8693 §4.2) or a list, with or without the
    prefix ``jackfield:``. It is the widest named scope, at most ``most``, united with ``approve``
    if named; None if no known scope is named.
    """
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    named = {str(word).removeprefix("jackfield:") for word in words}
    highest: Scope = next((scope for scope in reversed(SCOPES) if may(most, scope)), "read")
    found = next((scope for scope in reversed(SCOPES) if scope in named), None)
    if found is not None and not may(highest, found):
        found = highest
    return united(found, approves=APPROVE in named and may(most, APPROVE))
