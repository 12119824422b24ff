"""``GET /v1/connectors/{key}/actions/{action}``: one action as JSON, or a guide to it as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from jackfield.access import Request as Wish
from jackfield.surfaces.http.catalogue import action_of, manifest_of
from jackfield.surfaces.shared.guides import guide, verdict_of
from jackfield.surfaces.shared.json_response import answer

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.surfaces.shared.identity import Identity
    from jackfield.surfaces.shared.server_context import ServerContext

__all__ = ["shown"]


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve the action with the caller's verdict: as JSON, or as a guide for ``Accept: text/markdown``."""
    manifest = await manifest_of(request, server, identity)
    action = action_of(request, manifest)
    runtime = await server.opened(identity.workspace)
    wish = Wish(manifest.key, action.key, action.effect, request.query_params.get("connection"))
    verdict = await server.briefly(lambda: verdict_of(runtime, identity.caller, manifest, wish))
    if _wants_markdown(request.headers.get("accept", "")):
        origin = str(request.base_url).rstrip("/")
        text = guide(manifest, action, verdict, origin)
        return Response(text, 200, {"Vary": "Accept"}, "text/markdown; charset=utf-8")
    raw = next(item for item in manifest.raw["actions"] if item["key"] == action.key)
    about = {"connector": manifest.key, "connectorVersion": manifest.version, "verdict": verdict.to_json()}
    return answer({**raw, **about}, headers={"Vary": "Accept"})


def _wants_markdown(accept: str) -> bool:
    """Return whether Markdown is preferred to JSON (RFC 9110 §12.5.1)."""
    weights = {"text/markdown": 0.0, "application/json": 0.0}
    for part in accept.split(","):
        kind, *parameters = (item.strip().lower() for item in part.split(";"))
        weight = next((item[2:] for item in parameters if item.startswith("q=")), "1")
        try:
            value = float(weight)
        except ValueError:
            continue
        if kind in weights:
            weights[kind] = value
    return weights["text/markdown"] > weights["application/json"]
