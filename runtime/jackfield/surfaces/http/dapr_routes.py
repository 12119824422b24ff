"""Dapr's HTTP API beside ours, where the server was given components."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from jackfield.access.workspace_access import Caller
from jackfield.surfaces.http.body import read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.surfaces.dapr import DaprApi
    from jackfield.surfaces.dapr.http_api import Answer
    from jackfield.surfaces.http.host import Host

__all__ = ["dapr_routes"]

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


def dapr_routes(host: Host) -> list[Route]:
    """Everything under ``/v1.0``: callers know it by its own token, ``DAPR_API_TOKEN``, and its own errors."""
    api = _api(host)
    return [] if api is None else [Route("/v1.0/{rest:path}", _endpoint(host, api), methods=_METHODS)]


def _api(host: Host) -> DaprApi | None:
    components = host.settings.components
    if components is None:
        return None
    from jackfield.surfaces.dapr import DaprApi  # noqa: PLC0415 (few servers have components)

    environment = host.panels.environment
    found = components.read(environment)
    workspace = environment.get("JACKFIELD_WORKSPACE") or "default"
    panel = host.panels.beside(workspace, [{"connections": dict(found.connections)}])
    token, local = environment.get("DAPR_API_TOKEN") or None, host.settings.loopback and not host.settings.behind_proxy
    return DaprApi(found.by_name, partial(panel.invoke, caller=Caller(remote=True)), components.app_id, token, host.settings.origins, local)


def _endpoint(host: Host, api: DaprApi) -> Callable[[Request], Awaitable[Response]]:
    from jackfield.surfaces.dapr import answer  # noqa: PLC0415 (as above)
    from jackfield.surfaces.dapr.http_api import MAX_BODY, answer_to_head  # noqa: PLC0415 (as above)
    from jackfield.surfaces.http.body import TooLarge  # noqa: PLC0415 (as above)
    from jackfield.surfaces.http.problem import Problem  # noqa: PLC0415 (as above)

    async def endpoint(request: Request) -> Response:
        if host.stopping:
            api.stopping.set()
        query = request.scope["query_string"].decode("ascii", "replace")
        target = request.scope["raw_path"].decode("ascii", "replace") + (f"?{query}" if query else "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        known = answer_to_head(api, request.method, target, headers)
        if known is not None:
            return _response(known, {"connection": "close"} if _has_body(headers) else {})
        try:
            body = await read_body(request, MAX_BODY)
        except TooLarge as error:
            raise Problem(413, str(error), {"Connection": "close"}) from None
        found = await host.slowly(lambda: answer(api, request.method, target, headers, body))
        return _response(found, {})

    return endpoint


def _response(found: Answer, more: dict[str, str]) -> Response:
    return Response(found.body, found.status, found.sent_headers() | more)


def _has_body(headers: dict[str, str]) -> bool:
    """Whether something is left unread, so that the connection cannot go on."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
