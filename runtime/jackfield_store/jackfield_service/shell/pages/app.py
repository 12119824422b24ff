"""Routes of the console: every page requires a session, every POST a CSRF token."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, compile_path

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup
from jackfield_service.shell.browsers.cookies import csrf_token, same_token
from jackfield_service.subjects.files.http import download
from jackfield_service.subjects.files.uploads import upload
from jackfield_service.shell.pages import sign_in
from jackfield_service.subjects.invocations.page import action, invocation, invocations
from jackfield_service.subjects.approvals.page import approval, approvals
from jackfield_service.subjects.audit import page as audit
from jackfield_service.subjects.connections.page import authorization, connection, form as connection_form, connections, doctor
from jackfield_service.subjects.batches.page import form as batch_form
from jackfield_service.subjects.callbacks.page import callbacks, deliveries
from jackfield_service.subjects.connect.page import routes as connect, sessions as connect_sessions
from jackfield_service.subjects.connectors.page import connectors, marketplace, trial
from jackfield_service.subjects.doubts import page as doubts
from jackfield_service.subjects.files import page as files
from jackfield_service.subjects.suppressions import page as guards
from jackfield_service.subjects.mcp_servers import page as mcp_servers
from jackfield_service.subjects.oauth_clients import page as oauth_clients
from jackfield_service.subjects.overview.page import overview
from jackfield_service.subjects.tenants.page import own_workspaces, shared_settings, tenant, tenants
from jackfield_service.subjects.people import page as people
from jackfield_service.subjects.queue import page as queue
from jackfield_service.subjects.schedules.page import form as schedule_form, times as schedule_times, schedules
from jackfield_service.subjects.triggers.page import form as subscription_form, subscriptions
from jackfield_service.subjects.tokens import page as tokens
from jackfield_service.subjects.policies import page as workspace
from jackfield_service.subjects.invocations.page.steps import CALLS, LETTERS
from jackfield_service.shell.pages.layout.assets import assets_route
from jackfield_service.shell.pages.layout.components import fault_of, h, heading
from jackfield_service.shell.pages.layout.drawn import ANEW, Moved, parted
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import document, fragment, page, redirect, secured
from jackfield_service.shell.pages.layout.typed import filled_again
from jackfield_service.shell.pages.sign_in import ConsoleSessions, Found
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import read_form
from jackfield_service.shell.requests.prefix import below_prefix
from jackfield_service.shell.requests.problem import Problem

Endpoint = Callable[[PageRequest], Any]


async def _uploaded(page_request: PageRequest) -> Response:
    """Serve ``POST /uploads``, like ``POST /v1/files``: a form's file is uploaded on selection, and the invocation refers to it by id."""
    return await upload(page_request.http, page_request.server, page_request.identity)


async def _download(page_request: PageRequest) -> Response:
    """Serve ``GET /files/{file}``, like ``GET /v1/files/{file}``."""
    return await download(page_request.http, page_request.server, page_request.identity)


_EVENT_PAGES: tuple[tuple[str, Endpoint, str], ...] = (
    ("/callbacks", callbacks.listed, "GET"),
    ("/callbacks", callbacks.created, "POST"),
    ("/callbacks/{id}", callbacks.shown, "GET"),
    ("/callbacks/{id}/{step}", callbacks.changed, "POST"),
    ("/deliveries", deliveries.listed, "GET"),
    ("/deliveries/{id}", deliveries.shown, "GET"),
    ("/deliveries/dead/resend", deliveries.all_resent, "POST"),
    ("/deliveries/{id}/resend", deliveries.resent, "POST"),
)
"""Pages of callbacks, of a workspace and of a platform."""
_PAGES: tuple[tuple[str, Endpoint, str], ...] = (
    ("/", overview.shown, "GET"),
    ("/connectors", connectors.listed, "GET"),
    ("/connectors/{key}", connectors.shown, "GET"),
    ("/connectors/{key}/actions/{action}", action.shown, "GET"),
    ("/connectors/{key}/actions/{action}/code", action.code, "POST"),
    ("/connectors/{key}/actions/{action}/output", action.output, "GET"),
    ("/connectors/{key}/actions/{action}/run", action.run, "POST"),
    ("/connectors/{key}/options/{source}", action.options, "GET"),
    ("/connectors/{key}/trial", trial.tried, "POST"),
    ("/marketplace", marketplace.listed, "GET"),
    ("/marketplace/{key}", marketplace.shown, "GET"),
    ("/marketplace/{key}/installation", marketplace.installed, "POST"),
    ("/marketplace/{key}/upgrade", marketplace.upgraded, "POST"),
    ("/marketplace/{key}/version", marketplace.pinned, "POST"),
    ("/marketplace/{key}/removal", marketplace.removed, "POST"),
    ("/connections", connections.listed, "GET"),
    ("/connections", connection_form.created, "POST"),
    ("/connections/selection", connections.SELECTION.taken, "POST"),
    ("/new-connection", connection_form.shown, "GET"),
    ("/connections/{name}", connection.shown, "GET"),
    ("/connections/{name}/authorization", authorization.begun, "POST"),
    ("/connections/{name}/authorization/{id}", authorization.polled, "GET"),
    (authorization.ANSWERED, authorization.answered, "GET"),
    ("/connections/{name}/values", connection_form.changed, "POST"),
    ("/connections/{name}/test", connection.tested, "POST"),
    ("/connections/{name}/guard", guards.resumed, "POST"),
    ("/oauth-clients", oauth_clients.listed, "GET"),
    ("/oauth-clients", oauth_clients.created, "POST"),
    ("/oauth-clients/{client}", oauth_clients.shown, "GET"),
    ("/oauth-clients/{client}", oauth_clients.changed, "POST"),
    ("/oauth-clients/{client}/removal", oauth_clients.removed, "POST"),
    ("/mcp-servers", mcp_servers.listed, "GET"),
    ("/mcp-servers", mcp_servers.created, "POST"),
    ("/mcp-servers/{server}", mcp_servers.shown, "GET"),
    ("/mcp-servers/{server}/review", mcp_servers.reviewed, "POST"),
    ("/mcp-servers/{server}/acceptance", mcp_servers.accepted, "POST"),
    ("/mcp-servers/{server}/overlay", mcp_servers.overlaid, "POST"),
    ("/mcp-servers/{server}/removal", mcp_servers.removed, "POST"),
    ("/suppressions", guards.suppressed, "GET"),
    ("/suppressions/removal", guards.removed, "POST"),
    ("/connections/{name}/doctor", doctor.shown, "GET"),
    ("/connections/{name}/doctor", doctor.examined, "POST"),
    ("/connections/{name}/name", connection.renamed, "POST"),
    ("/connections/{name}/removal", connection.removed, "POST"),
    ("/invocations", invocations.listed, "GET"),
    ("/invocations/selection", CALLS.taken, "POST"),
    ("/invocations/export", invocations.saved, "GET"),
    ("/new-batch", batch_form.shown, "GET"),
    ("/new-batch", batch_form.sent, "POST"),
    ("/audit/export", audit.saved, "GET"),
    ("/invocations/{id}", invocation.shown, "GET"),
    ("/invocations/{id}/cancel", invocation.cancelled, "POST"),
    ("/invocations/{id}/resolve", doubts.resolved, "POST"),
    ("/invocations/{id}/look", doubts.looked, "POST"),
    ("/invocations/{id}/redrive", queue.redriven, "POST"),
    ("/invocations/{id}/approval", approval.decided, "POST"),
    ("/approvals", approvals.listed, "GET"),
    ("/schedules", schedules.listed, "GET"),
    ("/schedules", schedule_form.created, "POST"),
    ("/new-schedule", schedule_form.shown, "GET"),
    ("/new-schedule", schedule_form.begun, "POST"),
    ("/schedule-times", schedule_times.shown, "GET"),
    ("/schedules/{name}", schedules.shown, "GET"),
    ("/schedules/{name}/edit", schedule_form.edited, "GET"),
    ("/schedules/{name}/edit", schedule_form.saved, "POST"),
    ("/schedules/{name}/{step}", schedules.changed, "POST"),
    ("/subscriptions", subscriptions.listed, "GET"),
    ("/subscriptions", subscription_form.created, "POST"),
    ("/new-subscription", subscription_form.shown, "GET"),
    ("/subscriptions/{name}", subscriptions.shown, "GET"),
    ("/subscriptions/{name}/events", subscriptions.events, "GET"),
    ("/subscriptions/{name}/edit", subscription_form.edited, "GET"),
    ("/subscriptions/{name}/edit", subscription_form.saved, "POST"),
    ("/subscriptions/{name}/{step}", subscriptions.changed, "POST"),
    *_EVENT_PAGES,
    *((f"/platforms/{{platform}}{path}", endpoint, method) for path, endpoint, method in _EVENT_PAGES),
    ("/queue", queue.shown, "GET"),
    ("/queue/dead-letters", queue.dead, "GET"),
    ("/queue/dead-letters/selection", LETTERS.taken, "POST"),
    ("/uploads", _uploaded, "POST"),
    ("/files", files.listed, "GET"),
    ("/files/{file}", _download, "GET"),
    ("/files/{file}/removal", files.deleted, "POST"),
    ("/tokens", tokens.listed, "GET"),
    ("/tokens", tokens.created, "POST"),
    ("/tokens/selection", tokens.SELECTION.taken, "POST"),
    ("/tokens/{id}/revocation", tokens.revoked, "POST"),
    ("/audit", audit.listed, "GET"),
    ("/tenants", tenants.listed, "GET"),
    ("/tenants", tenants.created, "POST"),
    ("/tenants/settings", shared_settings.changed, "POST"),
    ("/tenants/{w}", tenant.shown, "GET"),
    ("/tenants/{w}/usage", tenant.usage_saved, "GET"),
    ("/tenants/{w}/switch", tenants.switched, "POST"),
    ("/tenants/{w}/connect-sessions", connect_sessions.listed, "GET"),
    ("/tenants/{w}/connect-sessions", connect_sessions.created, "POST"),
    ("/tenants/{w}/connect-sessions/{id}/revocation", connect_sessions.revoked, "POST"),
    ("/tenants/{w}/tokens/{id}/revocation", tenant.token_revoked, "POST"),
    ("/tenants/{w}/{step}", tenant.changed, "POST"),
    ("/workspaces", own_workspaces.listed, "GET"),
    ("/workspaces/{w}", own_workspaces.entered, "POST"),
    ("/workspace", workspace.shown, "GET"),
    ("/workspace", workspace.changed, "POST"),
    ("/workspace/verdict", workspace.explained, "GET"),
    ("/workspace/actions", workspace.suggested, "GET"),
)
_SHOWN = [(compile_path(path)[0], function) for path, function, method in _PAGES if method == "GET"]
"""Pages, by the patterns of their addresses."""
_DESCRIBING = (connectors.listed, connectors.shown, action.shown, action.output)
"""Pages that go on while the database does not answer, without what it has stored."""
_STREAMED = (_uploaded,)
"""Handlers that read the body themselves; they get the CSRF token in a header."""
_MOST_FIELDS = 200


def routes(server: ServerContext) -> list[Route]:
    """Return the routes of the console, to be mounted at ``/``."""
    sessions = ConsoleSessions(server)
    pages = [Route(path, _page(server, sessions, function), methods=[method]) for path, function, method in _PAGES]
    return [*pages, *sign_in.routes(server, sessions), *people.routes(server, sessions), *connect.routes(server, sessions), assets_route()]


def _page(server: ServerContext, sessions: ConsoleSessions, function: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        remembered = await sessions.remembered(request) if function in _DESCRIBING else None
        if remembered is not None:
            with server.storage.held(remembered[1]):
                return await _answered(server, function, request, remembered[0], is_silent=True)
        touch = request.query_params.get("live") != "1"  # polling does not count as user activity
        try:
            found = await asyncio.to_thread(sessions.find, request, touch=touch)
        except JackfieldError as error:
            return _unavailable(error)
        return _to_sign_in(request) if found is None else await _answered(server, function, request, found)

    return endpoint


async def _answered(server: ServerContext, function: Endpoint, request: Request, found: Found, *, is_silent: bool = False) -> Response:
    """Answer the request of a session; while the database ``is_silent``, in a thread in which nothing waits for it."""
    identity, secret, operator = found
    page_request = PageRequest(request, server, identity, csrf_token(secret), operator, is_silent=is_silent)
    try:
        if not operator:
            server.pace(identity, request.scope)
        if request.method == "POST":
            page_request = await _with_form(page_request, secret, function)
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
        return _refused(page_request, problem.status, problem.detail, problem.headers, hint=problem.members.get("hint"))
    except JackfieldError as error:
        details = [item.to_json() for item in error.details]
        return _refused(page_request, error.http_status, error.message, hint=error.hint, details=details)
    return answer


async def _with_form(page_request: PageRequest, secret: str, function: Endpoint) -> PageRequest:
    """Add the form's fields to the request, after checking its CSRF token.

    :raises Problem: if the form belongs to another session, or is too large.
    """
    request = page_request.http
    form: dict[str, str] = {}
    if function not in _STREAMED:
        try:
            form = await read_form(request, page_request.server.settings.max_body, _MOST_FIELDS)
        except ValueError:
            raise Problem(400, "the form cannot be read") from None
    given, drawn = parted(form.pop("csrf", "") or request.headers.get("x-csrf-token", ""))
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or not same_token(given, secret):
        raise Problem(403, "the form belongs to another session: reload the page and submit it again")
    return replace(page_request, form=form, drawn=drawn)


async def _anew(page_request: PageRequest, address: str) -> Response:
    """Show a page as it is now: what a form of it would have decided on has changed since it was drawn. What was typed is filled in again."""
    path, _, anchor = address.partition("#")
    shown = f"{path}{'&' if '?' in path else '?'}{ANEW}=1"
    try:
        found = await page_request.server.asking(page_request.identity.workspace, partial(_filled_again, page_request, shown))
    except (Problem, JackfieldError):  # the page says it
        found = None
    if found is None:
        return redirect(page_request, f"{shown}{f'#{anchor}' if anchor else ''}")
    whole = {"HX-Retarget": "#content", "HX-Reselect": "#content", "HX-Reswap": "outerHTML", "HX-Replace-Url": shown}
    return fragment(Markup(found), status=409, headers=whole if page_request.partial else None)


def _filled_again(page_request: PageRequest, address: str) -> str | None:
    """Return a page with what was typed into the form that was sent; None if nothing is lost without that, or it is not shown."""
    request = page_request.http
    path, _, query = address.partition("?")
    named = ((function, pattern.match(path)) for pattern, function in _SHOWN)
    function, match = next(((one, found) for one, found in named if found is not None), (None, None))
    if function is None or match is None:
        return None
    headers = [pair for pair in request.scope["headers"] if not pair[0].startswith(b"hx-")]
    scope = {"method": "GET", "path": path, "query_string": query.encode(), "headers": headers, "path_params": match.groupdict()}
    response: Response = function(replace(page_request, http=Request({**request.scope, **scope})))
    if response.status_code != 200:
        return None
    return filled_again(bytes(response.body).decode(), below_prefix(request.scope["path"]), page_request.form)


def _to_sign_in(request: Request) -> Response:
    path = request.scope["path"]
    if "hx-request" in request.headers:  # session.js keeps the page, if somebody has filled in a form of it
        return fragment(status=401, headers={"HX-Trigger": "session-ended", "HX-Reswap": "none"})
    if request.method != "GET":
        return secured(RedirectResponse("/login?why=expired", 303))
    query = f"?{request.url.query}" if request.url.query else ""
    return secured(RedirectResponse("/login" if path == "/" else f"/login?next={quote(path + query, safe='')}", 303))


def _refused(
    page_request: PageRequest, status: int, message: str, headers: dict[str, str] | None = None, *, hint: str | None = None,
    details: Sequence[Mapping[str, Any]] = (),
) -> Response:  # fmt: skip
    """Render an error as a page, or as a fragment for htmx, which shows it in place of the requested part."""
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
    """Return the page from which a form was sent; for a link, the list of what it names."""
    path: str = request.scope["path"]
    found = (path, path.rpartition("/")[0]) if request.method == "POST" else ()
    listed = "/" + path.split("/")[1]
    return next((one for one in (*found, listed) if any(pattern.match(one) for pattern, _ in _SHOWN)), "/")


def _unavailable(error: JackfieldError) -> Response:
    whole = document("Service unavailable", h.main(heading("Service unavailable"), fault_of(error.message, error.hint), class_="alone"))
    return secured(Response(whole, 503, media_type="text/html"))
