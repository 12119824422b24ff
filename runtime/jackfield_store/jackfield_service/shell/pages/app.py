"""Routes of the console: every page requires a session, every POST a CSRF token."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match, Route, compile_path
from starlette.types import Scope

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup
from jackfield_service.shell.browsers.cookies import csrf_token, same_token
from jackfield_service.shell.finding import surfaces
from jackfield_service.shell.pages import sign_in
from jackfield_service.shell.pages.layout.assets import assets_route
from jackfield_service.shell.pages.layout.components import fault_of, h, heading
from jackfield_service.shell.pages.layout.drawn import ANEW, Moved, parted
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.shell import document, fragment, page, redirect, secured
from jackfield_service.shell.pages.layout.typed import filled_again
from jackfield_service.shell.pages.sign_in import ConsoleSessions, Found
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import read_form
from jackfield_service.shell.requests.prefix import below_prefix
from jackfield_service.shell.requests.problem import Problem

_MODULES = tuple(surfaces("page"))
_PAGES = sorted(
    (page for module in _MODULES for page in getattr(module, "PAGES", ())),
    key=lambda page: page.place,
)
_SHOWN = [(compile_path(page.path)[0], page.endpoint) for page in _PAGES if page.method == "GET"]
"""Endpoints of pages, with the regular expressions of their paths."""
_MOST_FIELDS = 200
_OF_PROGRAMS = ("/v1", "/mcp", "/hooks/", "/.well-known/")
"""Prefixes of paths that programs call, also from browsers."""


def routes(server: ServerContext) -> list[Route]:
    """Return the routes of the console, to be mounted at ``/``."""
    sessions = ConsoleSessions(server)
    pages = [
        Route(page.path, _page(server, sessions, page), methods=[page.method]) for page in _PAGES
    ]
    own = [
        route
        for module in (sign_in, *_MODULES)
        if hasattr(module, "routes")
        for route in module.routes(server, sessions)
    ]
    nowhere = _Nowhere(
        "/{path:path}", _page(server, sessions, Page("/{path:path}", _lost), _lost_stranger)
    )
    return [*pages, *own, assets_route(), nowhere]


class _Nowhere(Route):
    """Route of all paths without a page, after all other routes: programs get a problem
    document.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a browser's request for a path without a route."""
        is_opened = (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and "text/html" in Headers(scope=scope).get("accept", "")
        )
        return (
            super().matches(scope)
            if is_opened and not scope["path"].startswith(_OF_PROGRAMS)
            else (Match.NONE, {})
        )


def _lost(_request: PageRequest) -> Response:
    raise Problem(404, "there is no page at this address", hint="Choose a section of the menu.")


def _lost_stranger(_request: Request) -> Response:
    whole = document(
        "Not found",
        h.main(heading("Not found"), h.p("There is no page at this address."), class_="alone"),
    )
    return secured(HTMLResponse(whole, 404))


def session_route(server: ServerContext, page: Page) -> Route:
    """Return the route of a page that no subject declares."""
    return Route(page.path, _page(server, ConsoleSessions(server), page), methods=[page.method])


def _page(
    server: ServerContext,
    sessions: ConsoleSessions,
    page: Page,
    stranger: Callable[[Request], Response] | None = None,
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a page. ``stranger`` answers visitors who are not signed in, by
    default with the sign-in page.
    """

    async def endpoint(request: Request) -> Response:
        remembered = await sessions.remembered(request) if page.describes else None
        if remembered is not None:
            with server.storage.held(remembered[1]):
                return await _run_page(server, page, request, remembered[0], is_silent=True)
        touch = request.query_params.get("live") != "1"  # polling does not count as user activity
        try:
            found = await asyncio.to_thread(sessions.find, request, touch=touch)
        except JackfieldError as error:
            return _unavailable(error)
        return (
            (stranger or _to_sign_in)(request)
            if found is None
            else await _run_page(server, page, request, found)
        )

    return endpoint


async def _run_page(
    server: ServerContext, page: Page, request: Request, found: Found, *, is_silent: bool = False
) -> Response:
    """Answer the request of a session; while the database ``is_silent``, in a thread that never
    waits for it.
    """
    identity, secret, operator = found
    function = page.endpoint
    page_request = PageRequest(
        request, server, identity, csrf_token(secret), operator, is_silent=is_silent
    )
    try:
        if not operator:
            server.pace(identity, request.scope)
        if request.method == "POST":
            page_request = await _with_form(page_request, secret, page)
        await server.indexed()
        if inspect.iscoroutinefunction(function):
            answer: Response = await function(page_request)
        elif is_silent:
            answer = await server.slowly(partial(function, page_request))
        else:
            answer = await server.asking(identity.workspace, partial(function, page_request))
    except Moved as moved:
        return await _anew(page_request, moved.back or _back(request))
    except Problem as problem:
        return _error_response(
            page_request,
            problem.status,
            problem.detail,
            problem.headers,
            hint=problem.members.get("hint"),
        )
    except JackfieldError as error:
        details = [item.to_json() for item in error.details]
        return _error_response(
            page_request, error.http_status, error.message, hint=error.hint, details=details
        )
    return answer


async def _with_form(page_request: PageRequest, secret: str, page: Page) -> PageRequest:
    """Return the request with the form's fields, after checking its CSRF token.

    :raises Problem: if the form belongs to another session, or is too large.
    """
    request = page_request.http
    form: dict[str, str] = {}
    if not page.streams:
        try:
            form = await read_form(request, page_request.server.settings.max_body, _MOST_FIELDS)
        except ValueError:
            raise Problem(400, "the form cannot be read") from None
    given, drawn = parted(form.pop("csrf", "") or request.headers.get("x-csrf-token", ""))
    if request.headers.get("sec-fetch-site", "same-origin") not in (
        "same-origin",
        "none",
    ) or not same_token(given, secret):
        raise Problem(
            403, "the form belongs to another session: reload the page and submit it again"
        )
    return replace(page_request, form=form, drawn=drawn)


async def _anew(page_request: PageRequest, address: str) -> Response:
    """Show a page in its current state, since the data on which its form decides has changed since
    it was rendered. The typed values are filled in again.
    """
    path, _, anchor = address.partition("#")
    shown = f"{path}{'&' if '?' in path else '?'}{ANEW}=1"
    try:
        found = await page_request.server.asking(
            page_request.identity.workspace, partial(_filled_again, page_request, shown)
        )
    except (Problem, JackfieldError):  # the page says it
        found = None
    if found is None:
        return redirect(page_request, f"{shown}{f'#{anchor}' if anchor else ''}")
    whole = {
        "HX-Retarget": "#content",
        "HX-Reselect": "#content",
        "HX-Reswap": "outerHTML",
        "HX-Replace-Url": shown,
    }
    return fragment(Markup(found), status=409, headers=whole if page_request.partial else None)


def _filled_again(page_request: PageRequest, address: str) -> str | None:
    """Return a page with the values typed into the sent form; None if the form has no values to
    lose, or the page does not have it.
    """
    request = page_request.http
    path, _, query = address.partition("?")
    named = ((function, pattern.match(path)) for pattern, function in _SHOWN)
    function, match = next(
        ((one, found) for one, found in named if found is not None), (None, None)
    )
    if function is None or match is None:
        return None
    headers = [pair for pair in request.scope["headers"] if not pair[0].startswith(b"hx-")]
    scope = {
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": headers,
        "path_params": match.groupdict(),
    }
    response: Response = function(replace(page_request, http=Request({**request.scope, **scope})))
    if response.status_code != 200:
        return None
    return filled_again(
        bytes(response.body).decode(), below_prefix(request.scope["path"]), page_request.form
    )


def _to_sign_in(request: Request) -> Response:
    path = request.scope["path"]
    # session.js keeps the page, if somebody has filled in a form of it
    if "hx-request" in request.headers:
        return fragment(status=401, headers={"HX-Trigger": "session-ended", "HX-Reswap": "none"})
    if request.method != "GET":
        return secured(RedirectResponse("/login?why=expired", 303))
    query = f"?{request.url.query}" if request.url.query else ""
    return secured(
        RedirectResponse(
            "/login" if path == "/" else f"/login?next={quote(path + query, safe='')}", 303
        )
    )


def _error_response(
    page_request: PageRequest,
    status: int,
    message: str,
    headers: dict[str, str] | None = None,
    *,
    hint: str | None = None,
    details: Sequence[Mapping[str, Any]] = (),
) -> Response:
    """Render an error as a page, or as a fragment for htmx, which shows it instead of the requested
    part.
    """
    shown = fault_of(message, hint, details)
    if page_request.partial:
        return fragment(shown, status=status, headers=headers)
    titles = {403: "Not allowed", 404: "Not found", 409: "Conflict"}
    title = titles.get(status, "Request failed")
    back = h.p(h.a("Back", href=_back(page_request.http), class_="button"))
    response = page(page_request, "", title, shown, back, status=status)
    response.headers.update(headers or {})
    return response


def _back(request: Request) -> str:
    """Return the page from which a form was sent; for a link, the list of its objects."""
    path: str = request.scope["path"]
    found = (path, path.rpartition("/")[0]) if request.method == "POST" else ()
    listed = "/" + path.split("/")[1]
    return next(
        (one for one in (*found, listed) if any(pattern.match(one) for pattern, _ in _SHOWN)), "/"
    )


def _unavailable(error: JackfieldError) -> Response:
    whole = document(
        "Service unavailable",
        h.main(heading("Service unavailable"), fault_of(error.message, error.hint), class_="alone"),
    )
    return secured(Response(whole, 503, media_type="text/html"))
