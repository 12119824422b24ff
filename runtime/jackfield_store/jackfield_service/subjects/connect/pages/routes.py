"""Pages ``/connect`` of a connect session. Opening its link changes nothing; only the browser that
begins the session gets access.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from jackfield.callers import may
from jackfield.catalog import Catalog
from jackfield.connections.connection_types import ConnectionKind
from jackfield.kernel.errors import JackfieldError, LimitReached
from jackfield_service.shell.browsers.cookies import CookieJar, csrf_token, same_token
from jackfield_service.shell.pages.layout.assets import content_of
from jackfield_service.shell.pages.layout.drawn import parted
from jackfield_service.shell.pages.layout.plain_form import Choices, read, sent
from jackfield_service.shell.pages.sign_in import ConsoleSessions
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import read_form
from jackfield_service.shell.requests.prefix import START
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connect.access import stack_of
from jackfield_service.subjects.connect.approvals import WrongCode
from jackfield_service.subjects.connect.connecting import PAGE, Connecting
from jackfield_service.subjects.connect.operations import SESSION, recognised, session_of
from jackfield_service.subjects.connect.pages.approval import Place, progress
from jackfield_service.subjects.connect.pages.view import View
from jackfield_service.subjects.connect.pages.words import locale_of
from jackfield_service.subjects.connect.session import CANCELLED, ConnectSession
from jackfield_service.subjects.connect.table import (
    SessionMoved,
    UnknownSession,
    same,
    workspace_of,
)
from jackfield_service.subjects.connect.values import asked
from jackfield_store.connections.client_registrations import CALLBACK
from jackfield_store.keys.sealing import new_secret

_LARGEST = 256 * 1024
_MOST_FIELDS = 500
_OF_RETURNED = ("finish", "cancel")
"""Steps of a browser that has not started the session, but came back from the provider for it."""
_LEADING = ("choose", "again", "submit", "approve")
"""Steps after which a person may be led to the provider."""
_FRAMES = ("iframe", "frame")
_ONWARD = "onward"
"""Query parameter of the session's page after a step: the browser has then sent its secret, and
moves on automatically.
"""
Endpoint = Callable[[Request], Response]


def routes(server: ServerContext, signed_in: ConsoleSessions) -> list[Route]:
    """Return the routes of the page."""
    pages = _ConnectPages(server, signed_in)
    return [
        Route(f"{PAGE}/{{link}}", pages.served(pages.linked), methods=["GET"]),
        Route(f"{PAGE}/{{link}}", pages.served(pages.begun, _LARGEST), methods=["POST"]),
        Route(f"{PAGE}/{{link}}/state", pages.served(pages.link_state), methods=["GET"]),
        Route(f"{SESSION}/{{id}}", pages.served(pages.shown), methods=["GET"]),
        Route(f"{SESSION}/{{id}}", pages.served(pages.changed, _LARGEST), methods=["POST"]),
        Route(f"{SESSION}/{{id}}/start/{{start}}", pages.served(pages.arrived), methods=["GET"]),
        Route(
            f"{SESSION}/{{id}}/start/{{start}}",
            pages.served(pages.admitted, _LARGEST),
            methods=["POST"],
        ),
        Route(f"{SESSION}/{{id}}/state", pages.served(pages.state), methods=["GET"]),
        Route("/connect.js", _script, methods=["GET"]),
        Route(f"{SESSION}/{{id}}/template", pages.served(pages.template), methods=["GET"]),
    ]


class _ConnectPages:
    def __init__(self, server: ServerContext, signed_in: ConsoleSessions) -> None:
        self._server = server
        self._jar = CookieJar(server.settings)
        self._signed_in = signed_in

    def served(self, endpoint: Endpoint, form: int = 0) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that runs in a thread; ``form`` is the maximum size of its form in
        bytes, 0 for none.
        """

        async def serve(request: Request) -> Response:
            if form:
                try:
                    request.state.form = await read_form(request, form, _MOST_FIELDS)
                except ValueError:
                    raise Problem(400, "the form cannot be read") from None
            await self._server.indexed()
            # the prefix of addresses
            return await self._server.slowly(
                partial(copy_context().run, self._run_endpoint, request, endpoint)
            )

        return serve

    def _run_endpoint(self, request: Request, endpoint: Endpoint) -> Response:
        try:
            return endpoint(request)
        except UnknownSession:
            found, view = self._bare(request)
            return view.refusal(
                "gone", 404, tells=found.status if found is not None and found.is_over else "lost"
            )
        except JackfieldError as error:  # such as a connection that was removed meanwhile
            return self._bare(request)[1].fault(error)
        except Problem as problem:
            # the workspace is suspended, of which a person who was sent here learns no more than
            # that
            return self._bare(request)[1].refusal("closed", problem.status, tells="lost")

    def _bare(self, request: Request) -> tuple[ConnectSession | None, View]:
        """Return the session of a refused request, None without a session, and the page for the
        refusal, framed like the session's.
        """
        link, identifier = request.path_params.get("link", ""), request.path_params.get("id", "")
        browser, returned = (
            self._jar.connecting(request, identifier),
            self._jar.returned(request, identifier),
        )
        found = recognised(
            self._server, link=link, identifier=identifier, browser=browser, returned=returned
        )
        return found, View(
            locale_of(request, found.wanted.locale if found is not None else ""), found
        )

    def linked(self, request: Request) -> Response:
        """Serve ``GET /connect/{link}``: mail scanners and previews may open it any number of
        times.
        """
        address = f"{PAGE}/{request.path_params['link']}"
        sessions, found = session_of(self._server, link=request.path_params["link"])
        given = self._jar.connecting(request, found.id)
        secret = given or new_secret()
        view = self._view(request, sessions, found, secret, address, state=_link_state(found))
        again = same(found.opener, secret)  # the answer to the press on Begin has not arrived
        if found.is_over or (found.browser and not again):
            if same(found.browser, secret):
                return _to(sessions.approvals.led_from(found, framed=_is_frame(request)))
            return (
                view.ended(found)
                if found.is_over
                else view.refusal("other_browser", 403, tells="lost")
            )
        if found.wanted.verify == "browser" and not (
            again or _came_from(request, found.wanted.pages)
        ):
            return view.refusal("elsewhere", 403, tells="lost")
        only = _only_type(sessions, found)
        leads, is_led = (
            only is not None and _is_whole(request, found) and _leads_on(found, only[1]),
            _is_led(request, found),
        )
        first = (
            sessions.first(found, *only) if only is not None and not leads and not is_led else None
        )
        page = (
            view.begin(sessions, found, address, only, leads=leads, is_led=is_led)
            if first is None
            else view.at_once(sessions, first, address)
        )
        return page if given else self._noted(page, found, secret)

    def begun(self, request: Request) -> Response:
        """Serve ``POST /connect/{link}``: bind the session to this browser, by a secret that cannot
        have been planted.
        """
        address = f"{PAGE}/{request.path_params['link']}"
        sessions, found = session_of(self._server, link=request.path_params["link"])
        opener, secret = self._jar.connecting(request, found.id), new_secret()
        if same(found.browser, opener):  # begun in another tab
            return _to(found)
        view = self._view(request, sessions, found, secret, address, state=_link_state(found))
        is_own = self._is_own(request, found, opener) and view.is_current(
            parted(request.state.form.get("csrf", ""))[1], found.id
        )
        if found.is_over or not is_own:
            if found.is_over:
                return view.ended(found)
            return (
                view.stale(address)
                if opener or _is_foreign(request)
                else view.no_cookie(address, framed=_is_frame(request))
            )
        refused = self._turned_away(request, found, view, address) or self._turned_back(
            request, sessions, found, secret, address
        )
        if refused is not None:
            return refused
        try:
            opened = sessions.open(found, opener, secret, framed=_is_frame(request))
        except SessionMoved:  # perhaps by another press of the same browser, at the same moment
            is_ours = same(sessions.find(found.id).opener, opener)
            return (
                self.linked(request)
                if is_ours
                else view.refusal("other_browser", 409, tells="lost")
            )
        return self._opened(request, sessions, opened, secret)

    def _turned_back(
        self,
        request: Request,
        sessions: Connecting,
        found: ConnectSession,
        secret: str,
        address: str,
    ) -> Response | None:
        """End a session that has not started, if the person cancels instead of beginning; return
        None if the person begins it.
        """
        if request.state.form.get("step") != "cancel":
            return None
        view = self._view(request, sessions, found, secret, address, began=True)
        if found.browser:
            return view.refusal("other_browser", 409, tells="lost")
        sessions.cancel(found.id, CANCELLED)
        return view.shown(sessions, sessions.find(found.id))

    def _opened(
        self, request: Request, sessions: Connecting, opened: ConnectSession, secret: str
    ) -> Response:
        """Render the first page of a session, or lead to the provider, and give the browser its
        secret.
        """
        try:
            response = self._first(request, sessions, opened)
        except JackfieldError as error:
            now = sessions.trials.noted(sessions.find(opened.id), error)
            # a later press has overtaken this one: the browser has, or gets, that one's secret
            if not same(now.browser, secret):
                return RedirectResponse(
                    f"{PAGE}/{request.path_params['link']}", 303, {"Cache-Control": "no-store"}
                )
            view = self._view(request, sessions, now, secret, began=True)
            response = view.shown(sessions, now, error=error, typed=sent(request.state.form))
        return self._noted(response, opened, secret)

    def _first(self, request: Request, sessions: Connecting, opened: ConnectSession) -> Response:
        """Carry out the first step of a session. Values entered at the beginning are stored, but
        tested only once the browser has sent its secret: until then, they may have been planted.
        """
        form = request.state.form
        if form.get("step") != "submit" or opened.task != "add":
            return self._led(
                request,
                self._authorized(request, sessions, opened, only_if_empty=True)
                if opened.task
                else opened,
            )
        given = read(sessions.form(opened)[0], form)
        if sessions.kind(opened).about.authorizes:
            return self._led(
                request, self._authorized(request, sessions, sessions.submit(opened, given))
            )
        return _to(sessions.enter(opened, given), f"?{_ONWARD}=1")

    def _noted(self, response: Response, found: ConnectSession, secret: str) -> Response:
        """Return a response with the cookie of the browser's secret."""
        return self._jar.note_connecting(
            response, found.id, secret, lasts=found.wanted.lasts, framed=bool(found.wanted.origins)
        )

    def link_state(self, request: Request) -> Response:
        """Serve ``GET /connect/{link}/state``: whether the session has started, or is over, for a
        page that has not started it.
        """
        _, found = session_of(self._server, link=request.path_params["link"])
        return JSONResponse(
            {"state": _link_state(found), "over": found.is_over},
            headers={"Cache-Control": "no-store"},
        )

    def shown(self, request: Request) -> Response:
        """Serve ``GET /connect/session/{id}``."""
        sessions, found, view = self._entered(request)
        return view.shown(
            sessions,
            found,
            request.query_params.get("q", "")[:100],
            at_once=_ONWARD in request.query_params,
        )

    def changed(self, request: Request) -> Response:
        """Serve ``POST /connect/session/{id}``: carry out one step."""
        sessions, found, view = self._entered(request)
        if found.is_over:
            return view.shown(sessions, found)
        began = same(found.browser, self._jar.connecting(request, found.id))
        is_allowed = began or request.state.form.get("step") in _OF_RETURNED
        if not is_allowed or not self._is_own(request, found, self._secret(request, found)):
            return view.stale(f"{SESSION}/{found.id}")
        if (
            refused := self._turned_away(request, found, view, f"{SESSION}/{found.id}")
        ) is not None:
            return refused
        if not view.still(sessions, found, request.state.form):
            moved = view.shown(sessions, found, anew=not sessions.trials.is_busy(found))
            moved.status_code = 409
            return moved
        try:
            return self._stepped(request, sessions, found, view)
        except JackfieldError as error:
            now = sessions.trials.noted(sessions.find(found.id), error)
            response = view.shown(sessions, now, error=error, typed=sent(request.state.form))
            if isinstance(error, LimitReached):  # the step can be repeated
                response.status_code = error.http_status
            return response

    def arrived(self, request: Request) -> Response:
        """Serve ``GET …/start/{start}``: another browser than the session's has opened the link to
        its approval. The link stays usable.
        """
        _, found, view, visitor = self._strange(request)
        response = (
            view.refusal("gone", 404, framed=False)
            if found.is_over
            else view.stranger(found, _start_page(found))
        )
        self._jar.mark(response, visitor)
        return response

    def admitted(self, request: Request) -> Response:
        """Serve ``POST …/start/{start}``: let a browser that brings the nonce of the session's
        page, or the code, go to the provider.
        """
        sessions, found, view, visitor = self._strange(request)
        form = request.state.form
        site = request.headers.get("sec-fetch-site", "same-origin")
        token, digest = parted(form.get("csrf", ""))
        if (
            site != "same-origin"
            or not same_token(token, f"{visitor}.{found.start}")
            or not view.is_current(digest, found.start)
        ):
            return view.refusal("foreign", 403, framed=False)
        try:
            url = sessions.approvals.open(
                found,
                request.path_params["start"],
                visitor,
                nonce=form.get("nonce", ""),
                code=form.get("code", ""),
            )
        except WrongCode:
            return view.stranger(sessions.find(found.id), _start_page(found), tried=True)
        response = view.to_provider(url)
        self._jar.mark(response, visitor)
        return response

    def state(self, request: Request) -> Response:
        """Serve ``GET /connect/session/{id}/state``: the session's progress, for a page that waits
        for another window.
        """
        sessions, found, _ = self._entered(request)
        return JSONResponse(
            {"state": progress(sessions, found), "over": found.is_over},
            headers={"Cache-Control": "no-store"},
        )

    def template(self, request: Request) -> Response:
        """Serve ``GET /connect/session/{id}/template``: the CloudFormation template that creates
        the role.
        """
        sessions, found, view = self._entered(request)
        made = {} if found.is_over or not found.task else sessions.documents(found)
        if "cloudFormation" not in made:
            return view.refusal("gone", 404)
        headers = {
            "Content-Disposition": f'attachment; filename="{stack_of(made)}.json"',
            "Cache-Control": "no-store",
        }
        return Response(
            json.dumps(made["cloudFormation"], indent=2),
            headers=headers,
            media_type="application/json",
        )

    def _turned_away(
        self, request: Request, found: ConnectSession, view: View, back: str
    ) -> Response | None:
        """Return the refusal of a step in a session for one person. None if the browser's person is
        this person and may manage connections, or if the session is for anyone. The session stays
        open for its person.
        """
        if found.wanted.verify != "oidc":
            return None
        people, visitor = self._server.people, self._signed_in.find(request, touch=True)
        person = None if visitor is None else visitor[0].person
        if people is None or person is None:
            return RedirectResponse(
                f"/login?next={quote(back, safe='')}", 303, {"Cache-Control": "no-store"}
            )
        if f"{person[0]}|{person[1]}" != found.wanted.user:
            return view.refusal("other_person", 403)
        place = workspace_of(self._server.storage.database, identifier=found.id)
        rights = None if place is None else people.rights_of(person, place[0])
        return (
            None
            if rights is not None and may(rights.scope, "manage")
            else view.refusal("no_role", 403)
        )

    def _stepped(
        self, request: Request, sessions: Connecting, found: ConnectSession, view: View
    ) -> Response:
        form, step = request.state.form, request.state.form.get("step", "")
        if step == "choose":
            found = self._authorized(
                request, sessions, sessions.choose(found, form.get("type", "")), only_if_empty=True
            )
        elif step in ("again", "remove"):
            found = sessions.begin(found, form.get("connection", ""), remove=step == "remove")
        elif step == "submit":
            submitted = sessions.submit(found, read(sessions.form(found)[0], form))
            found = (
                self._authorized(request, sessions, submitted)
                if sessions.kind(found).about.authorizes
                else submitted
            )
        elif step == "approve":
            found = self._authorized(request, sessions, found)
        elif step == "device":
            found = sessions.approvals.take_code(found)
        elif step == "change":
            found = sessions.reopened(found)
        elif step == "back":
            found = sessions.reopened(found, choose=True)
        elif step == "cancel":
            sessions.cancel(found.id, CANCELLED)
        elif step == "finish":
            return view.leaving(
                sessions, *sessions.finish(found, self._jar.returned(request, found.id))
            )
        return self._led(request, found) if step in _LEADING else _to(found)

    @staticmethod
    def _led(request: Request, found: ConnectSession) -> Response:
        """Redirect to the session's page. A page with a window of its own then goes to the
        provider; a framed one, which providers refuse, opens a window on request.
        """
        return _to(
            found,
            f"?{_ONWARD}=1"
            if _is_whole(request, found) and found.task == "authorize" and found.start
            else "",
        )

    def _authorized(
        self,
        request: Request,
        sessions: Connecting,
        found: ConnectSession,
        *,
        only_if_empty: bool = False,
    ) -> ConnectSession:
        """Begin the approval at the provider, if the type has one; with ``only_if_empty``, only if
        the person has no values to enter before.
        """
        if only_if_empty:
            if not sessions.kind(found).about.authorizes or (
                found.task == "add" and sessions.form(found)[0]["properties"]
            ):
                return found
            found = sessions.submit(found, {}) if found.task == "add" else found
        return sessions.authorize(
            found, self._server.link(request, CALLBACK), f"{SESSION}/{found.id}"
        )

    def _entered(self, request: Request) -> tuple[Connecting, ConnectSession, View]:
        """Return the session of a browser that has started it, or come back from the provider for
        it.

        :raises UnknownSession: if the browser has started another session or none; the error does
            not distinguish these cases.
        """
        identifier = request.path_params["id"]
        secret, returned = (
            self._jar.connecting(request, identifier),
            self._jar.returned(request, identifier),
        )
        sessions, found = session_of(
            self._server, identifier=identifier, browser=secret, returned=returned
        )
        began = same(found.browser, secret)
        found = sessions.entered(found) if began else found
        return (
            sessions,
            found,
            self._view(request, sessions, found, self._secret(request, found), began=began),
        )

    def _secret(self, request: Request, found: ConnectSession) -> str:
        """Return the secret from which the form tokens of a browser on a session's own page are
        derived.
        """
        secret = self._jar.connecting(request, found.id)
        return secret if same(found.browser, secret) else self._jar.returned(request, found.id)

    def _strange(self, request: Request) -> tuple[Connecting, ConnectSession, View, str]:
        """Return the session whose approval a link leads to, and the secret of the browser, a new
        secret if the browser has none.

        :raises UnknownSession: if there is no such session any more.
        """
        start, visitor = request.path_params["start"], self._jar.approver(request) or new_secret()
        sessions, found = session_of(
            self._server, identifier=request.path_params["id"], start=start
        )
        return (
            sessions,
            found,
            View(locale_of(request, found.wanted.locale), found, csrf_token(f"{visitor}.{start}")),
            visitor,
        )

    def _view(
        self,
        request: Request,
        sessions: Connecting,
        found: ConnectSession,
        secret: str,
        address: str = "",
        *,
        state: str = "",
        began: bool = False,
    ) -> View:
        return View(
            locale_of(request, found.wanted.locale),
            found,
            csrf_token(f"{secret}.{found.id}"),
            place=_place(request, found, began=began),
            returned=sessions.approvals.came_back(found, self._jar.returned(request, found.id)),
            back=same(found.apart, self._jar.returned(request, found.id)),
            starts=f"{self._server.seen(request)}{START}",
            address=address or f"{SESSION}/{found.id}",
            state=state,
            lasts=found.expires_at - self._server.clock.time(),
            suggest=partial(_suggested, self._server.catalog),
        )

    @staticmethod
    def _is_own(request: Request, found: ConnectSession, secret: str) -> bool:
        """Return whether a form comes from a page of the session in this browser."""
        own = same_token(parted(request.state.form.get("csrf", ""))[0], f"{secret}.{found.id}")
        return own and bool(secret) and not _is_foreign(request)


async def _script(_request: Request) -> Response:
    """Serve ``GET /connect.js``: the script by which a platform's pages, of any origin, open a
    session's page.
    """
    headers = {
        "Cache-Control": "public, max-age=300",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Response(
        content_of("embed.js"), headers=headers, media_type="text/javascript; charset=utf-8"
    )


def _to(found: ConnectSession, query: str = "") -> Response:
    return RedirectResponse(
        f"{SESSION}/{found.id}{query}",
        303,
        {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"},
    )


def _suggested(catalog: Catalog, name: str, kind: ConnectionKind) -> Choices:
    """Return the choices that a connector offers without a request to its provider, such as
    regions.
    """
    key = next(
        (one.key for one in kind.manifests if one.key == name.partition("/")[0]),
        kind.manifests[0].key,
    )
    try:
        sources = catalog.load(key).option_sources
        asked = {
            field.get("x-jackfield", {}).get("options")
            for field in kind.schema["properties"].values()
        }
        found = {
            one: sources[one]
            for one in asked & sources.keys()
            if not sources[one].takes_client and not sources[one].takes_inputs
        }
        return {
            one: [(str(choice.value), choice.label) for choice in source.choices()]
            for one, source in found.items()
        }
    except JackfieldError:
        return {}


def _link_state(found: ConnectSession) -> str:
    return "begun" if found.browser else "pending"


def _is_frame(request: Request) -> bool:
    return request.headers.get("sec-fetch-dest") in _FRAMES


def _is_foreign(request: Request) -> bool:
    """Return whether another site has sent a form."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _is_whole(request: Request, found: ConnectSession) -> bool:
    """Return whether a session's page has a window of its own, which can go on to a provider."""
    return not found.wanted.origins or request.headers.get("sec-fetch-dest") == "document"


def _place(request: Request, found: ConnectSession, *, began: bool) -> Place:
    """Return the kind of window that shows a session. A session started in a frame may also be open
    in windows of the same site.
    """
    if not began:
        return "window"
    if _is_frame(request):
        return "frame"
    return (
        "window" if found.framed and request.headers.get("sec-fetch-dest") == "document" else "page"
    )


def _only_type(sessions: Connecting, found: ConnectSession) -> tuple[str, ConnectionKind] | None:
    """Return the only type of a session, with its name there; None if there are several."""
    if found.wanted.mode == "connect":
        offered = sessions.offered(found)
        return offered[0] if len(offered) == 1 else None
    kind = sessions.known_kind(found.type)
    return None if kind is None else (found.type, kind)


def _leads_on(found: ConnectSession, kind: ConnectionKind) -> bool:
    """Return whether a session goes on to the provider as soon as it has started, since there are
    no values to enter first.
    """
    return bool(kind.about.authorizes) and (
        found.wanted.mode != "connect" or not asked(found, kind)
    )


def _is_led(request: Request, found: ConnectSession) -> bool:
    """Return whether a page of the platform frames this page, or has led the browser here: then the
    person need not press Begin. A session whose link alone gives access requires it nevertheless.
    """
    return _is_frame(request) or (
        found.wanted.verify != "link" and _came_from(request, found.wanted.pages)
    )


def _start_page(found: ConnectSession) -> str:
    return f"{SESSION}/{found.id}/start/{found.start}"


def _came_from(request: Request, pages: tuple[str, ...]) -> bool:
    """Return whether a page of the platform has led the browser here."""
    parts = urlsplit(request.headers.get("referer", ""))
    return f"{parts.scheme}://{parts.netloc}".lower() in pages
