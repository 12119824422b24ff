"""Middleware around every request: client addresses forwarded by a proxy, compression and CORS."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from jackfield.surfaces.shared.problem import Problem, problem
from jackfield.surfaces.shared.request_id import request_id

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["COMPRESS_FROM", "Cors", "Forwarded", "Gzipped"]

COMPRESS_FROM = 1024
"""Bytes of a body from which it is compressed."""


class Forwarded:
    """ASGI middleware that applies ``X-Forwarded-For`` and ``X-Forwarded-Proto`` on a server reachable only through its proxy.

    It uses the last forwarded value because the caller may have written the others. uvicorn's ``proxy_headers`` would need the addresses of
    all proxies, which ``--behind-proxy`` does not ask for; if it trusts every address, it uses the first value.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            address = _address(_last(scope, b"x-forwarded-for"))
            if address is not None:
                scope["client"] = (address, 0)
            scheme = _last(scope, b"x-forwarded-proto").lower()
            if scheme in ("http", "https"):
                scope["scheme"] = scheme
        await self._app(scope, receive, send)


def _last(scope: Scope, name: bytes) -> str:
    """Return the last item of a list header that may occur several times."""
    values = [value for key, value in scope["headers"] if key == name]
    return bytes(values[-1]).decode("latin-1").rpartition(",")[2].strip() if values else ""


def _address(text: str) -> str | None:
    """Return the IP address of an item without the port that some proxies add; None if it is not an address."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0] if text.count(":") == 1 else text
    try:
        return str(ip_address(bare))
    except ValueError:
        return None


_REFUSED = re.compile(rb"gzip\s*;\s*q\s*=\s*0(?:\.0*)?\s*(?=,|\Z)")


class Gzipped(GZipMiddleware):
    """Starlette's compression, which only searches for the word ``gzip``. Refusals (``gzip;q=0``, RFC 9110 §12.4.2) are removed first."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, minimum_size=COMPRESS_FROM, compresslevel=4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            scope["headers"] = [
                (name, _REFUSED.sub(b"", value.lower()) if name == b"accept-encoding" else value) for name, value in scope["headers"]
            ]
        await super().__call__(scope, receive, send)


class Cors(CORSMiddleware):
    """CORS for the origins that the operator allows."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser's ``OPTIONS`` request; refusals become problem documents."""
        found = super().preflight_response(request_headers)
        if found.status_code != 200:
            headers = {name: value for name, value in found.headers.items() if not name.startswith("content-")}
            found = problem(Problem(found.status_code, bytes(found.body).decode(), headers))
        found.headers["X-Request-Id"] = request_id(request_headers.raw).decode()
        return found
