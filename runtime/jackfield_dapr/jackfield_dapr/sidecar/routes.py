"""Dapr's HTTP API as a Starlette route, shared by the sidecar and ``jackfield serve``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jackfield_dapr.sidecar.api import MAX_BODY, DaprApi
from jackfield_dapr.sidecar.http_api import Answer, answer, answer_to_head
from jackfield_service.shell.requests.body import TooLarge, read_body

Slowly: TypeAlias = Callable[[str, Callable[[], Answer]], Awaitable[Answer]]
"""Function that runs a step which calls a provider outside the event loop, in one of the few
threads of its path, which names a binding.
"""
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
_CLOSE = {"connection": "close"}


def dapr_route(path: str, api: DaprApi, slowly: Slowly) -> Route:
    """Build the route of everything under ``path``. The body is read only if the caller is
    permitted.
    """

    async def endpoint(request: Request) -> Response:
        query = request.scope["query_string"].decode("ascii", "replace")
        target = request.scope["raw_path"].decode("ascii", "replace") + (
            f"?{query}" if query else ""
        )
        headers = {name.lower(): value for name, value in request.headers.items()}
        known = answer_to_head(api, request.method, target, headers)
        if known is not None:
            return _response(known, _CLOSE if _has_body(headers) else {})
        try:
            body = await read_body(request, MAX_BODY)
        except TooLarge as error:
            return Response(str(error), 413, _CLOSE, "text/plain")
        return _response(
            await slowly(
                request.url.path, lambda: answer(api, request.method, target, headers, body)
            ),
            {},
        )

    return Route(path, endpoint, methods=_METHODS)


def _response(found: Answer, more: dict[str, str]) -> Response:
    return Response(found.body, found.status, found.sent_headers() | more)


def _has_body(headers: dict[str, str]) -> bool:
    """Return whether a request has an unread body, so that the connection cannot be reused."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
