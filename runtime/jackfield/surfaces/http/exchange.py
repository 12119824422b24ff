"""A plain request that is answered without ASGI."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from jackfield.surfaces.shared.correlation import request_id

if TYPE_CHECKING:
    from jackfield.surfaces.http.protocol import Bounded


class Exchange:
    """A plain request and its answer. It has the attributes that uvicorn's protocol reads and sets of the request that is in progress;
    ``message_event``, which that sets when the caller disconnects, cancels the invocation.

    While its invocation runs it stands among the server's tasks, which are cancelled when the time to stop is over: ``stop`` is called
    with it then.
    """

    __slots__ = (
        "body", "disconnected", "given", "identifier", "invocation_id", "keep_alive", "message_event", "protocol", "response_complete",
        "response_started", "started", "stop", "transport", "workspace",
    )  # fmt: skip

    def __init__(
        self, protocol: Bounded, given: dict[bytes, bytes], *, keep_alive: bool, started: float, stop: Callable[[Exchange], object]
    ) -> None:
        self.protocol = protocol
        self.given = given
        self.keep_alive = keep_alive
        self.started = started
        self.stop = stop
        self.transport = protocol.transport
        self.body = b""
        self.message_event = threading.Event()
        self.disconnected = self.response_started = self.response_complete = False
        self.identifier = request_id(((b"x-request-id", given.get(b"x-request-id", b"")),))
        self.workspace: str | None = None
        self.invocation_id: str | None = None

    def name(self, identifier: str) -> None:
        """Note the invocation's id while it runs."""
        self.invocation_id = identifier

    def cancel(self, msg: object = None) -> None:
        """Stop waiting for the invocation soon, as uvicorn's tasks do: it goes through all of them meanwhile."""
        del msg
        self.protocol.loop.call_soon(self.stop, self)
