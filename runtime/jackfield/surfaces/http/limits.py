"""Limits on every request (concurrency, body quota) and the headers that every response carries."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from jackfield.surfaces.shared.body_quota import BodyShare
from jackfield.surfaces.shared.origins import foreign_host
from jackfield.surfaces.shared.problem import Problem, problem
from jackfield.surfaces.shared.request_id import request_id

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from jackfield.surfaces.shared.server_context import ServerContext

__all__ = ["Limits"]

_LOG = logging.getLogger("jackfield.http")
_SAFE = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"), (b"cache-control", b"no-store")]
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"})
_STOPPED = "the server stopped before the answer was ready: its journal has the outcome"
_PAGES = ("/login", "/docs", "/openapi.json", "/connectors", "/connections", "/invocations", "/tokens", "/workspace")
"""Paths of browser pages. The API requires bearer tokens; Dapr's and MCP's routes check the host themselves."""
_PROBES = ("/healthz", "/readyz")


class Limits:
    """ASGI middleware that limits concurrency, counts bodies, assigns request ids and logs requests."""

    def __init__(self, app: ASGIApp, server: ServerContext) -> None:
        self._app = app
        self._server = server
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope["headers"]
        identifier = request_id(headers)
        scope["jackfield.request_id"] = identifier.decode()
        refusal = self._refusal(scope, headers)
        app: Any = problem(refusal) if refusal is not None else self._app
        share = scope["jackfield.room"] = BodyShare(self._server.room)
        self._running += 1
        named = _Named(self._server, scope, identifier, send)
        try:
            await app(scope, receive, named)
        except asyncio.CancelledError:
            if named.begun or not self._server.stopping:
                raise
            await problem(_stopped(scope.get("jackfield.invocation_id")))(scope, receive, named)
        finally:
            self._running -= 1
            share.release()

    def _refusal(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> Problem | None:
        if scope["path"] in _PROBES:
            return None
        if self._running >= self._server.settings.concurrency:
            return Problem(503, f"the server answers {self._server.settings.concurrency} requests at once already", {"Retry-After": "1"})
        if sum(name == b"authorization" for name, _ in headers) > 1:
            return Problem(400, "the header 'Authorization' is given more than once")
        page = scope["method"] == "GET" and (scope["path"] == "/" or scope["path"].startswith(_PAGES))
        fault = foreign_host(headers, self._server.settings) if page else None
        return Problem(403, fault) if fault is not None else None


def _stopped(identifier: str | None) -> Problem:
    """Build the refusal of a request that still ran at the stop deadline, with its invocation id in the journal."""
    if identifier is None:
        return Problem(504, _STOPPED)
    return Problem(504, _STOPPED, {"Location": f"/v1/invocations/{identifier}"}, invocationId=identifier)


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
            safe = (item for item in _SAFE if item[0] not in there)
            message["headers"] = [*message["headers"], (b"x-request-id", self._identifier), *safe]
            self._note(message["status"])
        await self._send(message)

    def _note(self, status: int) -> None:
        scope = self._scope
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._server.metrics.note_request(method, status)
        if _LOG.isEnabledFor(logging.INFO) and scope["path"] not in _PROBES:
            about = {
                "requestId": self._identifier.decode(), "method": scope["method"], "path": scope["path"][:200], "status": status,
                "workspace": scope.get("jackfield.workspace") or None, "invocationId": scope.get("jackfield.invocation_id"),
                "durationMs": round((self._server.clock.monotonic() - self._started) * 1000, 1),
            }  # fmt: skip
            fields = {name: value for name, value in about.items() if value is not None}
            _LOG.info("%s %s %d", scope["method"], scope["path"][:200], status, extra=fields)
