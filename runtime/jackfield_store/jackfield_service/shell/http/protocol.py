"""uvicorn's HTTP protocol with limits on request heads, slow bodies and clients that do not
read.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from jackfield_service.shell.http.exchange import Exchange
from jackfield_service.shell.process.settings import ServerSettings
from jackfield_service.shell.requests.correlation import request_id
from jackfield_service.shell.requests.problem import raw_problem

if TYPE_CHECKING:
    from uvicorn.config import Config

    class Shortcut(Protocol):
        """Server of plain requests that need no ASGI."""

        def accepted(self, now: float) -> None:
            """Note a new connection."""

        def lost(self, protocol: Bounded) -> None:
            """Note the end of a connection."""

        def taken(self, protocol: Bounded) -> Exchange | None:
            """Return the exchange of a plain request whose head has arrived; None if ASGI must
            serve the request.
            """

        def begin(self, exchange: Exchange) -> bool:
            """Serve a request whose body is complete; return False if ASGI must serve it."""


_PROBES = (b"/healthz", b"/readyz")
_RESERVE = 32
"""Number of connections beyond the limit, reserved for probes. They have a short head timeout, and
other requests on them are refused.
"""
_PROBE_HEAD = 2.0
_NEXT = 1.0
"""Seconds for which a stopping server waits for the next request of an idle connection, which may
be on its way. Closing it at once would lose that request in a restart without a gap; its answer
says that the connection ends (RFC 9112 §9.6).
"""
_RETRY = ("retry-after: 1",)
_NO_MEMORY = "this process is out of memory"

_LINGER = 2.0
"""Seconds for which the rest of a refused body is still read and discarded. Closing at once would
reset the connection, and the caller might never see the refusal (RFC 9112 §9.6).
"""


class Bounded(HttpToolsProtocol):
    """One client connection with the limits of ``config.settings``."""

    def __init__(self, config: Config, *rest: Any, **more: Any) -> None:
        super().__init__(config, *rest, **more)
        self._limits: ServerSettings = getattr(config, "settings", None) or ServerSettings()
        self._in_head = True
        self._begun = False
        self._received = 0
        self._body_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._leaving = False
        self._for_probes = False
        self._last = False
        """True once the server stops: the connection ends with its next response."""
        self.holder = ""
        """Workspace whose token came last, empty before the first."""
        self._earlier: deque[Any] = deque()
        self._direct: Shortcut | None = getattr(getattr(self.app, "state", None), "direct", None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the head timeout of a new connection; refuse it when the server is full."""
        super().connection_made(transport)
        if self._direct is not None:
            self._direct.accepted(self.loop.time())
        over = len(self.connections) - self._limits.max_connections
        if over > _RESERVE:
            transport.write(raw_problem(503, self._full(), request_id(()), _RETRY))
            transport.close()
            return
        self._for_probes = over > 0
        self._wait(_PROBE_HEAD if self._for_probes else self._limits.head_within)
        deadline = getattr(self.config, "deadline", None)
        if deadline is not None and deadline.begun:
            self.shutdown()

    def shutdown(self) -> None:
        """Close the connection after the running or arriving request. An idle connection first
        waits ``_NEXT`` seconds for a request on its way.
        """
        self._last = True
        if self._busy():
            super().shutdown()
        else:
            self.loop.call_later(_NEXT, self._end_unless_busy)

    def _end_unless_busy(self) -> None:
        if not self._gone() and not self._busy() and self._in_head:
            self.transport.close()

    @property
    def open(self) -> int:
        """Number of connections of the process."""
        return len(self.connections)

    def _full(self) -> str:
        return f"the server already has {self._limits.max_connections:,} connections"

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers of a closed connection."""
        self._stop()
        self._stop_unread()
        if self._direct is not None:
            self._direct.lost(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed received bytes to the parser and enforce the size and time limits."""
        if self._leaving:
            return
        self._received += len(data)
        try:
            super().data_received(data)
        except MemoryError:
            self._refuse(503, _NO_MEMORY, _RETRY)
        if self._gone():
            return
        if self._in_head and self._received > self._limits.max_head:
            self._refuse(
                431, f"a request's headers must not exceed {self._limits.max_head:,} bytes"
            )
        elif self._timer is None and (self._received or not self._in_head):
            self._wait(self._limits.head_within if self._in_head else self._limits.body_within)

    def on_message_begin(self) -> None:
        """Note that the parser has started a request."""
        super().on_message_begin()
        self.scope["jackfield.connection"] = self  # type: ignore[typeddict-unknown-key]  # for the share of its workspace
        self._in_head = self._begun = True

    def on_headers_complete(self) -> None:
        """Check a complete request head and switch to the body's limits."""
        self._in_head = False
        self._stop()
        size, hosts, is_coded = len(self.url), 0, False
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and value.strip().lower() != b"chunked":
                is_coded = True
        if size > self._limits.max_head:
            self._refuse(
                431, f"a request's headers must not exceed {self._limits.max_head:,} bytes"
            )
            return
        if hosts != 1 and self.parser.get_http_version() == "1.1":
            # RFC 9112 §3.2
            self._refuse(400, "an HTTP/1.1 request must have exactly one 'Host' header")
            return
        if is_coded:
            self._refuse(501, "the only supported transfer coding is 'chunked'")  # RFC 9112 §6.1
            return
        if self._for_probes and self.url.partition(b"?")[0] not in _PROBES:
            self._refuse(503, self._full(), _RETRY)
            return
        self._received, self._body_since = 0, self.loop.time()
        if self._busy():  # the new request is pipelined
            self._note_earlier()
        exchange = self._direct.taken(self) if self._direct is not None else None
        if exchange is not None:
            exchange.keep_alive = exchange.keep_alive and not self._last
            self.cycle = exchange  # type: ignore[assignment]
        else:
            self._begin_cycle()

    def _begin_cycle(self) -> None:
        super().on_headers_complete()
        if self._for_probes or self._last:
            self.cycle.keep_alive = False
        if not self._gone():
            self.cycle.transport = _Closing(self.transport, self.close_politely)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body; drop it once the connection is closing."""
        if self._leaving:
            return
        exchange: object = self.cycle
        if isinstance(exchange, Exchange):
            exchange.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin a plain request; reset the limits for the next one."""
        self._stop()
        self._in_head, self._begun, self._received = True, False, 0
        if self._leaving:
            return
        exchange: object = self.cycle
        if not isinstance(exchange, Exchange):
            super().on_message_complete()
        elif self._direct is not None and not self._direct.begin(exchange):
            self._hand_over(exchange)

    def _hand_over(self, exchange: Exchange) -> None:
        """Let the application answer a request whose body is complete."""
        self.cycle = None  # type: ignore[assignment]
        self._begin_cycle()
        self.cycle.keep_alive = exchange.keep_alive
        super().on_body(exchange.body)
        super().on_message_complete()

    def send_whole(self, exchange: Exchange, answer: bytes) -> None:
        """Send the whole answer of a plain request, and go on with the next."""
        if not exchange.disconnected:
            self.transport.write(answer)
        exchange.response_complete = True
        if not exchange.keep_alive:
            self.close_politely()
        self.on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse malformed HTTP with a problem document. The parser also reports a MemoryError in
        its callbacks this way.
        """
        fault = sys.exc_info()[1]
        if fault is not None and isinstance(fault.__context__ or fault.__cause__, MemoryError):
            self._refuse(503, _NO_MEMORY, _RETRY)
            return
        self._refuse(
            400, "the request is not valid HTTP" if msg.startswith("Invalid HTTP") else msg
        )

    def pause_writing(self) -> None:
        """Start the read timeout of a client that reads slower than the server writes."""
        super().pause_writing()
        if self._unread is None:
            self._wait_for_reader()

    def resume_writing(self) -> None:
        """Stop the read timeout: the client has read."""
        self._stop_unread()
        super().resume_writing()

    def close_politely(self) -> None:
        """Close the connection; if the client is still sending, only after a moment in which it can
        read the response.
        """
        if self._in_head:
            self.transport.close()
            return
        self._leave()

    def _note_earlier(self) -> None:
        """Remember the current request, whose response is incomplete, in case the connection is
        refused.
        """
        while self._earlier and self._earlier[0].response_complete:
            self._earlier.popleft()
        self._earlier.append(self.cycle)

    def _busy(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _gone(self) -> bool:
        return self._leaving or self.transport.is_closing()

    def _wait(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._due)

    def _due(self) -> None:
        """Handle an expired timer: the head, or the expected part of the body, has not arrived."""
        self._timer = None
        if self.transport.is_closing():
            return
        busy = self._busy()
        if self._in_head and (busy or not self._received):
            if not busy:
                self.transport.close()  # idle connection: no request has begun
            return
        if not self._in_head:
            left = (
                self._body_since
                + self._limits.body_within
                + self._received / self._limits.slowest
                - self.loop.time()
            )
            # enough has arrived, or this server has paused reading
            if left > 0 or self.flow.read_paused:
                self._wait(max(left, 1.0))
                return
        if self._in_head or (busy and not self.cycle.response_started):
            self._refuse(408, "the request did not arrive in time")
        else:
            self._abort()

    def _refuse(self, status: int, detail: str, more: tuple[str, ...] = ()) -> None:
        if self._leaving or self.transport.is_closing():
            return
        waiting = [
            cycle
            for cycle in (*self._earlier, *((self.cycle,) if self._busy() else ()))
            if not cycle.response_complete
        ]
        if any(cycle.response_started for cycle in waiting):
            self._abort()
            return
        for cycle in waiting:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(
            raw_problem(status, detail, request_id(self.headers if self._begun else ()), more)
        )
        self._leave()

    def _wait_for_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self._limits.unread_within, self._still_unread, left)

    def _still_unread(self, before: int) -> None:
        """Abort the connection unless the client has read at the minimum rate, also while the
        connection is closing.
        """
        if (
            before - self.transport.get_write_buffer_size()
            >= self._limits.slowest * self._limits.unread_within
        ):
            self._wait_for_reader()
        else:
            self.transport.abort()

    def _leave(self) -> None:
        self._leaving = True
        self._stop()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER, self._abort)

    def _abort(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class _Closing:
    """The transport as seen by the response; closing it is left to the connection."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Any) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close
