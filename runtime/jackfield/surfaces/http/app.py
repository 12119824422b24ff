"""The ASGI application: routes, token and scope of each operation, error responses, limits, headers."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from jackfield.connector.shortage import exhausted
from jackfield.errors import JackfieldError
from jackfield.surfaces.http.middleware import COMPRESS_FROM, Cors, Forwarded, Gzipped, Limits
from jackfield.surfaces.http.parameters import check_request
from jackfield.surfaces.http.table import OPERATIONS
from jackfield.surfaces.shared.body import TooLarge
from jackfield.surfaces.shared.identity import NOBODY, Identity, bearer
from jackfield.surfaces.shared.operation import Mount, Operation
from jackfield.surfaces.shared.outlasting import patiently
from jackfield.surfaces.shared.prefix import Prefixed
from jackfield.surfaces.shared.problem import Problem, of_error, problem
from jackfield.surfaces.shared.server_context import ServerContext

_LOG = logging.getLogger("jackfield.http")
_MCP = ["Mcp-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name"]
_ALLOWED = ["Authorization", "Content-Type", "Idempotency-Key", "Prefer", "If-Match", "If-None-Match", "X-Request-Id", "Traceparent", *_MCP]
_EXPOSED = ["Location", "ETag", "Retry-After", "X-Request-Id", "Preference-Applied", "Idempotency-Replayed", "Mcp-Session-Id"]
_INVOKE = "/v1/invocations"
_DAPR = "Dapr's API is served with 'jackfield serve --components DIR'; components listed in JACKFIELD_CONNECTIONS are connections only"
_WORDS = {404: "no such resource", 405: "this method is not allowed here"}


def build_app(server: ServerContext, mounts: Iterable[Mount] = ()) -> Starlette:
    """Build one process's application with the mounted surfaces. Its lifespan starts and stops the queue workers."""
    routes = _routes(server, mounts)
    invoke = next(route.endpoint for route in routes if route.path == _INVOKE)
    middleware = [
        Middleware(Limits, server=server),
        Middleware(Direct, invoke=invoke),
        Middleware(Gzipped),
    ]
    if server.settings.origins:
        cors = Middleware(
            Cors, allow_origins=list(server.settings.origins), allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=_ALLOWED, expose_headers=_EXPOSED,
        )  # fmt: skip
        middleware.insert(0, cors)
    if server.settings.root_path or server.settings.behind_proxy:
        middleware.insert(0, Middleware(Prefixed, root_path=server.settings.root_path, forwarded=server.settings.behind_proxy))
    if server.settings.behind_proxy:
        middleware.insert(0, Middleware(Forwarded))
    app = Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=lambda _app: _lifespan(server),
        exception_handlers={**dict.fromkeys(_REFUSALS, _refuse), Exception: _refuse_bug},
    )
    app.router.redirect_slashes = False
    app.state.server = server
    app.state.operations = OPERATIONS
    return app


def _routes(server: ServerContext, mounts: Iterable[Mount]) -> list[Route]:
    found: list[Operation | Route] = [*OPERATIONS, *(part for mount in mounts for part in mount(server))]
    paths: dict[str, dict[str, Operation]] = {}
    for part in found:
        if isinstance(part, Operation):
            paths.setdefault(part.path, {})[part.method] = part
    verbs_first = sorted(paths, key=lambda path: ":" not in path)  # '/{id}' matches '/x:complete', too
    guarded = [Route(path, _endpoint(server, paths[path]), methods=list(paths[path])) for path in verbs_first]
    return [*guarded, *(part for part in found if isinstance(part, Route))]


_INDEXED = ("/v1/actions", "/v1/connectors", "/v1/connections", "/mcp")
"""Paths of operations that look for connectors and actions in the search index."""


def _endpoint(server: ServerContext, methods: dict[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        operation = methods["GET" if request.method == "HEAD" else request.method]
        try:
            identity = NOBODY
            if operation.scope is not None:
                known = server.identities.cached(request)
                identity = known if known is not None else await patiently(request, lambda: _identified(request, server))
                server.pace(identity)
                identity.require(operation.scope)
            request.scope["jackfield.workspace"] = identity.workspace
            request.scope["jackfield.computed"] = server.computed
            check_request(request, operation)
            if operation.path.startswith(_INDEXED):
                await server.indexed()
            return await operation.endpoint(request, server, identity)
        except TooLarge as error:
            raise Problem(413, str(error), {"Connection": "close"}) from None
        except JackfieldError as error:
            raise of_error(error) from None

    return endpoint


async def _identified(request: Request, server: ServerContext) -> Identity:
    """Authenticate the caller unless the identity is cached. A token is looked up before it counts as a guess."""
    await server.identities.prepare(bearer(request))
    async with server.guesses.turn(request):
        try:
            return await server.briefly(lambda: server.identities.of(request))
        except Problem as refusal:
            if refusal.status == 401:
                server.guesses.note(request)
            raise


@contextlib.asynccontextmanager
async def _lifespan(server: ServerContext) -> AsyncIterator[None]:
    server.start()
    try:
        yield
    finally:
        await server.stop()


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer a request that raised one of ``_REFUSALS``."""
    if isinstance(error, Problem):
        return problem(error)
    if isinstance(error, HTTPException):
        text = _WORDS.get(error.status_code, "the request cannot be handled")
        if error.status_code == 404 and request.url.path.startswith("/v1.0/"):
            text = f"{text}: {_DAPR}"
        return problem(Problem(error.status_code, text, dict(error.headers or {})))
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)
    return _shortage(request, error)


def _shortage(request: Request, error: Exception) -> Response:
    """Answer 503 when memory or threads run out. Log it once a minute instead of a traceback per request."""
    short = exhausted(error)
    if short is None:
        raise error
    server: ServerContext = request.app.state.server
    if server.shortages.takes(short.message.encode()):
        _LOG.error("%s: requests get 503", short.message)
    return problem(of_error(short))


async def _refuse_bug(request: Request, error: Exception) -> Response:
    identifier = request.scope.get("jackfield.request_id", "unknown")
    _LOG.error("an unexpected %s", type(error).__name__, exc_info=error, extra={"requestId": identifier})
    return problem(Problem(500, f"an unexpected error; the request is {identifier}", {"X-Request-Id": identifier}))


_REFUSALS = (Problem, HTTPException, ClientDisconnect, MemoryError, RuntimeError)


class Direct:
    """ASGI middleware that answers ``POST /v1/invocations`` itself: routing and its layers take a sixth of a small call's CPU time."""

    def __init__(self, app: ASGIApp, invoke: Callable[[Request], Awaitable[Response]]) -> None:
        self._app = app
        self._invoke = invoke

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != _INVOKE or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await self._invoke(request)
        except _REFUSALS as error:
            response = await _refuse(request, error)
        large = len(response.body) >= COMPRESS_FROM
        await (Gzipped(response) if large else response)(scope, receive, send)
