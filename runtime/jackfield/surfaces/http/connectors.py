"""``/v1/connectors`` and ``/v1/actions``: the installed connectors and actions as JSON, and the Markdown guide to an action.

Their threads are not those in which calls wait for the database: descriptions are read while it does not answer.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield.callers import Request as Wish
from jackfield.catalog.found import Found, FoundTrigger
from jackfield.catalog.installations import revocations
from jackfield.manifest import Manifest
from jackfield.pipe.call_rules import find_action
from jackfield.surfaces.http.accept import prefers
from jackfield.surfaces.http.parameters import flag, limit_of
from jackfield.surfaces.shared.action_guides import Over, guide, verdict_of
from jackfield.surfaces.shared.body import decoded, read_body
from jackfield.surfaces.shared.identity import Identity, storable
from jackfield.surfaces.shared.json_response import answer, tagged
from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.searching import found_actions, found_triggers, listed_connectors
from jackfield.surfaces.shared.server_context import ServerContext

_LARGEST = 64 * 1024


async def connectors(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connectors``: manifests; with ``?summary=true`` one row per connector, broken ones included."""
    start, limit, summary = request.query_params.get("cursor", ""), limit_of(request), flag(request, "summary")

    def page() -> dict[str, Any]:
        catalog = server.runtime(identity.workspace).catalog_of(identity.caller)
        rows = (entry for entry in listed_connectors(server.search, catalog, start) if summary or entry.error is None)
        some = list(islice(rows, limit))
        cursor = some[-1].key if next(rows, None) is not None else None
        if summary:
            revoked = revocations(catalog.whole.home)
            items = [{**row.to_json(), **({"revoked": revoked[row.key]} if row.key in revoked else {})} for row in some]
            return {"items": items, "nextCursor": cursor}
        manifests = (catalog.look(row.key)[1] for row in some)
        return {"items": [manifest.raw for manifest in manifests if manifest is not None], "nextCursor": cursor}

    return tagged(request, await server.slowly(page))


async def connector(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connectors/{key}``."""
    return tagged(request, (await _manifest(request, server, identity)).raw)


async def schema(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/connectors/{key}/actions/{action}/schema``."""
    return tagged(request, find_action(await _manifest(request, server, identity), request.path_params["action"]).inputs)


async def options(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/connectors/{key}/options/{source}``: the options of a form field; ``{"connection": name}`` queries the provider
    through that connection, ``{"inputs": {…}}`` are the values that the form has so far."""
    key, source = request.path_params["key"], request.path_params["source"]
    connection, inputs = await _asked(request)
    if connection is not None:
        identity.require("invoke")  # the option source may call the provider with the connection's credentials
    runtime = server.runtime(identity.workspace)
    found = await server.asking(
        identity.workspace, lambda: runtime.options(key, source, connection=connection, inputs=inputs, caller=identity.caller)
    )
    return answer({"items": found, "nextCursor": None})


async def actions(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/actions?q=&connector=&effect=&tag=&cursor=&limit=``: search the actions, best match first. The first page has the
    triggers that match, too."""
    given, limit = request.query_params, limit_of(request)
    cursor = given.get("cursor", "0")

    def page() -> tuple[list[Found], int | None, list[FoundTrigger]]:
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
    found: dict[str, Any] = {"items": [row.to_json() for row in rows], "nextCursor": None if end is None else str(end)}
    return answer(found | ({"triggers": [row.to_json() for row in triggers]} if triggers else {}))


async def _asked(request: Request) -> tuple[str | None, dict[str, Any]]:
    text = await read_body(request, _LARGEST)
    body = await decoded(text, request) if text.strip() else {}
    given = body if isinstance(body, dict) else {"": body}
    connection, inputs = given.get("connection"), given.get("inputs", {})
    fits = isinstance(connection, str | None) and storable(connection or "") and isinstance(inputs, dict)
    if not fits or given.keys() - {"connection", "inputs"}:
        raise Problem(400, 'the body must be empty or {"connection": name, "inputs": {…}}, each of which may be left out')
    return connection, inputs


async def _manifest(request: Request, server: ServerContext, identity: Identity) -> Manifest:
    """Return the manifest of the connector in the path, limited to what the caller may see."""
    runtime = await server.opened(identity.workspace)
    return await server.slowly(lambda: runtime.catalog_of(identity.caller).find(request.path_params["key"]))


async def action_guide(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve the action with the caller's verdict: as JSON, or as a guide for ``Accept: text/markdown``."""
    manifest = await _manifest(request, server, identity)
    action = find_action(manifest, request.path_params["action"])
    runtime = await server.opened(identity.workspace)
    wish = Wish(manifest.key, action.key, action.rule_effect, request.query_params.get("connection"))
    verdict = await server.slowly(lambda: verdict_of(runtime, identity.caller, manifest, wish))
    if prefers(request.headers.get("accept", ""), "text/markdown"):
        over = await server.slowly(lambda: Over.of(runtime, identity.caller, action, wish.connection, verdict))
        text = guide(manifest, action, verdict, server.seen(request), over)
        return Response(text, 200, {"Vary": "Accept"}, "text/markdown; charset=utf-8")
    raw = await server.slowly(lambda: action.content.row)
    about = {"connector": manifest.key, "connectorVersion": manifest.version, "verdict": verdict.to_json()}
    return answer({**raw, "inputs": action.inputs, "output": action.output, **about}, headers={"Vary": "Accept"})
