"""A plain request that is answered without ASGI."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from jackfield.surfaces.shared.correlation import request_id

if TYPE_CHECKING:
    import asyncio

    from jackfield.surfaces.http.protocol import Bounded


class Exchange:
    """A plain request and its answer. It has the attributes that uvicorn's protocol reads and sets of the request that is in progress;
    ``message_event``, which that sets when the caller disconnects, cancels the invocation."""

    __slots__ = (
        "body", "disconnected", "given", "identifier", "invocation_id", "keep_alive", "left", "message_event", "protocol",
        "response_complete", "response_started", "started", "transport", "workspace",
    )  # fmt: skip

    def __init__(self, protocol: Bounded, given: dict[bytes, bytes], *, keep_alive: bool, started: float) -> None:
        self.protocol = protocol
        self.given = given
        self.keep_alive = keep_alive
        self.started = started
        self.transport = protocol.transport
        self.body = b""
        self.message_event = threading.Event()
        self.disconnected = self.response_started = self.response_complete = False
        self.identifier = request_id(((b"x-request-id", given.get(b"x-request-id", b"")),))
        self.workspace: str | None = None
        self.invocation_id: str | None = None
        self.left: asyncio.Future[None] | None = None
        """Stands for the request among the server's tasks, which are cancelled when the time to stop is over."""

    def name(self, identifier: str) -> None:
        """Note the invocation's id while it runs."""
        self.invocation_id = identifier
