"""Operations ``/v1/connectors`` and ``/v1/actions``: the installed connectors and actions as JSON,
and the Markdown guide to an action.

Their threads are separate from calls that wait for the database: descriptions can be read while it
does not answer.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield.call.call_rules import find_action
from jackfield.callers import Request as Wish
from jackfield.callers.searching import found_actions, found_triggers, listed_connectors
from jackfield.catalog.found import FoundTrigger, Match
from jackfield.catalog.installations import revocations
from jackfield.catalog.installed import CatalogRow
from jackfield.connections.connection_types import ConnectionKind, Kinds
from jackfield.kernel.errors import did_you_mean
from jackfield.manifest.manifest import Manifest
from jackfield_service.shell.http.accept import prefers
from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer, tagged
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connectors.action_guides import Over, guide, verdict_of

_LARGEST = 64 * 1024
_ROW = (
    "key",
    "title",
    "version",
    "versions",
    "status",
    "error",
    "revoked",
    "icon",
    "description",
    "categories",
    "actions",
    "triggers",
    "connectionTypes",
    "manifest",
)
_OF_MANIFEST = frozenset(
    {"icon", "description", "categories", "triggers", "connectionTypes", "manifest"}
)
FIELDS = {
    "type": "string",
    "maxLength": 200,
    "description": (
        f"Members of the rows, separated by commas: {', '.join(_ROW)}. Default: all but manifest."
    ),
}
"""Schema of the parameter that chooses members of the rows."""


async def connectors(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connectors``: a row for each, broken ones included; ``?fields=key,manifest``
    chooses the members of the rows.
    """
    start, limit, fields = (
        request.query_params.get("cursor", ""),
        limit_of(request),
        _fields(request),
    )

    def page() -> dict[str, Any]:
        catalog = server.runtime(identity.workspace).catalog_of(identity.caller)
        rows = iter(listed_connectors(server.search, catalog, start))
        some = [*islice(rows, limit)]
        revoked = revocations(catalog.whole.home)
        reads = not _OF_MANIFEST.isdisjoint(fields)
        items = [
            _row(entry, catalog.look(entry.key)[1] if reads else None, revoked.get(entry.key))
            for entry in some
        ]
        chosen = [{name: value for name, value in row.items() if name in fields} for row in items]
        return {
            "items": chosen,
            "nextCursor": some[-1].key if next(rows, None) is not None else None,
        }

    return tagged(request, await server.slowly(page))


def _fields(request: Request) -> Collection[str]:
    given = request.query_params.get("fields")
    if given is None:
        return {*_ROW} - {"manifest"}
    chosen = [name.strip() for name in given.split(",")]
    for name in chosen:
        if name not in _ROW:
            raise Problem(
                400,
                f"the parameter 'fields' names '{name[:80]}', which no connector "
                f"has{did_you_mean(name, _ROW)}",
            )
    return {"key", *chosen}


def _row(entry: CatalogRow, manifest: Manifest | None, revoked: Any) -> dict[str, Any]:
    found = {**entry.to_json(), **({} if revoked is None else {"revoked": revoked})}
    if manifest is None:  # it is broken, or nobody asked for more
        return found
    about = {
        name: manifest.raw[name]
        for name in ("icon", "description", "categories")
        if manifest.raw.get(name)
    }
    counts = {"triggers": len(manifest.triggers), "connectionTypes": len(manifest.connection_types)}
    return {**found, **about, **counts, "manifest": manifest.raw}


async def connector(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connectors/{key}``."""
    return tagged(request, (await _manifest(request, server, identity)).raw)


async def schema(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connectors/{key}/actions/{action}/schema``."""
    return tagged(
        request,
        find_action(
            await _manifest(request, server, identity), request.path_params["action"]
        ).inputs,
    )


async def options(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/connectors/{key}/options/{source}``: the options of a form field.
    ``{"connection": name}`` queries the provider through that connection; ``{"inputs": {…}}`` are
    the current values of the form.
    """
    key, source = request.path_params["key"], request.path_params["source"]
    body = await members_of(request, "OptionsOver", _LARGEST)
    connection, inputs = body.get("connection"), body.get("inputs", {})
    if connection is not None:
        # the option source may call the provider with the connection's credentials
        identity.require("invoke")
    runtime = server.runtime(identity.workspace)
    found = await server.asking(
        identity.workspace,
        lambda: runtime.options(
            key, source, connection=connection, inputs=inputs, caller=identity.caller
        ),
    )
    return answer({"items": found, "nextCursor": None})


async def actions(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/actions?q=&connector=&effect=&tag=&cursor=&limit=``: search the actions, best
    match first. The first page also has the matching triggers.
    """
    given, limit = request.query_params, limit_of(request)
    cursor = given.get("cursor", "0")

    def page() -> tuple[list[Match], int | None, list[FoundTrigger]]:
        catalog, words, connector = (
            server.runtime(identity.workspace).catalog_of(identity.caller),
            given.get("q", ""),
            given.get("connector"),
        )
        narrowed = int(cursor) or given.get("effect") or given.get("tag")
        triggers = [] if narrowed else found_triggers(server.search, catalog, words, connector)
        how = (words, connector, given.get("effect"), int(cursor), limit, given.get("tag"))
        return *found_actions(server.search, catalog, *how), triggers

    rows, end, triggers = await server.slowly(page)
    found: dict[str, Any] = {
        "items": [row.to_json() for row in rows],
        "nextCursor": None if end is None else str(end),
    }
    return answer(found | ({"triggers": [row.to_json() for row in triggers]} if triggers else {}))


async def triggers(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/triggers?q=&connector=&cursor=&limit=``: search the triggers, best match
    first.
    """
    given, limit = request.query_params, limit_of(request)
    start = int(given.get("cursor", "0"))

    def found() -> list[FoundTrigger]:
        catalog = server.runtime(identity.workspace).catalog_of(identity.caller)
        return found_triggers(
            server.search, catalog, given.get("q") or None, given.get("connector")
        )

    rows = await server.slowly(found)
    items = [row.to_json() for row in rows[start : start + limit]]
    return answer(
        {"items": items, "nextCursor": str(start + limit) if len(rows) > start + limit else None}
    )


async def connection_types(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connection-types?connector=&cursor=&limit=``: the types by full name."""
    start, limit, connector = (
        request.query_params.get("cursor", ""),
        limit_of(request),
        request.query_params.get("connector"),
    )

    def found() -> list[ConnectionKind]:
        kinds = Kinds(server.runtime(identity.workspace).catalog_of(identity.caller)).all()
        return [
            kind
            for kind in kinds
            if connector is None or any(manifest.key == connector for manifest in kind.manifests)
        ]

    kinds = [kind for kind in await server.slowly(found) if kind.full_name > start]
    items = [_kind(kind) for kind in kinds[:limit]]
    return answer({"items": items, "nextCursor": items[-1]["type"] if len(kinds) > limit else None})


def _kind(kind: ConnectionKind) -> dict[str, Any]:
    about = {
        "type": kind.full_name,
        "title": kind.about.title,
        "description": kind.about.description,
        "auth": kind.about.auth,
    }
    return {**about, "connectors": [manifest.key for manifest in kind.chosen]}


async def _manifest(request: Request, server: ServerContext, identity: Identity) -> Manifest:
    runtime = await server.opened(identity.workspace)
    return await server.slowly(
        lambda: runtime.catalog_of(identity.caller).find(request.path_params["key"])
    )


async def action_guide(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve the action with the caller's verdict: as JSON, or as a guide for ``Accept:
    text/markdown``.
    """
    manifest = await _manifest(request, server, identity)
    action = find_action(manifest, request.path_params["action"])
    runtime = await server.opened(identity.workspace)
    wish = Wish(
        manifest.key, action.key, action.rule_effect, request.query_params.get("connection")
    )
    verdict = await server.slowly(lambda: verdict_of(runtime, identity.caller, manifest, wish))
    if prefers(request.headers.get("accept", ""), "text/markdown"):
        over = await server.slowly(
            lambda: Over.of(runtime, identity.caller, action, wish.connection, verdict)
        )
        text = guide(manifest, action, verdict, server.seen(request), over)
        return Response(text, 200, {"Vary": "Accept"}, "text/markdown; charset=utf-8")
    raw = await server.slowly(lambda: action.content.row)
    about = {
        "connector": manifest.key,
        "connectorVersion": manifest.version,
        "verdict": verdict.to_json(),
    }
    return answer(
        {**raw, "inputs": action.inputs, "output": action.output, **about},
        headers={"Vary": "Accept"},
    )
