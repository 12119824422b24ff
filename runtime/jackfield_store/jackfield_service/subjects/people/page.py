"""Sign-in at the operator's identity provider: to its page, back from it, and its logouts.

A sign-in is bound to the browser that began it by a cookie for its ``state``. The provider's answer
is used once, and begins a session under a new secret. An address carries a one-time code, never a
token.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.markup import Markup, terms
from jackfield_service.shell.browsers.cookies import CookieJar
from jackfield_service.shell.identity.oidc import ProviderAway, Refused, SignInNeededError
from jackfield_service.shell.identity.people import People
from jackfield_service.shell.pages.invitation import START
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.pages.layout.shell import document, secured
from jackfield_service.shell.pages.sign_in import (
    AHEAD,
    SPENT,
    ConsoleSessions,
    led_on,
    let_in,
    safe_path,
    with_error_page,
)
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import read_form
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access.sign_ins import Person

_LOG = logging.getLogger("jackfield.http")
CALLBACK, LOGOUT = "/login/callback", "/login/logout"
_LONGEST_NEXT = 1_000
_LONGEST_FORM = 64 * 1024
_ANSWER = frozenset({"code", "state", "iss", "error"})
_AWAY = (
    "The identity provider cannot be reached, or is not set up as this server needs it. The "
    "server's log says why. Try again, or use a token."
)
_FOREIGN = (
    "This sign-in did not begin in this browser, was answered already, or began more than "
    "ten minutes ago. Sign in again."
)


class _Spent(Refused):
    """Error for an answer that was used already, or belongs to no sign-in of this browser, which
    may be signed in.
    """


class _NoRole(Exception):
    """Error for a person who has signed in and has no role in any workspace."""

    def __init__(self, person: Person) -> None:
        super().__init__()
        self.person = person


def routes(server: ServerContext, sessions: ConsoleSessions) -> list[Route]:
    """Return the routes of the sign-in at a provider; an empty list without a provider."""
    if server.people is None:
        return []
    pages = _ProviderPages(server, server.people, sessions)
    return [
        Route(START, _guarded(server, sessions.jar, pages.begun), methods=["GET"]),
        Route(CALLBACK, _guarded(server, sessions.jar, pages.answered), methods=["GET"]),
        Route(LOGOUT, with_error_page(pages.logged_out), methods=["POST"]),
    ]


def _guarded(
    server: ServerContext, jar: CookieJar, function: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that turns refusals into a page, which ends the sign-in, and limits the
    refusals of one address.
    """

    async def endpoint(request: Request) -> Response:
        try:
            async with server.guesses.turn(request):
                return await function(request)
        except Refused as refusal:
            server.guesses.note(request)
            response = _error_page("Sign-in failed", _fault(str(refusal)), 403)
            if isinstance(refusal, _Spent):
                response = led_on(response, f"/login?why={SPENT}")
        except ProviderAway as fault:
            _LOG.warning("nobody can sign in at the identity provider: %s", fault)
            response = _error_page("Service unavailable", _fault(_AWAY), 503)
        except Problem as problem:
            return _error_page("Sign-in failed", _fault(problem.detail), problem.status)
        jar.drop_beginning(response, request.query_params.get("state", ""))
        return response

    return with_error_page(endpoint)


class _ProviderPages:
    def __init__(self, server: ServerContext, people: People, sessions: ConsoleSessions) -> None:
        self._server, self._people, self._sessions = server, people, sessions

    async def begun(self, request: Request) -> Response:
        """Serve ``GET /login/start``: go to the provider's page; with ``silent``, only to determine
        whether the person is signed in there.
        """
        headers, given = request.headers, request.query_params
        if any(word in headers.get("sec-purpose", headers.get("purpose", "")) for word in AHEAD):
            return secured(Response(status_code=503))
        if headers.get("sec-fetch-dest", "document") != "document":
            raise Refused("a sign-in begins in a page of its own")
        address = safe_path(given.get("next", "/"))
        before = self._sessions.jar.session(request)
        kept = {
            "next": address if len(address) <= _LONGEST_NEXT else "/",
            "invitation": given.get("invitation", "")[:100],
            "workspace": "" if before is None else before[0],
        }
        silent = given.get("silent") == "1"
        redirect_uri = self._server.link(request, CALLBACK)
        begun = await self._server.slowly(
            lambda: self._people.provider.begin(redirect_uri, silent=silent)
        )
        packed = await self._server.briefly(
            lambda: self._people.sign_ins.packed(begun.state, {**kept, **begun.kept})
        )
        response = secured(RedirectResponse(begun.address, 303))
        response.headers["Referrer-Policy"] = "no-referrer"
        self._sessions.jar.note_beginning(response, begun.state, packed)
        return response

    async def answered(self, request: Request) -> Response:
        """Serve ``GET /login/callback``: the provider's answer."""
        pairs = [
            (name, value) for name, value in request.query_params.multi_items() if name in _ANSWER
        ]
        answer = dict(pairs)
        state = answer.get("state", "")
        text = self._sessions.jar.beginning(request, state)
        kept = (
            await self._server.briefly(lambda: self._people.sign_ins.unpacked(state, text))
            if state
            else None
        )
        if kept is None or len(pairs) != len(answer):
            raise _Spent(_FOREIGN)
        try:
            workspace, secret = await self._server.slowly(lambda: self._entered(answer, kept))
        except SignInNeededError:
            response = secured(
                RedirectResponse(f"/login?why=expired&next={quote(kept['next'], safe='')}", 303)
            )
            self._sessions.jar.end(response)
        except _NoRole as nobody:
            response = _error_page("Not allowed", _role_missing(nobody.person), 403)
            self._sessions.jar.end(response)
        else:
            response = let_in(self._sessions.jar, workspace, secret, safe_path(kept["next"]))
        response.headers["Referrer-Policy"] = "no-referrer"
        self._sessions.jar.drop_beginning(response, state)
        return response

    def _entered(self, answer: Mapping[str, str], kept: Mapping[str, str]) -> tuple[str, str]:
        """Return workspace and secret of the session that an answer begins. The answer is used up,
        whatever the result.
        """
        people = self._people
        if not people.sign_ins.answered(answer["state"]):
            raise _Spent(_FOREIGN)
        person = people.provider.person(people.provider.check(answer), kept)
        if kept["invitation"]:
            self._accept(person, kept["invitation"])
        workspace = people.landing(person, kept.get("workspace", ""))
        entered = None if workspace is None else self._sessions.by_person(person, workspace)
        if entered is None:
            raise _NoRole(person)
        return entered

    def _accept(self, person: Person, invitation: str) -> None:
        try:
            accepted = self._people.accept(person, invitation)
        except InvalidInvocation as error:
            raise Refused(error.message) from None
        if not accepted:
            raise Refused(
                "the invitation was used already, or is over a day old: ask for another one"
            )

    async def logged_out(self, request: Request) -> Response:
        """Serve ``POST /login/logout``: the provider ends sessions (OpenID Connect Back-Channel
        Logout §2.5).
        """
        try:
            async with self._server.guesses.turn(request):
                token = (await read_form(request, _LONGEST_FORM, 5)).get("logout_token", "")
                subject, session = await self._server.slowly(
                    lambda: self._people.provider.logged_out(token)
                )
            await self._server.briefly(lambda: self._people.log_out(subject, session))
        except (Refused, ValueError):
            self._server.guesses.note(request)
            return secured(Response(status_code=400))
        except ProviderAway:
            return secured(Response(status_code=503))
        except Problem as problem:
            return secured(Response(status_code=problem.status, headers=problem.headers))
        return secured(Response(status_code=200))


def _role_missing(person: Person) -> Markup:
    return h.div(
        h.p(
            "You are signed in at the identity provider, but have no role here. Ask the operator "
            "of this server for one.",
            role="alert",
        ),
        terms(
            [
                ("Name", person.name),
                ("Issuer", h.code(person.issuer)),
                ("Subject", h.code(person.subject)),
                (
                    "Groups",
                    f"{len(person.groups):,}"
                    if person.groups
                    else "none that the provider has sent",
                ),
            ]
        ),
        class_="stack",
    )


def _error_page(title: str, content: Markup, status: int) -> Response:
    return secured(
        HTMLResponse(
            document(title, h.main(h.h1(title), content, _BACK, class_="alone", id="content")),
            status,
        )
    )


def _fault(text: str) -> Markup:
    return h.p(f"{text[:1].upper()}{text[1:].rstrip('.')}.", class_="notice bad", role="alert")


_BACK = h.p(h.a("Back to the sign-in", href="/login?why=left", class_="button"))
