"""Middleware around every request: limits, common headers, client addresses forwarded by a proxy,
compression and CORS. Token and scope are checked in ``app._endpoint``.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jackfield.kernel.clock import note_arrival
from jackfield_service.shell.browsers.origins import foreign_host
from jackfield_service.shell.process.server_context import PACED, ServerContext
from jackfield_service.shell.requests.body import BodyShare
from jackfield_service.shell.requests.correlation import request_id
from jackfield_service.shell.requests.problem import Problem, problem

_LOG = logging.getLogger("jackfield.http")
SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_STOPPED = "the server stopped before the response was ready: the journal has the outcome"
_PAGES = (
    "/login",
    "/docs",
    "/openapi.json",
    "/asyncapi.json",
    "/connectors",
    "/marketplace",
    "/connections",
    "/invocations",
    "/schedules",
    "/callbacks",
    "/deliveries",
    "/queue",
    "/files",
    "/tokens",
    "/workspace",
    "/audit",
)
"""Paths of browser pages. The API requires bearer tokens; Dapr's and MCP's routes check the host
themselves.
"""
_PROBES = ("/healthz", "/readyz")
_LINKS = re.compile(r"(/(?:oauth2/start|connect|hooks)/).+")
"""Regular expression of paths whose last part is a secret, which logs must not contain."""


class LimitsMiddleware:
    """ASGI middleware that limits concurrency, counts bodies, assigns request ids and logs
    requests.
    """

    def __init__(self, app: ASGIApp, server: ServerContext) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope["headers"]
        identifier = request_id(headers)
        note_arrival(self._server.clock.monotonic())
        scope["jackfield.request_id"] = identifier.decode()
        refusal = self._refusal(scope, headers)
        app: Any = problem(refusal) if refusal is not None else self._app
        share = scope["jackfield.room"] = BodyShare(self._server.room)
        self._server.requests.begin()
        named = _Named(self._server, scope, identifier, send)
        try:
            await app(scope, receive, named)
        except asyncio.CancelledError:
            if named.begun or not self._server.stopping:
                raise
            await problem(stopped(scope.get("jackfield.invocation_id")))(scope, receive, named)
        finally:
            self._server.requests.end()
            share.release()

    def _refusal(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> Problem | None:
        if scope["path"] in _PROBES:
            return None
        if self._server.requests.is_full:
            return Problem(
                503,
                f"the server already has {self._server.settings.concurrency} requests in progress",
                {"Retry-After": "1"},
            )
        if sum(name == b"authorization" for name, _ in headers) > 1:
            return Problem(400, "the header 'Authorization' occurs more than once")
        page = scope["method"] == "GET" and (
            scope["path"] == "/" or scope["path"].startswith(_PAGES)
        )
        fault = foreign_host(headers, self._server.settings) if page else None
        return Problem(403, fault) if fault is not None else None


def stopped(identifier: str | None) -> Problem:
    """Build the refusal of a request that still ran at the stop deadline, with its invocation id in
    the journal.
    """
    if identifier is None:
        return Problem(504, _STOPPED)
    return Problem(
        504, _STOPPED, {"Location": f"/v1/invocations/{identifier}"}, invocationId=identifier
    )


class _Named:
    """``send`` wrapper that adds the common headers, and counts and logs the response."""

    __slots__ = ("_identifier", "_scope", "_send", "_server", "_started", "begun")

    def __init__(self, server: ServerContext, scope: Scope, identifier: bytes, send: Send) -> None:
        self._server = server
        self._scope = scope
        self._identifier = identifier
        self._send = send
        self.begun = False
        self._started = server.clock.monotonic()

    async def __call__(self, message: Message) -> None:
        """Forward a message."""
        if message["type"] == "http.response.start":
            self.begun = True
            there = {name.lower() for name, _ in message["headers"]}
            safe = (item for item in SAFE if item[0] not in there)
            scope = self._scope
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self._identifier),
                *safe,
                *scope.get(PACED, ()),
            ]
            note_response(
                self._server,
                scope["method"],
                scope["path"],
                message["status"],
                self._identifier,
                self._started,
                scope,
            )
        await self._send(message)


def note_response(
    server: ServerContext,
    method: str,
    path: str,
    status: int,
    identifier: bytes,
    started: float,
    noted: Mapping[str, Any],
) -> None:
    """Count a response, and log it. ``started`` is the time at which its request began, on the
    server's monotonic clock; ``noted`` has the endpoints' notes about it.
    """
    server.metrics.note_request(method if method in _METHODS else "other", status)
    if _LOG.isEnabledFor(logging.INFO) and path not in _PROBES:
        shown = _LINKS.sub(r"\1***", path[:200])
        about = {
            "requestId": identifier.decode(),
            "method": method,
            "path": shown,
            "status": status,
            "workspace": noted.get("jackfield.workspace") or None,
            "invocationId": noted.get("jackfield.invocation_id"),
            "errorCode": noted.get("jackfield.error_code"),
            "durationMs": round((server.clock.monotonic() - started) * 1000, 1),
        }
        fields = {name: value for name, value in about.items() if value is not None}
        _LOG.info("%s %s %d", method, shown, status, extra=fields)


COMPRESS_FROM = 1024
"""Minimum size of a body that is compressed, in bytes."""
_LEVEL = 4


class Forwarded:
    """ASGI middleware that applies ``X-Forwarded-For`` and ``X-Forwarded-Proto`` on a server
    reachable only through its proxy.

    It uses the last forwarded value because the caller may have written the others. uvicorn's
    ``proxy_headers`` would need the addresses of all proxies, which ``--behind-proxy`` does not ask
    for; if it trusts every address, it uses the first value.
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
    """Return the IP address of an item without the port that some proxies add; None if it is not an
    address.
    """
    bare = (
        text[1:].partition("]")[0]
        if text.startswith("[")
        else text.partition(":")[0]
        if text.count(":") == 1
        else text
    )
    try:
        return str(ip_address(bare))
    except ValueError:
        return None


_REFUSED = re.compile(rb"gzip\s*;\s*q\s*=\s*0(?:\.0*)?\s*(?=,|\Z)")


def accepts_gzip(accepted: bytes) -> bool:
    """Return whether a value of ``Accept-Encoding`` has ``gzip``, and does not refuse it
    (``gzip;q=0``, RFC 9110 §12.4.2).
    """
    return b"gzip" in _REFUSED.sub(b"", accepted.lower())


def compressed(body: bytes) -> bytes:
    """Compress a body."""
    return gzip.compress(body, _LEVEL)


class Gzipped:
    """ASGI middleware that compresses responses with Starlette's responders, if the caller accepts
    that.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app = self._app
        if scope["type"] == "http":
            accepted = b",".join(
                value for name, value in scope["headers"] if name == b"accept-encoding"
            )
            app = (
                _Packing(app, COMPRESS_FROM, _LEVEL)
                if accepts_gzip(accepted)
                else IdentityResponder(app, COMPRESS_FROM)
            )
        await app(scope, receive, send)


class _Packing(GZipResponder):
    """Compression of one response, unless it has ranges: a client that resumes counts the bytes
    received, but ranges count the file's bytes.
    """

    _has_ranges = False

    async def send_with_compression(self, message: Message) -> None:
        """Forward a message."""
        if message["type"] == "http.response.start":
            self._has_ranges = any(name == b"accept-ranges" for name, _ in message["headers"])
        await (self.send(message) if self._has_ranges else super().send_with_compression(message))


class Cors(CORSMiddleware):
    """CORS for the origins that the operator allows."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser's ``OPTIONS`` request; refusals become problem documents."""
        found = super().preflight_response(request_headers)
        if found.status_code != 200:
            headers = {
                name: value
                for name, value in found.headers.items()
                if not name.startswith("content-")
            }
            found = problem(Problem(found.status_code, bytes(found.body).decode(), headers))
        found.headers["X-Request-Id"] = request_id(request_headers.raw).decode()
        return found
