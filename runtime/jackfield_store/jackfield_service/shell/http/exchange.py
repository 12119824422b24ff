"""A plain request that is answered without ASGI."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request

from jackfield_service.shell.requests.correlation import request_id

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from jackfield_service.shell.operations.operation import Operation
    from jackfield_service.shell.process.request_shares import Connection

    class ClientConnection(Connection, Protocol):
        """uvicorn's connection over which a request arrived."""

        loop: asyncio.AbstractEventLoop
        transport: asyncio.Transport
        scope: Any
        tasks: set[asyncio.Task[Any]]
        server_state: ServerState

        def send_whole(self, exchange: Exchange, answer: bytes) -> None:
            """Send the whole answer, head and body, and end the request."""


class Exchange:
    """A plain request and its answer. It has the attributes that uvicorn's protocol reads and sets
    on the current request; uvicorn sets ``message_event`` when the caller disconnects, which
    cancels the invocation.

    A served exchange is among the server's tasks. uvicorn cancels these at the stop deadline, which
    calls ``stop`` with the exchange.
    """

    __slots__ = (
        "body",
        "cancelled",
        "disconnected",
        "given",
        "identifier",
        "keep_alive",
        "message_event",
        "operation",
        "patience",
        "protocol",
        "response_complete",
        "response_started",
        "scope",
        "serving",
        "started",
        "stop",
        "transport",
    )

    def __init__(
        self,
        protocol: ClientConnection,
        operation: Operation,
        given: dict[bytes, bytes],
        *,
        keep_alive: bool,
        started: float,
        stop: Callable[[Exchange], object],
    ) -> None:
        self.protocol = protocol
        self.operation = operation
        self.given = given
        self.keep_alive = keep_alive
        self.started = started
        self.stop = stop
        self.transport = protocol.transport
        self.body = b""
        self.patience = math.inf
        """Seconds that the call leaves for the steps before it."""
        self.cancelled = threading.Event()
        self.message_event: threading.Event | asyncio.Event = self.cancelled
        self.disconnected = self.response_started = self.response_complete = False
        self.identifier = request_id(((b"x-request-id", given.get(b"x-request-id", b"")),))
        self.scope: dict[str, Any] = {}
        """Notes about the request under the names of Starlette's scope."""
        self.serving: asyncio.Task[Any] | None = None
        """Task of the endpoint, which ends with the request."""

    def name(self, identifier: str) -> None:
        """Note the invocation's id while it runs."""
        self.scope["jackfield.invocation_id"] = identifier

    @property
    def invocation_id(self) -> str | None:
        """Id of the invocation; None before the invocation has begun."""
        return self.scope.get("jackfield.invocation_id")

    def request(self) -> Request:
        """Return the request for an endpoint, once its body is complete."""
        left, unread = asyncio.Event(), [self.body]
        self.message_event = left
        url = self.operation.path
        self.scope = {
            **self.protocol.scope,
            **self.scope,
            "method": "POST",
            "path": url,
            "raw_path": url.encode(),
            "query_string": b"",
        }

        async def receive() -> dict[str, Any]:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        return Request(self.scope, receive)

    def cancel(self, msg: object = None) -> None:
        """Schedule ``stop`` in the next iteration of the loop, since uvicorn iterates over its
        tasks during this call.
        """
        del msg
        self.protocol.loop.call_soon(self.stop, self)
