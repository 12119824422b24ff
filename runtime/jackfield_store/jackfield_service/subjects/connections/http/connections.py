"""``/v1/connections``: manage connections. Secrets are accepted but never returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield.connections.connection_types import UnknownType
from jackfield.connections.provenance import Provenance
from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.endpoints import filtered
from jackfield_service.shell.http.parameters import flag
from jackfield_service.shell.http.query_parts import (
    BY_KEY,
    FLAG,
    LONG,
    TEXT,
    Schema,
    filters,
    paged,
)
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer, tags_of
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.shell.requests.wording import reworded
from jackfield_store.access.settings import checked_quotas
from jackfield_store.connections.connection_table import VersionConflict
from jackfield_store.management.connections import ManagedConnections

_REMOTE = Provenance("remote")
FILTERS = ("status",)
"""Members by which the list can be filtered, in addition to its type and a text."""


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connections``."""
    given = request.query_params

    def step(known: ManagedConnections) -> Any:
        def fetch(cursor: str | None, limit: int) -> tuple[Sequence[dict[str, Any]], str | None]:
            found = known.list(cursor, limit, type=given.get("type"), text=given.get("q"))
            return found.items, found.next_cursor

        try:
            return filtered(fetch, dict, request, FILTERS)
        except UnknownType:
            return {"items": [], "nextCursor": None}

    return answer(await _done(server, identity, step))


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/connections``; ``?force=true`` stores a connection whose test fails,
    ``?test=false`` skips the test. A connection with a ``grant`` is not tested.
    """
    body = await members_of(request, "NewConnection")
    how = {"force": flag(request, "force"), "test": flag(request, "test", default=True)}

    def step(known: ManagedConnections) -> dict[str, Any]:
        if "grant" not in body:
            return known.add(
                body["name"],
                body["type"],
                body["values"],
                provenance=_REMOTE,
                quotas=body.get("quotas", ()),
                **how,
            )
        quotas = checked_quotas(body.get("quotas", ()))
        known.moving_in().add(body["name"], body["type"], body["values"], body["grant"], _REMOTE)
        return known.limit(body["name"], quotas) if quotas else known.show(body["name"])

    made = await _done(server, identity, step)
    return _with_version(made, 201, {"Location": f"/v1/connections/{made['name']}"})


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connections/{name}``."""
    found = await _done(server, identity, lambda known: known.show(request.path_params["name"]))
    if {_etag(found), "*"} & tags_of(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers={"ETag": _etag(found)})
    return _with_version(found)


async def replaced(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``PUT /v1/connections/{name}``; ``If-Match`` carries the version that the caller
    read.
    """
    name = request.path_params["name"]
    body = await members_of(request, "ConnectionUpdate")
    how = {"force": flag(request, "force"), "test": flag(request, "test", default=True)}

    def step(known: ManagedConnections) -> Any:
        known.require(name)
        found = known.show(name)
        if body.get("name", name) != name or not _names(
            known, body.get("type", found["type"]), found["type"]
        ):
            raise Problem(
                409, "a connection's name and type cannot be changed: create another connection"
            )
        version = _matched(request, found)
        return known.replace(
            name, body["values"], version, provenance=_REMOTE, quotas=body.get("quotas"), **how
        )

    return _with_version(
        await _done(server, identity, step, stale=412 if "if-match" in request.headers else 409)
    )


def _names(known: ManagedConnections, given: str, stored: str) -> bool:
    """Return whether ``given`` is a name of the stored connection type, of which a family's has
    several.
    """
    kind = known.kinds.known(given)
    return given == stored or (kind is not None and kind.full_name == stored)


async def removed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/connections/{name}``."""
    name = request.path_params["name"]

    def step(known: ManagedConnections) -> None:
        known.require(name)
        if "if-match" in request.headers:
            _matched(request, known.show(name))
        known.remove(name)

    await _done(server, identity, step)
    return Response(status_code=204)


async def tested(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/connections/{name}/test``."""
    return answer(
        await _done(server, identity, lambda known: known.test(request.path_params["name"]))
    )


async def drafted(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/connections:test``: test a draft without storing it."""
    body = await members_of(request, "DraftConnection")
    return answer(
        await _done(
            server,
            identity,
            lambda known: known.test_draft(
                body["type"], body["values"], name=body.get("name"), provenance=_REMOTE
            ),
        )
    )


async def policy(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connections/{name}/policy``; ``?actions=`` lists action names separated by
    commas, ``?connector=`` names one connector.
    """
    given, name = request.query_params, request.path_params["name"]
    wanted, connector = (
        given["actions"].split(",") if given.get("actions") else None,
        given.get("connector") or None,
    )
    sender, principal = given.get("from") or None, given.get("principal")
    return answer(
        await _done(
            server, identity, lambda known: known.policy(name, wanted, principal, sender, connector)
        )
    )


async def _done(
    server: ServerContext,
    identity: Identity,
    step: Callable[[ManagedConnections], Any],
    stale: int = 409,
) -> Any:
    """Run a step in a thread of the workspace; ``stale`` is the status if the connection was
    changed meanwhile.
    """
    try:
        found = await server.asking(
            identity.workspace,
            lambda: step(
                server.runtime(identity.workspace)
                .connections_of(identity.caller)
                .acting_as(identity.actor)
            ),
        )
        return reworded(found, identity.surface)
    except VersionConflict as error:
        raise of_error(error, stale) from None


def _etag(found: dict[str, Any]) -> str:
    return f'"{found.get("version", 1)}"'


def _matched(request: Request, found: dict[str, Any]) -> int | None:
    """Return the version that the caller read; None if any version is accepted.

    :raises Problem: 412 if the connection has another version now, 400 if the header is empty.
    """
    if not request.headers.get("if-match", "*").strip():
        raise Problem(
            400,
            "the header 'If-Match' is empty: send the ETag you last received, or omit the header",
        )
    tags = tags_of(request.headers.get("if-match", "*"))
    if "*" in tags:
        return None
    if _etag(found) not in tags:
        raise Problem(
            412,
            f"the connection has changed: its version is now {_etag(found)}",
            {"ETag": _etag(found)},
        )
    return int(found["version"])


def _with_version(
    found: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return answer(found, status, {"ETag": _etag(found), **(headers or {})})


_FORCE: Mapping[str, Schema] = {
    "force": {**FLAG, "description": "Save the connection even if its test fails."},
    "test": FLAG,
}
STATUS_FILTER = filters(("status",), status=("untested", "ok", "failing", "expired"))
"""Query parameter that filters a list of connections by status."""
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/connections",
        listed,
        "read",
        "listConnections",
        "List the connections by name, secrets masked.",
        {200: "ConnectionList"},
        query={"type": TEXT, "q": TEXT, **STATUS_FILTER, **paged(BY_KEY)},
        problems=(422,),
    ),
    Operation(
        "POST",
        "/v1/connections",
        created,
        "manage",
        "createConnection",
        "Test a connection and save it.",
        {201: "Connection"},
        query=_FORCE,
        body="NewConnection",
        problems=(409, 413, 415, 422),
    ),
    Operation(
        "POST",
        "/v1/connections:test",
        drafted,
        "manage",
        "testDraft",
        "Test connection values without saving them.",
        {200: "Trial"},
        body="DraftConnection",
        problems=(413, 415, 422),
    ),
    Operation(
        "GET",
        "/v1/connections/{name}",
        shown,
        "read",
        "showConnection",
        "Show a connection, secrets masked.",
        {200: "Connection", 304: ""},
        headers=("If-None-Match",),
        problems=(404, 422),
    ),
    Operation(
        "PUT",
        "/v1/connections/{name}",
        replaced,
        "manage",
        "replaceConnection",
        "Replace the values of a connection. Omitted or masked secrets, and omitted quotas, are "
        "kept.",
        {200: "Connection"},
        query=_FORCE,
        headers=("If-Match",),
        body="ConnectionUpdate",
        problems=(404, 409, 412, 413, 415, 422),
    ),
    Operation(
        "DELETE",
        "/v1/connections/{name}",
        removed,
        "manage",
        "removeConnection",
        "Delete a connection and its secrets.",
        {204: ""},
        headers=("If-Match",),
        problems=(404, 409, 412, 422),
    ),
    Operation(
        "POST",
        "/v1/connections/{name}/test",
        tested,
        "invoke",
        "testConnection",
        "Test a connection step by step.",
        {200: "Connection"},
        problems=(404, 422),
    ),
    Operation(
        "GET",
        "/v1/connections/{name}/policy",
        policy,
        "read",
        "showPolicy",
        "Show the policies that the connection needs at the provider.",
        {200: "Policies"},
        query={"actions": LONG, "connector": LONG, "principal": LONG, "from": LONG},
        problems=(400, 404, 422),
    ),
)
