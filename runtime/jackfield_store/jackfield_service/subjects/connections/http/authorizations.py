"""Operations ``/v1/connections/{name}/authorize`` and the provider's answer: a person authorizes a
connection in a browser or on another device.
"""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation, JackfieldError
from jackfield_service.shell.browsers.cookies import CookieJar
from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.query_parts import LONG
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.prefix import START, below_prefix
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.subjects.connect.connecting import open_sessions
from jackfield_service.subjects.connect.operations import SESSION, session_of
from jackfield_service.subjects.connect.table import UnknownSession
from jackfield_service.subjects.connections.http.approval_pages import HEADERS, handed_over, page
from jackfield_store.connections.authorizations import find_workspace, state_of, unknown
from jackfield_store.connections.client_registrations import CALLBACK, DOCUMENT, client_document
from jackfield_store.keys.sealing import new_secret
from jackfield_store.management.authorizing import Authorizing, Completed


async def authorize(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/connections/{name}/authorize``."""
    body = await members_of(request, "AuthorizationRequest")
    name, authorizing = request.path_params["name"], await _authorizing(server, identity)
    try:
        if body.get("flow") == "device":
            return answer(
                await server.asking(identity.workspace, lambda: authorizing.begin_device(name))
            )
        base = server.base(request)
        redirect_uri = (
            body["redirectUri"] if "redirectUri" in body else server.link(request, CALLBACK)
        )
        return_to = _checked_return(body.get("returnTo", ""), server)
        begun = await server.asking(
            identity.workspace, lambda: authorizing.begin(name, redirect_uri, return_to=return_to)
        )
        link = begun.pop("link")
        return answer(
            {**begun, "startUrl": f"{base}{START}/{link}"}
            if redirect_uri == f"{base}{CALLBACK}"
            else begun
        )
    except InvalidConnection as error:
        raise of_error(error, 422) from None


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/authorizations/{id}``."""
    authorizing = await _authorizing(server, identity)
    return answer(
        await server.asking(identity.workspace, lambda: authorizing.poll(request.path_params["id"]))
    )


async def completed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/authorizations/{id}:complete``. It uses the stored answer of the provider
    and the proof of the browser that brought it, or an answer in the body, for callers whose own
    page is the redirect URI.
    """
    body = await members_of(request, "ProviderAnswer")
    proof = body.pop("proof", "")
    if body and "state" not in body:
        raise Problem(
            400,
            "'state' is missing; without it, the answer that has arrived at the callback completes",
        )
    authorizing, identifier = await _authorizing(server, identity), request.path_params["id"]
    try:
        await server.asking(
            identity.workspace, lambda: authorizing.complete(identifier, body or None, proof=proof)
        )
        return answer(await server.asking(identity.workspace, lambda: authorizing.poll(identifier)))
    except InvalidConnection as error:
        raise of_error(error, 422) from None


async def started(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /oauth2/start/{link}``: bind this browser to an authorization, and send it to the
    provider. The link of a connect session works for the browser that began the session; other
    browsers must prove that they belong to it.
    """
    if request.method == "HEAD" or any(
        word in request.headers.get("sec-purpose", "") for word in ("prefetch", "prerender")
    ):
        # link previews and prefetching browsers must not spend the link
        return Response(status_code=503, headers=HEADERS)
    jar = CookieJar(server.settings)
    visitor = jar.approver(request) or new_secret()
    try:
        url = await server.slowly(lambda: _provider_address(request, server, jar, visitor))
    except JackfieldError:
        return page(request, "stale", 400)
    response = RedirectResponse(url, 303, HEADERS)
    if not url.startswith("/"):
        jar.mark(response, visitor)
    return response


async def answered(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /oauth2/callback``: the person's browser comes back from the provider. The answer
    is stored for the client that began; no code is exchanged yet, since the browser's owner is not
    yet known.
    """
    jar, given = CookieJar(server.settings), dict(request.query_params)
    visitor = jar.approver(request)
    try:
        found = await server.slowly(lambda: _store_answer(server, given, visitor))
    except JackfieldError:
        own = await server.slowly(
            lambda: _page_of_spent(request, server, jar, given.get("state", ""))
        )
        return handed_over(request, below_prefix(own)) if own else page(request, "stale", 400)
    if isinstance(found, str):
        return handed_over(request, f"{below_prefix(found)}?{urlencode(given)}")
    if found.return_to.startswith(SESSION):  # only this browser finishes
        return jar.note_returned(
            handed_over(request, below_prefix(found.return_to)),
            _session_in(found.return_to),
            found.proof,
        )
    if not found.return_to and found.declined:
        return page(request, "declined")
    if not found.return_to:
        return page(request, "answered")
    parts = urlsplit(found.return_to)
    more = {"proof": found.proof, "error": found.declined}
    about = {
        "connection": found.connection,
        **{name: value for name, value in more.items() if value},
    }
    query = "&".join(filter(None, (parts.query, urlencode(about))))
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 303, HEADERS)


async def document(_request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /oauth2/client-metadata.json``, with addresses from the public URL and never from
    the request.
    """
    found = client_document(server.public_url)
    if found is None:
        raise Problem(
            404,
            "this installation has no public address by https, so no provider can read its "
            "client's metadata",
        )
    return answer(found, 200, {"Cache-Control": "max-age=3600"})


def _provider_address(request: Request, server: ServerContext, jar: CookieJar, visitor: str) -> str:
    """Return the provider's address; for a browser that did not begin a connect session, the
    session's page.
    """
    link = request.path_params["link"]
    _, authorizing, identifier = _begun(server, state_of(link))
    own = authorizing.page_of(identifier)
    if own.startswith(SESSION):
        session = _session_in(own)
        try:
            sessions, found = session_of(
                server, identifier=session, browser=jar.connecting(request, session)
            )
        except UnknownSession:
            return f"{own}/start/{link}"
        if found.is_over or not sessions.approvals.leads(found, link):
            raise unknown()
    return authorizing.open_link(identifier, link, visitor)


def _session_in(page: str) -> str:
    return page.removeprefix(f"{SESSION}/")


def _store_answer(server: ServerContext, given: dict[str, str], visitor: str) -> Completed | str:
    """Store the answer and return its outcome; or return the address of this server's page that
    completes the authorization, since it knows the session that began.
    """
    workspace, authorizing, identifier = _begun(server, given.get("state", ""))
    own = authorizing.page_of(identifier)
    if own.startswith("/") and not own.startswith(SESSION):
        return own
    done = authorizing.note_answer(identifier, given, visitor)
    if own.startswith(SESSION):
        open_sessions(server.runtime(workspace), server.clock).approvals.answered(
            _session_in(own), done
        )
    return done


def _page_of_spent(request: Request, server: ServerContext, jar: CookieJar, state: str) -> str:
    """Return the page of the connect session for an answer that is no longer valid. Only a browser
    that has started that session, or come back for it, gets it; any other gets an empty string.
    """
    try:
        _, authorizing, identifier = _begun(server, state)
        own = authorizing.page_of(identifier)
        session = _session_in(own) if own.startswith(SESSION) else ""
        given = {
            "browser": jar.connecting(request, session),
            "returned": jar.returned(request, session),
        }
        if session:
            session_of(server, identifier=session, **given)
    except JackfieldError:
        return ""
    return own if session else ""


def _begun(server: ServerContext, state: str) -> tuple[str, Authorizing, str]:
    """Return the workspace in which an authorization has this state, its authorizations, and its
    id.

    :raises UnknownAuthorizationError: if no authorization has this state.
    """
    place = find_workspace(server.storage.database, state)
    if place is None:
        raise unknown()
    return place[0], server.runtime(place[0]).connections.authorizing(), place[1]


async def _authorizing(server: ServerContext, identity: Identity) -> Authorizing:
    return await server.slowly(
        lambda: (
            server.runtime(identity.workspace)
            .connections_of(identity.caller)
            .acting_as(identity.actor)
            .authorizing()
        )
    )


def _checked_return(text: str, server: ServerContext) -> str:
    """Check the address to which the browser returns: it must belong to an origin that may call
    this server; return it.

    :raises InvalidInvocation: if its origin may not call this server.
    """
    try:
        parts = urlsplit(text)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        origin = "?"
    if text and (origin not in server.settings.origins or not text.isprintable() or "\\" in text):
        fault = Detail("/returnTo", "is not a page of an origin that the operator allows")
        raise InvalidInvocation(
            "'returnTo' is not allowed",
            details=[fault],
            hint="The operator allows origins with '--origin'.",
        )
    return text


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/connections/{name}/authorize",
        authorize,
        "manage",
        "authorizeConnection",
        "Begin to connect a connection: a person approves it at the provider.",
        {200: "Authorization"},
        body="AuthorizationRequest",
        problems=(404, 409, 413, 415, 422, 502, 503, 504),
    ),
    Operation(
        "GET",
        "/v1/authorizations/{id}",
        shown,
        "manage",
        "showAuthorization",
        "Show whether the person has approved; for a device, asks the provider.",
        {200: "AuthorizationStatus"},
        problems=(404, 502, 503, 504),
    ),
    Operation(
        "POST",
        "/v1/authorizations/{id}:complete",
        completed,
        "manage",
        "completeAuthorization",
        "Finish an authorization with the token that began it, once it is answered. Callers whose "
        "own page is the redirect URI pass on the "
        "provider's answer.",
        {200: "AuthorizationStatus"},
        body="ProviderAnswer",
        problems=(403, 404, 409, 413, 415, 422, 502, 503, 504),
    ),
    Operation(
        "GET",
        f"{START}/{{link}}",
        started,
        None,
        "startAuthorization",
        "Bind this browser to an authorization, and send it to the provider. The link works once.",
        {303: "", 400: "text/html"},
        problems=(404,),
    ),
    Operation(
        "GET",
        CALLBACK,
        answered,
        None,
        "authorizationCallback",
        "Take the browser that comes back from the provider.",
        {200: "text/html", 303: "", 400: "text/html"},
        query=dict.fromkeys(
            (
                "state",
                "code",
                "error",
                "error_description",
                "error_uri",
                "iss",
                "scope",
                "session_state",
            ),
            LONG,
        ),
    ),
    Operation(
        "GET",
        DOCUMENT,
        document,
        None,
        "showClientMetadata",
        "Show what this installation is as a client of OAuth providers; its address is its "
        "client ID there.",
        {200: "ClientMetadata"},
        problems=(404,),
    ),
)
