"""Operations ``/v1/workspaces``: a platform manages its tenants, with a token of the kind
``platform``. No secret, input or output is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.clock import moment
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.endpoints import Row, filtered
from jackfield_service.shell.http.parameters import flag, limit_of
from jackfield_service.shell.http.query_parts import BY_KEY, FLAG, TEXT, WHEN, paged
from jackfield_service.shell.http.resources import actor_of, query_of
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import ON_BEHALF, Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.subjects.connect.connecting import open_sessions
from jackfield_service.subjects.connections.http.connections import STATUS_FILTER
from jackfield_service.subjects.tenants import Tenants, usage
from jackfield_service.subjects.tenants.health import connection_health
from jackfield_service.subjects.tenants.usage import BY
from jackfield_service.subjects.tokens.subject import TOKENS, TokenDocuments
from jackfield_store.access.settings import IMAGES

T = TypeVar("T")


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/workspaces``: the workspaces by name."""
    given, limit = request.query_params, limit_of(request)
    found, after = await done(
        request,
        server,
        identity,
        lambda tenants: tenants.list(given.get("prefix", ""), given.get("cursor", ""), limit),
    )
    items = [workspace.to_json() for workspace in found]
    for item in (one for one in items if "theme" in one):  # the logos of a page would be megabytes
        item["theme"] = {name: value for name, value in item["theme"].items() if name not in IMAGES}
    return answer({"items": items, "nextCursor": after})


async def put(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``PUT /v1/workspaces/{w}``: create a workspace, or change the given settings of an
    existing one.
    """
    changes, name = (
        await members_of(request, "WorkspaceSettings"),
        request.path_params["w"],
    )
    found, is_new = await done(
        request, server, identity, lambda tenants: tenants.put(name, changes)
    )
    return answer(
        found.to_json(),
        201 if is_new else 200,
        {"Location": f"/v1/workspaces/{name}"} if is_new else {},
    )


async def changed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``PATCH /v1/workspaces/{w}``: change the given settings."""
    changes = await members_of(request, "WorkspaceSettings")
    found = await done(
        request, server, identity, lambda tenants: tenants.change(request.path_params["w"], changes)
    )
    return answer(found.to_json())


async def deleted(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/workspaces/{w}``: suspend the workspace; with ``purge=true`` delete it
    permanently.
    """
    name, purges = request.path_params["w"], flag(request, "purge")
    step = Tenants.purge if purges else Tenants.suspend
    return answer(
        await done(request, server, identity, lambda tenants: step(tenants, name), slowly=purges)
    )


async def token_created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/workspaces/{w}/tokens``. Only this response contains the token itself."""
    given, name = await members_of(request, "NewToken"), request.path_params["w"]

    def step(tenants: Tenants) -> Row:
        return TokenDocuments(tenants.tokens(name), server.clock).create(given)

    made = await done(request, server, identity, step)
    return answer(made, 201, {"Cache-Control": "no-store"})


async def tokens(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/workspaces/{w}/tokens``: newest first, without the tokens themselves."""

    def step(tenants: Tenants) -> Row:
        documents = TokenDocuments(tenants.tokens(request.path_params["w"]), server.clock)
        return filtered(documents.page, dict, request, TOKENS.filters)

    return answer(await done(request, server, identity, step))


async def token_revoked(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/workspaces/{w}/tokens/{id}``."""
    params = request.path_params
    await done(
        request, server, identity, lambda tenants: tenants.tokens(params["w"]).revoke(params["id"])
    )
    return Response(status_code=204)


FILTERS = ("status", "type", "user")
"""Members by which the list of connections can be filtered."""


async def connections(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/workspaces/{w}/connections``: names, types, accounts and status, with the
    remedy for a failing connection. No values.
    """
    name = request.path_params["w"]
    await done(request, server, identity, lambda tenants: tenants.find(name))

    def listed() -> Mapping[str, Any]:
        runtime = server.runtime(name)
        users = open_sessions(runtime, server.clock).users()

        def fetch(cursor: str | None, limit: int) -> tuple[Sequence[dict[str, Any]], str | None]:
            found = runtime.connections.list(cursor, limit)
            return [
                {**row, "user": users.get(row["name"])} for row in found.items
            ], found.next_cursor

        return filtered(fetch, connection_health, request, FILTERS)

    return answer(await server.briefly(listed))


async def used(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/workspaces/{w}/usage``."""
    name, given = request.path_params["w"], request.query_params

    def step(tenants: Tenants) -> dict[str, Any]:
        tenants.find(name)
        now = server.clock.time()
        since, until = (
            moment(given[at], now, -1, f"'{at}'") if at in given else usual
            for at, usual in (("from", now - 30 * 86_400), ("to", now))
        )
        if since >= until:
            raise InvalidInvocation("'from' is not before 'to'")
        return usage(server.storage.database, name, since, until, given.get("by"))

    return answer(await done(request, server, identity, step))


async def done(
    request: Request,
    server: ServerContext,
    identity: Identity,
    step: Callable[[Tenants], T],
    *,
    slowly: bool = False,
) -> T:
    """Run a step in a thread, in the name of the platform and of the user that it names; ``slowly``
    is for steps that may call providers.

    :raises Problem: 503 if there is no database.
    """
    server.require_database("workspaces")
    actor = actor_of(request, identity)
    tenants = Tenants(
        server.storage,
        server.files,
        server.clock,
        identity.workspaces,
        actor,
        server.revoke_approvals,
    )
    return await (server.slowly if slowly else server.briefly)(lambda: step(tenants))


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/workspaces/{w}``."""
    return answer(
        await done(
            request,
            server,
            identity,
            lambda tenants: tenants.find(request.path_params["w"]).to_json(),
        )
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/workspaces",
        listed,
        "platform",
        "listWorkspaces",
        "List the platform's workspaces by name.",
        {200: "WorkspaceList"},
        query={"prefix": TEXT, **paged(BY_KEY)},
        problems=(503,),
    ),
    Operation(
        "GET",
        "/v1/workspaces/{w}",
        shown,
        "platform",
        "showWorkspace",
        "Show a workspace and its settings.",
        {200: "Workspace"},
        problems=(404, 503),
    ),
    Operation(
        "PUT",
        "/v1/workspaces/{w}",
        put,
        "platform",
        "putWorkspace",
        "Create a workspace, or change the given settings of one that exists.",
        {200: "Workspace", 201: "Workspace"},
        headers=(ON_BEHALF,),
        body="WorkspaceSettings",
        problems=(404, 413, 415, 503),
    ),
    Operation(
        "PATCH",
        "/v1/workspaces/{w}",
        changed,
        "platform",
        "changeWorkspace",
        "Change the given settings of a workspace. A suspended one refuses all calls at once.",
        {200: "Workspace"},
        headers=(ON_BEHALF,),
        body="WorkspaceSettings",
        problems=(404, 413, 415, 503),
    ),
    Operation(
        "DELETE",
        "/v1/workspaces/{w}",
        deleted,
        "platform",
        "deleteWorkspace",
        "Suspend a workspace and revoke its tokens; then, with 'purge', delete everything that "
        "it has.",
        {200: "WorkspaceEnd"},
        query={"purge": FLAG},
        headers=(ON_BEHALF,),
        problems=(404, 409, 503),
    ),
    Operation(
        "GET",
        "/v1/workspaces/{w}/tokens",
        tokens,
        "platform",
        "listWorkspaceTokens",
        "List a workspace's tokens, newest first.",
        {200: "TokenList"},
        query=query_of(TOKENS),
        problems=(404, 503),
    ),
    Operation(
        "POST",
        "/v1/workspaces/{w}/tokens",
        token_created,
        "platform",
        "createWorkspaceToken",
        "Create a token of a workspace. Only this response contains its text.",
        {201: "CreatedToken"},
        headers=(ON_BEHALF,),
        body="NewToken",
        problems=(404, 413, 415, 503),
    ),
    Operation(
        "DELETE",
        "/v1/workspaces/{w}/tokens/{id}",
        token_revoked,
        "platform",
        "revokeWorkspaceToken",
        "Revoke a token of a workspace.",
        {204: ""},
        headers=(ON_BEHALF,),
        problems=(404, 503),
    ),
    Operation(
        "GET",
        "/v1/workspaces/{w}/connections",
        connections,
        "platform",
        "listWorkspaceConnections",
        "List a workspace's connections with their status, and the cure of those that fail.",
        {200: "ConnectionHealthList"},
        query={**STATUS_FILTER, "type": TEXT, "user": TEXT, **paged(BY_KEY)},
        problems=(404, 503),
    ),
    Operation(
        "GET",
        "/v1/workspaces/{w}/usage",
        used,
        "platform",
        "showWorkspaceUsage",
        "Show the calls, attempts, failures and refusals of a workspace, equal to its journal.",
        {200: "Usage"},
        query={"from": WHEN, "to": WHEN, "by": {"type": "string", "enum": [*BY]}},
        problems=(404, 503),
    ),
)
