"""Sign-in to the console with a one-time link or a token, its sessions, and sign-out. The session's identity is looked up again for each
request, so revoking a token ends its sessions."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from jackfield.callers import Rules
from jackfield.clock import Clock, within
from jackfield.errors import JackfieldError
from jackfield.kernel.markup import Markup
from jackfield_console.components import csrf_field, fault_of, h, text_field
from jackfield_console.shell import LOGO, document, secured
from jackfield_server.shared.body import read_form
from jackfield_server.shared.cookies import CookieJar, csrf_token, same_token
from jackfield_server.shared.identity import MOMENT, REMEMBERED, Identity
from jackfield_server.shared.prefix import below_prefix
from jackfield_server.shared.problem import Problem
from jackfield_server.shared.server_context import ServerContext
from jackfield_store.access import DEFAULT, Audit, Tokens, UnknownToken
from jackfield_store.access.sessions import LASTS, Sessions
from jackfield_store.database.epoch import EpochCache, is_certain
from jackfield_store.database.sealing import digest
from jackfield_store.resources.storage import Storage

_KEPT = 1000
_OPERATOR = Identity(DEFAULT, "console", "manage", Rules(), "one-time link", "link")
"""Identity that a one-time link signs in as, until it switches to another workspace."""


def one_time_link(storage: Storage, clock: Clock, origin: str) -> str:
    """Create a URL that signs in once, within ten minutes, with the scope ``manage`` on the workspace ``default``.

    :raises JackfieldError: if there is no database, or it cannot be written.
    """
    return f"{origin}/login?once={Sessions(storage.database, lambda: storage.vault, DEFAULT, clock).make_link()}"


Found = tuple[Identity, str, bool]
"""Identity of a session, its secret, and whether a one-time link began it."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Session that held ``at`` a time (``time.monotonic``), and when it expires."""

    found: Found
    at: float
    expires: float


class ConsoleSessions:
    """Sign-in and sign-out, by one-time link, token or JWT."""

    def __init__(self, server: ServerContext) -> None:
        self._server = server
        self._known: EpochCache[str, _Known] = EpochCache(server.storage.epoch, _KEPT)
        self.jar = CookieJar(server.settings)

    async def remembered(self, request: Request) -> tuple[Found, int] | None:
        """Return what ``find`` has found within the last minute, and the reading of the epoch for which that is certain. It is for pages
        that need no database, and None unless the database does not answer at once."""
        epochs, session, clock = self._server.storage.epochs, self.jar.session(request), self._server.clock
        if epochs is None or epochs.answers_locally or session is None or self._known.last(key := digest(session[1])) is None:
            return None
        with within(MOMENT):
            if is_certain(await epochs.aread()):
                return None
        last = epochs.recent(REMEMBERED)
        known = None if last is None else self._known.under(last, key)
        if known is None or last is None or clock.monotonic() - known.at > REMEMBERED or known.expires <= clock.time():
            return None
        return known.found, last

    def find(self, request: Request, *, touch: bool) -> Found | None:
        """Return the request's identity, session secret, and whether a one-time link began the session; None if not signed in.

        ``touch`` counts the request as activity, which postpones the session's expiry.
        """
        found = self.jar.session(request)
        if found is None or not self._server.storage.enabled:
            return None
        workspace, secret = found
        known, key = {} if self._server.storage.answers_locally else self._known.present(), digest(secret)
        session = self._sessions(workspace).find(secret, touch=touch)
        identity = self._identity(workspace, session.identity) if session is not None else None
        if session is None or identity is None:
            known.pop(key, None)
            return None
        signed_in = identity, secret, session.identity["by"] == "link"
        self._known.keep(known, key, _Known(signed_in, self._server.clock.monotonic(), session.expires_at))
        return signed_in

    def by_link(self, secret: str) -> tuple[str, str] | None:
        """Spend a one-time link and begin a session; return its workspace and secret, or None if the link is spent or expired."""
        if not self._server.storage.enabled or not self._sessions(DEFAULT).spend_link(secret):
            return None
        self._record(_OPERATOR, "session.started")
        return DEFAULT, self._sessions(DEFAULT).begin({"by": "link"})

    def by_token(self, text: str) -> tuple[str, str] | None:
        """Begin a session for a jackfield token or a JWT; return its workspace and secret, or None if the token is invalid."""
        identity = self._server.identities.find(text) if self._server.storage.enabled else None
        if identity is None or identity.suspended or identity.kind == "platform":
            return None
        noted: dict[str, Any] = {"by": "token", "id": identity.id}
        lasts = LASTS
        if text.count(".") == 2:
            noted = {"by": "jwt", "id": identity.id, "scope": identity.scope, "name": identity.name}
            lasts = _expiry(text) - self._server.clock.time()
        self._record(identity, "session.started")
        return identity.workspace, self._sessions(identity.workspace).begin(noted, lasts)

    def move(self, request: Request, workspace: str) -> str:
        """Go on with an operator's session in another workspace, until it would have ended; return its secret there."""
        found = self.jar.session(request)
        before = self._sessions(found[0]).find(found[1]) if found is not None else None
        if found is None or before is None:
            raise Problem(403, "the session has ended: sign in again")
        lasts = before.expires_at - self._server.clock.time()
        secret = self._sessions(workspace).begin({"by": "link"}, lasts)
        self._sessions(found[0]).end(found[1])
        self._record(replace(_OPERATOR, workspace=workspace), "session.started")
        return secret

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
        storage = self._server.storage
        log = Audit(storage.database, lambda: storage.vault, identity.workspace, self._server.clock, identity.actor)
        log.record(event, "console", {"scope": identity.scope})

    def _identity(self, workspace: str, noted: Mapping[str, Any]) -> Identity | None:
        if noted["by"] == "link":
            return replace(_OPERATOR, workspace=workspace)
        if self._server.runtime(workspace).access.settings.suspended:
            return None
        if noted["by"] == "jwt":
            return Identity(workspace, noted["id"], noted["scope"], Rules(), noted["name"], "user")
        try:
            tokens = Tokens(self._server.storage.database, self._server.storage.vault, workspace, self._server.clock)
            token, refused = tokens.standing(noted["id"])
        except UnknownToken:
            return None
        if refused is not None:
            return None
        return Identity(workspace, token.id, token.scope, token.rules, token.name)

    def _sessions(self, workspace: str) -> Sessions:
        storage = self._server.storage
        return Sessions(storage.database, lambda: storage.vault, workspace, self._server.clock)


def _expiry(jwt: str) -> float:
    """Read the expiry of a JWT that has been verified (RFC 7519 §4.1.4)."""
    payload = jwt.split(".")[1]
    return float(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])


_LONGEST_FORM = 16 * 1024
_MOST_FIELDS = 10
_REASONS = {
    "expired": "Your session has expired. Sign in again.",
    "left": "You are signed out.",
}
_USED = "This link was already used, or is over ten minutes old. Restart the server to get a new one, or enter a token."
_NOT_OPENED = "This link was opened by another page. It is still valid: click it, or paste it into the address bar."
_UNKNOWN = "The token is invalid, expired or revoked."
_FOREIGN = "The form has expired. Try again."
_NO_COOKIE = "The form has expired, or your browser keeps no cookies of this site. Allow them, and try again."
_PLAIN = (
    "Your browser did not keep the cookie of this page: behind a proxy, cookies are for HTTPS only, and this page came over plain HTTP. "
    "Open the https:// address of the proxy. To try jackfield without one, start it without --behind-proxy, on 127.0.0.1."
)
_KEPT_NOTHING = "kept"
"""Reason of a visit after a sign-in that had to leave a cookie."""
_NO_STORE = "Signing in needs a database, and none is configured. Set JACKFIELD_DATABASE_URL."
_AHEAD = ("prefetch", "prerender")


def routes(server: ServerContext, sessions: ConsoleSessions) -> list[Route]:
    """Return the routes ``/login`` and ``/logout``."""
    pages = _SignInPages(server, sessions)
    return [
        Route("/login", _with_error_page(pages.shown), methods=["GET"]),
        Route("/login", _with_error_page(pages.entered), methods=["POST"]),
        Route("/logout", _with_error_page(pages.left), methods=["POST"]),
    ]


def safe_path(given: str) -> str:
    """Return ``given`` if it is a path on this server, else ``/``: prevents open redirects after the sign-in."""
    safe = given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable()
    return given if safe else "/"


def _with_error_page(function: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await function(request)
        except JackfieldError as error:
            whole = document(
                "Service unavailable", h.main(h.h1("Service unavailable"), fault_of(error.message, error.hint), class_="alone")
            )
            return secured(HTMLResponse(whole, 503))

    return endpoint


class _SignInPages:
    def __init__(self, server: ServerContext, sessions: ConsoleSessions) -> None:
        self._server = server
        self._sessions = sessions

    async def shown(self, request: Request) -> Response:
        once = request.query_params.get("once")
        if once is not None:
            if request.method == "HEAD":
                return secured(HTMLResponse(""))  # link previews of chat clients must not spend the link
            if any(word in request.headers.get("sec-purpose", request.headers.get("purpose", "")) for word in _AHEAD):
                return secured(Response(status_code=503))  # prefetching browsers must not spend the link
            if not _opened_by_a_person(request):
                return self._form(request, _NOT_OPENED, status=403)
            entered = await asyncio.to_thread(self._sessions.by_link, once[:200])
            after = f"/login?why={_KEPT_NOTHING}" if self._sessions.jar.is_secure else "/"
            return self._let_in(*entered, after) if entered is not None else self._form(request, _USED, status=403)
        why = request.query_params.get("why", "")
        if why == _KEPT_NOTHING:
            kept = self._sessions.jar.session(request) is not None
            return secured(RedirectResponse("/", 303)) if kept else self._form(request, _cookie_fault(request))
        return self._form(request, _REASONS.get(why))

    async def entered(self, request: Request) -> Response:
        try:
            fields = await read_form(request, _LONGEST_FORM, _MOST_FIELDS)
        except ValueError:
            return self._form(request, _UNKNOWN, status=403)
        visitor = self._sessions.jar.visitor(request)
        foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if visitor is None and not foreign:
            return self._form(request, _cookie_fault(request) if self._sessions.jar.is_secure else _NO_COOKIE, status=403)
        if foreign or visitor is None or not same_token(fields.get("csrf", ""), visitor):
            return self._form(request, _FOREIGN, status=403)
        token = fields.get("token", "").strip()
        try:
            await self._server.identities.prepare(token)
            async with self._server.guesses.turn(request):
                entered = await asyncio.to_thread(self._sessions.by_token, token)
            if entered is None:
                self._server.guesses.note(request)
        except Problem as refusal:  # too many attempts, or the identity provider's keys cannot be fetched
            return self._form(request, f"{refusal.detail[:1].upper()}{refusal.detail[1:]}. Try again.", refusal.status)
        if entered is None:
            return self._form(request, _UNKNOWN, status=403)
        return self._let_in(*entered, safe_path(fields.get("next", "/")))

    async def left(self, request: Request) -> Response:
        found = self._sessions.jar.session(request)
        if found is None or not same_token(await _csrf(request), found[1]):
            return secured(RedirectResponse("/", 303))
        await asyncio.to_thread(self._sessions.leave, request)
        response = secured(RedirectResponse("/login?why=left", 303))
        self._sessions.jar.end(response)
        return response

    def _let_in(self, workspace: str, secret: str, address: str) -> Response:
        """Render a page that refreshes to ``address``: a redirect of another site's link would not carry a SameSite=Strict cookie."""
        whole = document("Signed in", h.main(h.h1("Signed in"), h.p(h.a("Continue", href=address)), class_="alone"))
        refresh = h.meta(http_equiv="refresh", content=f"0;url={below_prefix(address)}")
        response = secured(HTMLResponse(whole.replace("</head>", f"{refresh}</head>", 1)))
        self._sessions.jar.begin(response, workspace, secret)
        return response

    def _form(self, request: Request, notice: str | None, status: int = 200) -> Response:
        response = HTMLResponse("", status)
        secret = self._sessions.jar.greet(response, self._sessions.jar.visitor(request))
        notice = notice if self._server.storage.enabled else _NO_STORE
        content = _sign_in(csrf_token(secret), safe_path(request.query_params.get("next", "/")), notice)
        response.body = response.render(document("Sign in", content))
        response.headers["content-length"] = str(len(response.body))
        return secured(response)


def _opened_by_a_person(request: Request) -> bool:
    """Return whether a link was clicked or pasted, rather than opened by a script, a redirect or a frame of another site."""
    headers = request.headers
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return headers.get("sec-fetch-user") == "?1" and headers.get("sec-fetch-dest") == "document"


def _cookie_fault(request: Request) -> str:
    """Explain why a browser has not sent a Secure cookie back: plain HTTP, unless the browser or the proxy says that it was HTTPS."""
    origin = request.headers.get("origin", "")
    return _NO_COOKIE if origin.startswith("https://") or request.scope["scheme"] == "https" else _PLAIN


async def _csrf(request: Request) -> str:
    try:
        return (await read_form(request, _LONGEST_FORM, _MOST_FIELDS)).get("csrf", "")
    except ValueError:
        return ""


def _sign_in(csrf: str, address: str, notice: str | None) -> Markup:
    hint = ["A token from this server (", h.code("jf_…"), "), or a JWT from your identity provider."]
    form = h.form(
        csrf_field(csrf),
        h.input(type="hidden", name="next", value=address),
        text_field("token", "Token", hint=hint, type="password", required=True),
        h.button("Sign in", class_="primary"),
        method="post",
        action="/login",
    )
    where = h.p(
        "On the server, ",
        h.code("jackfield serve"),
        " prints a one-time link, and ",
        h.code("jackfield tokens create --scope manage"),
        " creates a token.",
    )
    shown = h.p(notice, class_="notice", role="status") if notice else None
    return h.main(h.p(LOGO, h.span("jackfield"), class_="brand"), h.h1("Sign in"), shown, form, where, class_="alone", id="content")
