"""The ASGI application: routes, token and scope of each operation, error responses, limits,
headers.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jackfield.kernel.errors import JackfieldError, LimitReached
from jackfield_service.shell.http.authentication import identified
from jackfield_service.shell.http.direct import Direct
from jackfield_service.shell.http.error_responses import (
    EXPECTED,
    bug_response,
    expected_response,
    refused_status,
)
from jackfield_service.shell.http.middleware import Cors, Forwarded, Gzipped, LimitsMiddleware
from jackfield_service.shell.http.near_paths import near_operation
from jackfield_service.shell.http.outlasting import patiently
from jackfield_service.shell.http.parameters import check_request
from jackfield_service.shell.http.response_headers import HEADERS
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.identity.identity import NOBODY, Identity, bearer
from jackfield_service.shell.operations.challenges import challenged
from jackfield_service.shell.operations.operation import READING, SURFACE, Mount, Operation
from jackfield_service.shell.process.request_shares import OPEN_CONNECTIONS
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.prefix import Prefixed
from jackfield_service.shell.requests.problem import Problem, of_error

_MCP = ["Mcp-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name"]
_ALLOWED = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Prefer",
    "If-Match",
    "If-None-Match",
    "X-Request-Id",
    "Traceparent",
    "Jackfield-On-Behalf-Of",
    *_MCP,
]
_EXPOSED = [*HEADERS, "Mcp-Session-Id", "WWW-Authenticate"]


def build_app(server: ServerContext, mounts: Iterable[Mount] = ()) -> Starlette:
    """Build one process's application with the mounted surfaces. Its lifespan starts and stops the
    queue workers.
    """
    middleware = [Middleware(LimitsMiddleware, server=server), Middleware(Gzipped)]
    if server.settings.origins:
        cors = Middleware(
            Cors,
            allow_origins=list(server.settings.origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_ALLOWED,
            expose_headers=_EXPOSED,
        )
        middleware.insert(0, cors)
    if server.settings.root_path or server.settings.behind_proxy:
        middleware.insert(
            0,
            Middleware(
                Prefixed,
                root_path=server.settings.root_path,
                forwarded=server.settings.behind_proxy,
            ),
        )
    if server.settings.behind_proxy:
        middleware.insert(0, Middleware(Forwarded))
    parts: list[Operation | Route] = [
        *OPERATIONS,
        *(part for mount in mounts for part in mount(server)),
    ]
    app = Starlette(
        routes=_routes(server, parts),
        middleware=middleware,
        lifespan=lambda _app: _lifespan(server),
        exception_handlers={**dict.fromkeys(EXPECTED, _refuse), Exception: _refuse_bug},
    )
    app.router.redirect_slashes = False
    app.state.server = server
    app.state.direct = Direct(
        server,
        [
            part
            for part in parts
            if isinstance(part, Operation) and (part.method, part.path) in _BUSY
        ],
    )
    app.state.operations = OPERATIONS
    return app


def _routes(server: ServerContext, found: list[Operation | Route]) -> list[Route]:
    paths: dict[str, dict[str, Operation]] = {}
    for part in found:
        if isinstance(part, Operation):
            paths.setdefault(part.path, {})[part.method] = part
    # '/{id}' matches '/x:complete', too; Starlette tries one route after the other, so what is
    # called most comes first
    verbs_first = sorted(paths, key=lambda path: (("POST", path) not in _BUSY, ":" not in path))
    guarded = [
        Route(
            path.replace(*_WITH_SLASHES), _endpoint(server, paths[path]), methods=list(paths[path])
        )
        for path in verbs_first
    ]
    return [*guarded, *(part for part in found if isinstance(part, Route))]


_WITH_SLASHES = "{recipient}", "{recipient:path}"
"""Parameter whose values may have a slash: the address of a mailbox."""
_BUSY = (("POST", "/v1/invocations"), ("POST", "/mcp"))
"""The most frequent operations: a plain request skips this application (``Direct``)."""
_INDEXED = ("/v1/actions", "/v1/connectors", "/v1/connections", "/mcp", "/mcp/")
"""Paths of operations that search the index for connectors and actions."""


def _endpoint(
    server: ServerContext, methods: dict[str, Operation]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        operation = methods["GET" if request.method == "HEAD" else request.method]
        identity = NOBODY
        try:
            remembered = (
                await server.identities_for(over_mcp=operation.over_mcp).remembered(bearer(request))
                if operation.describes
                else None
            )
            if remembered is None:
                identity = await _caller(request, server, operation)
                return await _run_operation(request, server, operation, identity)
            identity = remembered.identity
            if operation.describes == "partly":
                request.scope[READING] = None if remembered.is_present else remembered.reading
                return await _run_operation(request, server, operation, identity)
            with server.storage.held(remembered.reading):
                return await _run_operation(request, server, operation, identity)
        except LimitReached as error:
            await server.requests.hold(identity.holder, request.scope.get("jackfield.connection"))
            refusal = of_error(error)
            if error.limit == OPEN_CONNECTIONS:
                refusal.headers["Connection"] = "close"
            raise refusal from None
        except JackfieldError as error:
            raise of_error(error) from None
        except Problem as error:
            raise challenged(server, operation, error, bearer(request)) from None

    return endpoint


async def _caller(request: Request, server: ServerContext, operation: Operation) -> Identity:
    if operation.scope is None:
        return NOBODY
    identities = server.identities_for(over_mcp=operation.over_mcp)
    known = identities.cached(bearer(request))
    return (
        known
        if known is not None
        else await patiently(request, lambda: identified(request, server, identities))
    )


async def _run_operation(
    request: Request, server: ServerContext, operation: Operation, identity: Identity
) -> Response:
    request.scope[SURFACE] = identity.surface
    if operation.scope is not None:
        server.pace(identity, request.scope)
        identity.require(operation.scope)
    request.scope["jackfield.workspace"] = identity.workspace
    request.scope["jackfield.computed"] = server.computed
    check_request(request, operation)
    if operation.path.startswith(_INDEXED):
        await server.indexed()
    if identity is NOBODY:
        return await operation.endpoint(request, server, identity)
    connection, reads = request.scope.get("jackfield.connection"), operation.method == "GET"
    async with server.requests.of(identity.holder, connection, reads=reads):
        return await operation.endpoint(request, server, identity)


@contextlib.asynccontextmanager
async def _lifespan(server: ServerContext) -> AsyncIterator[None]:
    server.start()
    try:
        yield
    finally:
        await server.stop()


async def _refuse(request: Request, error: Exception) -> Response:
    near = None
    if isinstance(error, HTTPException | Problem) and refused_status(error) in (404, 405):
        near = near_operation(OPERATIONS, request.method, request.scope["path"])
    return expected_response(
        request.app.state.server,
        error,
        request.url.path,
        request.scope.get(SURFACE, "http"),
        near=near,
    )


async def _refuse_bug(request: Request, error: Exception) -> Response:
    return bug_response(error, request.scope.get("jackfield.request_id", "unknown"))
