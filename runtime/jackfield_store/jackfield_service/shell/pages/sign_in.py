"""Sign-in to the console with a one-time link or a token, all its sessions, and sign-out. The
session's identity is looked up again for each request, so revoking a token ends its sessions.
"""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from jackfield.callers import Rules
from jackfield.kernel.clock import Clock, within
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup
from jackfield_service.shell.browsers.cookies import CookieJar, csrf_token, same_token
from jackfield_service.shell.identity.identity import MOMENT, REMEMBERED, Identity
from jackfield_service.shell.identity.jwts import LEEWAY
from jackfield_service.shell.identity.people import People
from jackfield_service.shell.pages.invitation import START, invited, provider_part
from jackfield_service.shell.pages.layout.components import csrf_field, fault_of, h, text_field
from jackfield_service.shell.pages.layout.shell import (
    LOGO,
    SIGNED_IN,
    document,
    secured,
    session_of,
)
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import read_form
from jackfield_service.shell.requests.prefix import below_prefix
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access import DEFAULT, Audit, Tokens, UnknownToken
from jackfield_store.access.sessions import LASTS, Sessions
from jackfield_store.access.sign_ins import Person
from jackfield_store.database.epoch import EpochCache, is_certain
from jackfield_store.keys.sealing import digest
from jackfield_store.resources.storage import Storage

_KEPT = 1000
_OPERATOR = Identity(DEFAULT, "console", "manage", Rules(), "one-time link", "link")
"""Identity that a one-time link signs in as, until it switches to another workspace."""


def one_time_link(storage: Storage, clock: Clock, origin: str) -> str:
    """Create a URL that signs in once, within ten minutes, with the scope ``manage`` on the
    workspace ``default``.

    :raises JackfieldError: if there is no database, or it cannot be written.
    """
    return f"{origin}/login?once={Sessions(storage.database, lambda: storage.vault, DEFAULT, clock).make_link()}"


Found = tuple[Identity, str, bool]
"""Identity of a session, its secret, and whether it started from a one-time link."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Session that was valid ``at`` a time (``time.monotonic``), and its expiry."""

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
        """Return a result of ``find`` that is at most a minute old, and the reading of the epoch
        for which it is certain, for pages that need no database. None if the database answers at
        once, or without such a result.
        """
        epochs, session, clock = (
            self._server.storage.epochs,
            self.jar.session(request),
            self._server.clock,
        )
        if (
            epochs is None
            or epochs.answers_locally
            or session is None
            or self._known.last(key := digest(session[1])) is None
        ):
            return None
        with within(MOMENT):
            if is_certain(await epochs.aread()):
                return None
        last = epochs.recent(REMEMBERED)
        known = None if last is None else self._known.under(last, key)
        if (
            known is None
            or last is None
            or clock.monotonic() - known.at > REMEMBERED
            or known.expires <= clock.time()
        ):
            return None
        return known.found, last

    def find(self, request: Request, *, touch: bool) -> Found | None:
        """Return the request's identity, session secret, and whether a one-time link began the
        session; None if not signed in.

        ``touch`` counts the request as activity, which postpones the session's expiry.
        """
        found = self.jar.session(request)
        if found is None or not self._server.storage.enabled:
            return None
        workspace, secret = found
        known, key = (
            {} if self._server.storage.answers_locally else self._known.present(),
            digest(secret),
        )
        session = self._sessions(workspace).find(secret, touch=touch)
        identity = self._identity(workspace, session.identity) if session is not None else None
        if session is None or identity is None:
            known.pop(key, None)
            return None
        signed_in = identity, secret, identity.operates or session.identity["by"] == "link"
        self._known.keep(
            known, key, _Known(signed_in, self._server.clock.monotonic(), session.expires_at)
        )
        return signed_in

    def by_link(self, secret: str) -> tuple[str, str] | None:
        """Spend a one-time link and begin a session; return its workspace and secret, or None if
        the link is spent or expired.
        """
        if not self._server.storage.enabled or not self._sessions(DEFAULT).spend_link(secret):
            return None
        self._record(_OPERATOR, "session.started")
        return DEFAULT, self._sessions(DEFAULT).begin({"by": "link"})

    def by_token(self, text: str) -> tuple[str, str] | None:
        """Begin a session for a jackfield token or a JWT; return its workspace and secret, or None
        if the token is invalid.
        """
        identity = self._server.identities.find(text) if self._server.storage.enabled else None
        if identity is None or identity.suspended or identity.kind == "platform":
            return None
        noted: dict[str, Any] = {"by": "token", "id": identity.id}
        lasts = LASTS
        if text.count(".") == 2:
            noted = {"by": "jwt", "id": identity.id, "scope": identity.scope, "name": identity.name}
            left = _expiry(text) - self._server.clock.time()
            # by the provider's clock, it has not expired
            lasts = left if left > 0 else left + LEEWAY
        self._record(identity, "session.started")
        return identity.workspace, self._sessions(identity.workspace).begin(noted, lasts)

    def by_person(self, person: Person, workspace: str) -> tuple[str, str] | None:
        """Begin a session for a person who has signed in at the provider; return its workspace and
        secret, or None without a role.
        """
        people = self._server.people
        identity = None if people is None else _identified(people, person, workspace)
        if people is None or identity is None:
            return None
        self._record(identity, "session.started")
        return workspace, self._sessions(workspace).begin(
            {"by": "person", "person": people.sign_ins.begin(person)}
        )

    def lapsed(self, request: Request) -> bool:
        """Return whether the request has a person's session that is not valid now, but that the
        provider may renew.
        """
        found = self.jar.session(request)
        if found is None or self._server.people is None or not self._server.storage.enabled:
            return False
        session = self._sessions(found[0]).find(found[1], touch=False)
        return (
            session is not None
            and session.identity["by"] == "person"
            and self._identity(found[0], session.identity) is None
        )

    def move(self, request: Request, workspace: str) -> str:
        """Continue a session in another workspace, until its former expiry; return its secret
        there.

        :raises Problem: if the session has ended, or may not enter that workspace.
        """
        found = self.jar.session(request)
        before = self._sessions(found[0]).find(found[1]) if found is not None else None
        if found is None or before is None:
            raise Problem(403, "the session has ended: sign in again")
        identity = (
            self._identity(workspace, before.identity)
            if before.identity["by"] in ("link", "person")
            else None
        )
        if identity is None:
            raise Problem(404, "you have no role in this workspace")
        secret = self._sessions(workspace).begin(
            before.identity, before.expires_at - self._server.clock.time()
        )
        self._sessions(found[0]).end(found[1])
        self._record(identity, "session.started")
        return secret

    def leave(self, request: Request) -> None:
        """End the visitor's session."""
        found = self.jar.session(request)
        if found is None or not self._server.storage.enabled:
            return
        visitor, session = (
            self.find(request, touch=False),
            self._sessions(found[0]).find(found[1], touch=False),
        )
        self._sessions(found[0]).end(found[1])
        if (
            session is not None
            and session.identity["by"] == "person"
            and self._server.people is not None
        ):
            self._server.people.sign_ins.end(session.identity["person"])
        if visitor is not None:
            self._record(visitor[0], "session.ended")

    def _record(self, identity: Identity, event: str) -> None:
        storage = self._server.storage
        log = Audit(
            storage.database,
            lambda: storage.vault,
            identity.workspace,
            self._server.clock,
            identity.actor,
        )
        log.record(event, "console", {"scope": identity.scope})

    def _identity(self, workspace: str, noted: Mapping[str, Any]) -> Identity | None:
        if noted["by"] == "link":
            return replace(_OPERATOR, workspace=workspace)
        if noted["by"] == "person":
            return self._person(workspace, noted["person"])
        if self._is_suspended(workspace):
            return None
        if noted["by"] == "jwt":
            return Identity(workspace, noted["id"], noted["scope"], Rules(), noted["name"], "user")
        return self._token(workspace, noted["id"])

    def _token(self, workspace: str, identifier: str) -> Identity | None:
        storage = self._server.storage
        try:
            token, refused = Tokens(
                storage.database, storage.vault, workspace, self._server.clock
            ).standing(identifier)
        except UnknownToken:
            return None
        return (
            Identity(workspace, token.id, token.scope, token.rules, token.name)
            if refused is None
            else None
        )

    def _person(self, workspace: str, identifier: str) -> Identity | None:
        people = self._server.people
        person = None if people is None else people.current(identifier)
        found = None if people is None or person is None else _identified(people, person, workspace)
        return (
            None
            if found is None or (not found.operates and self._is_suspended(workspace))
            else found
        )

    def _is_suspended(self, workspace: str) -> bool:
        return self._server.runtime(workspace).access.settings.suspended

    def _sessions(self, workspace: str) -> Sessions:
        storage = self._server.storage
        return Sessions(storage.database, lambda: storage.vault, workspace, self._server.clock)


def _identified(people: People, person: Person, workspace: str) -> Identity | None:
    """Return the identity of a person in a workspace, by the current roles; None for a person
    without a role.
    """
    rights = people.rights(person, workspace)
    if rights is None:
        return None
    return Identity(
        workspace,
        person.id,
        rights.scope,
        rights.rules,
        person.name,
        "user",
        operates=rights.operates,
        grants=rights.grants,
        others=people.workspaces(person),
        person=people.key_of(person),
    )


def _expiry(jwt: str) -> float:
    """Read the expiry of a verified JWT (RFC 7519 §4.1.4)."""
    payload = jwt.split(".")[1]
    return float(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])


_LONGEST_FORM = 16 * 1024
_MOST_FIELDS = 10
SPENT = "spent"
"""Reason for a visit with an already used answer of the identity provider: a signed-in person
continues.
"""
_REASONS = {
    "expired": "Your session has expired. Sign in again.",
    "left": "You are signed out.",
    SPENT: "This sign-in was finished already, or did not begin in this browser. Sign in again.",
}
_USED = (
    "This link was already used, or is over ten minutes old. Restart the server to get a new "
    "one, or enter a token."
)
_NOT_OPENED = (
    "This link was opened by another page. It is still valid: click it, or paste it into the "
    "address bar."
)
_NOT_INVITED = "This invitation was used already, or is over a day old. Ask for another one."
_UNKNOWN = "The token is invalid, expired or revoked."
_FOREIGN = "The form has expired. Try again."
_NO_COOKIE = (
    "The form has expired, or your browser keeps no cookies of this site. Allow them, and "
    "try again."
)
_PLAIN = (
    "Your browser did not keep the cookie of this page: behind a proxy, cookies are for HTTPS "
    "only, and this page came over plain HTTP. "
    "Open the https:// address of the proxy. To try jackfield without one, start it without "
    "--behind-proxy, on 127.0.0.1."
)
_KEPT_NOTHING = "kept"
"""Reason for a visit after a sign-in whose cookie the browser should have stored."""
_NO_STORE = "Signing in needs a database, and none is configured. Set JACKFIELD_DATABASE_URL."
AHEAD = ("prefetch", "prerender")


def routes(server: ServerContext, sessions: ConsoleSessions) -> list[Route]:
    """Return the routes for sign-in, sign-out and the browser's current session."""
    pages = _SignInPages(server, sessions)
    return [
        Route("/login", with_error_page(pages.shown), methods=["GET"]),
        Route("/login", with_error_page(pages.entered), methods=["POST"]),
        Route("/logout", with_error_page(pages.left), methods=["POST"]),
        Route("/login/session", with_error_page(pages.present), methods=["GET"]),
        Route(SIGNED_IN, pages.done, methods=["GET"]),
    ]


def safe_path(given: str) -> str:
    """Return ``given`` if it is a path on this server, else ``/``: prevents open redirects after
    the sign-in.
    """
    safe = given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable()
    return given if safe else "/"


def with_error_page(
    function: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Answer with an error page if the database, or its key, is unavailable."""

    async def endpoint(request: Request) -> Response:
        try:
            return await function(request)
        except JackfieldError as error:
            whole = document(
                "Service unavailable",
                h.main(
                    h.h1("Service unavailable"), fault_of(error.message, error.hint), class_="alone"
                ),
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
            return await self._by_link(request, once)
        why = request.query_params.get("why", "")
        if (
            why == SPENT
            and await asyncio.to_thread(self._sessions.find, request, touch=False) is not None
        ):
            return secured(RedirectResponse("/", 303))
        if (answer := await self._at_provider(request, why)) is not None:
            return answer
        if why == _KEPT_NOTHING:
            kept = self._sessions.jar.session(request) is not None
            return (
                secured(RedirectResponse("/", 303))
                if kept
                else self._form(request, _cookie_fault(request))
            )
        return self._form(request, _REASONS.get(why))

    async def _by_link(self, request: Request, once: str) -> Response:
        if request.method == "HEAD":
            # link previews of chat clients must not spend the link
            return secured(HTMLResponse(""))
        if any(
            word in request.headers.get("sec-purpose", request.headers.get("purpose", ""))
            for word in AHEAD
        ):
            # prefetching browsers must not spend the link
            return secured(Response(status_code=503))
        if not _opened_by_a_person(request):
            return self._form(request, _NOT_OPENED, status=403)
        entered = await asyncio.to_thread(self._sessions.by_link, once[:200])
        after = f"/login?why={_KEPT_NOTHING}" if self._sessions.jar.is_secure else "/"
        return (
            self._let_in(*entered, after)
            if entered is not None
            else self._form(request, _USED, status=403)
        )

    async def _at_provider(self, request: Request, why: str) -> Response | None:
        """Answer an invitation to a role, or the visit of a person whose session may continue
        without a page of the provider; return None for other visits.
        """
        invitation = request.query_params.get("invitation")
        if self._server.people is None:
            return None
        if invitation is not None:
            content = await asyncio.to_thread(invited, self._server, invitation[:100])
            found = HTMLResponse(document("Invitation", content)) if content is not None else None
            return (
                self._form(request, _NOT_INVITED, status=403) if found is None else secured(found)
            )
        if why or not await asyncio.to_thread(self._sessions.lapsed, request):
            return None
        address = quote(safe_path(request.query_params.get("next", "/")), safe="")
        return secured(RedirectResponse(f"{START}?silent=1&next={address}", 303))

    async def entered(self, request: Request) -> Response:
        try:
            fields = await read_form(request, _LONGEST_FORM, _MOST_FIELDS)
        except ValueError:
            return self._form(request, _UNKNOWN, status=403)
        visitor = self._sessions.jar.visitor(request)
        foreign = request.headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        )
        if visitor is None and not foreign:
            return self._form(
                request,
                _cookie_fault(request) if self._sessions.jar.is_secure else _NO_COOKIE,
                status=403,
            )
        if foreign or visitor is None or not same_token(fields.get("csrf", ""), visitor):
            return self._form(request, _FOREIGN, status=403)
        token = fields.get("token", "").strip()
        try:
            await self._server.identities.prepare(token)
            async with self._server.guesses.turn(request):
                entered = await asyncio.to_thread(self._sessions.by_token, token)
            if entered is None:
                self._server.guesses.note(request)
        except Problem as refusal:
            # too many attempts, or the identity provider's keys cannot be fetched
            return self._form(
                request,
                f"{refusal.detail[:1].upper()}{refusal.detail[1:]}. Try again.",
                refusal.status,
            )
        if entered is None:
            return self._form(request, _UNKNOWN, status=403)
        return self._let_in(*entered, safe_path(fields.get("next", "/")))

    async def present(self, request: Request) -> Response:
        """Serve ``GET /login/session``: key and CSRF token of the browser's session, for a page of
        this server. The request does not count as activity.
        """
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return secured(JSONResponse({}, 403))
        found = await asyncio.to_thread(self._sessions.find, request, touch=False)
        return secured(
            JSONResponse(
                {}
                if found is None
                else {"session": session_of(found[0]), "csrf": csrf_token(found[1])}
            )
        )

    async def done(self, _request: Request) -> Response:
        """Serve ``GET /login/done``: the end of a sign-in in a window of its own, whose opener
        continues.
        """
        content = h.main(
            h.h1("Signed in"),
            h.p("Close this window, and go on where you were."),
            class_="alone",
            data_signed_in=True,
        )
        return secured(HTMLResponse(document("Signed in", content, scripts=("session.js",))))

    async def left(self, request: Request) -> Response:
        found = self._sessions.jar.session(request)
        if found is None or not same_token(await _csrf(request), found[1]):
            return secured(RedirectResponse("/", 303))
        await asyncio.to_thread(self._sessions.leave, request)
        response = secured(RedirectResponse("/login?why=left", 303))
        self._sessions.jar.end(response)
        return response

    def _let_in(self, workspace: str, secret: str, address: str) -> Response:
        return let_in(self._sessions.jar, workspace, secret, address)

    def _form(self, request: Request, notice: str | None, status: int = 200) -> Response:
        response = HTMLResponse("", status)
        secret = self._sessions.jar.greet(response, self._sessions.jar.visitor(request))
        notice = notice if self._server.storage.enabled else _NO_STORE
        address = safe_path(request.query_params.get("next", "/"))
        content = _sign_in(
            csrf_token(secret), address, notice, provider_part(self._server, address)
        )
        response.body = response.render(document("Sign in", content))
        response.headers["content-length"] = str(len(response.body))
        return secured(response)


def let_in(jar: CookieJar, workspace: str, secret: str, address: str) -> Response:
    """Render a page that refreshes to ``address``: a redirect of another site's link would not
    carry a SameSite=Strict cookie.
    """
    whole = document(
        "Signed in", h.main(h.h1("Signed in"), h.p(h.a("Continue", href=address)), class_="alone")
    )
    response = led_on(secured(HTMLResponse(whole)), address)
    jar.begin(response, workspace, secret)
    return response


def led_on(response: Response, address: str) -> Response:
    """Make a page refresh to ``address``. That request carries the cookies that browsers withhold
    from a link of another site.
    """
    refresh = h.meta(http_equiv="refresh", content=f"0;url={below_prefix(address)}")
    response.body = bytes(response.body).replace(b"</head>", f"{refresh}</head>".encode(), 1)
    response.headers["content-length"] = str(len(response.body))
    return response


def _opened_by_a_person(request: Request) -> bool:
    """Return whether a link was clicked or pasted, rather than opened by a script, a redirect or a
    frame of another site.
    """
    headers = request.headers
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return headers.get("sec-fetch-user") == "?1" and headers.get("sec-fetch-dest") == "document"


def _cookie_fault(request: Request) -> str:
    """Explain why a browser has not sent a Secure cookie back: plain HTTP, unless the browser or
    the proxy indicates HTTPS.
    """
    origin = request.headers.get("origin", "")
    return (
        _NO_COOKIE
        if origin.startswith("https://") or request.scope["scheme"] == "https"
        else _PLAIN
    )


async def _csrf(request: Request) -> str:
    try:
        return (await read_form(request, _LONGEST_FORM, _MOST_FIELDS)).get("csrf", "")
    except ValueError:
        return ""


def _sign_in(csrf: str, address: str, notice: str | None, provider: Markup | None) -> Markup:
    hint = [
        "A token from this server (",
        h.code("jf_…"),
        "), or a JWT from your identity provider.",
    ]
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
    return h.main(
        h.p(LOGO, h.span("jackfield"), class_="brand"),
        h.h1("Sign in"),
        shown,
        provider,
        form,
        where,
        class_="alone",
        id="content",
    )
