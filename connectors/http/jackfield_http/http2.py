"""HTTP/2 over httpcore2, the transport of httpx2, with guarded connections, deadlines for every
read and write, and the start of sending.

No other module imports an HTTP library; the extra ``http2`` installs it.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import httpcore2

from jackfield.connector import (
    JackfieldError,
    Sent,
    Target,
    WireFault,
    WireSettings,
    exhausted,
    seen_exchange,
)
from jackfield.kernel.clock import elapsed, monotonic
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.connection import reached
from jackfield.wire.faults import NO_HANDSHAKE, Kind, no_handshake, printable, refuses_client
from jackfield.wire.guard import require_reachable
from jackfield_http.faults import explain_wire_fault, unprocessed

if TYPE_CHECKING:
    from jackfield_http.urls import Url

_CONNECTIONS = 100
_READ = 65_536
_LEFT = ("send_request_headers.complete", "send_request_headers.failed")
_AGAIN = ("connect_tcp.started", "send_request_headers.started")
"""Trace events of httpcore2 that occur again when a request is sent a second time."""
_ENDED = getattr(select, "POLLRDHUP", 0)
"""Poll event for a peer that sends nothing more, even if some of its data is unread. POLLHUP and
POLLERR are always reported.
"""
_REFUSED_STREAM = 7
"""HTTP/2 error code for a request that was not processed (RFC 9113 §7)."""
_FAULTS: tuple[type[Exception], ...] = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    OSError,
    MemoryError,
    RuntimeError,
    ValueError,  # httpcore2's own, of a status that is no number
)

_KINDS: Mapping[str, tuple[type[Exception], ...]] = {
    "resolve": (socket.gaierror, UnicodeError),
    "refused": (ConnectionRefusedError,),
}

Limit = Callable[[], float]


class Http2Reply:
    """HTTP/2 response whose body can be read once."""

    def __init__(self, response: Any, url: Url, limit: Limit, pieces: Iterable[bytes]) -> None:
        self._response = response
        self._pieces = pieces
        self._url = url
        self._limit = limit
        self.status: int = response.status
        self.fields: list[tuple[bytes, bytes]] = response.headers

    def raw(self) -> Iterator[bytes]:
        """Yield the body as sent: chunked framing is removed, compression is not.

        :raises JackfieldError: if the connection breaks or the deadline passes.
        """
        try:
            yield from self._pieces
        except _FAULTS as error:
            self.close()
            raise _explained(error, self._url, self._limit, begun=True) from error

    def abort(self) -> None:
        """Do nothing: the reading thread ends the stream at its deadline, and the connection serves
        other streams.
        """

    def close(self) -> None:
        """End the response without reading the rest of its body. A connection with excess data is
        not reused: the next request would read that data as its own response.
        """
        if _left_over(self._response):
            self._response.extensions["network_stream"].close()
        self._response.close()


class Http2Wire(ProcessLocal, SecretHolder):
    """Pool of connections that offer HTTP/2 over TLS. Thread-safe; closed with its last reference.

    ``plain`` sends clear-text requests through a proxy, without HTTP/2.
    """

    def __init__(self, settings: WireSettings, plain: Any) -> None:
        self._settings = settings
        self._pool = _pool(settings)
        self._plain = plain
        self._starting = threading.Lock()
        """Held by the request that is about to leave: httpcore2 lets two threads take the same
        stream, and one table of headers.
        """
        weakref.finalize(self, _close, self._pool, os.getpid()).atexit = False

    def send(
        self,
        method: str,
        url: Url,
        fields: list[tuple[bytes, bytes]],
        body: bytes | Iterable[bytes] | None,
        limit: Limit,
        begin: Callable[[], None],
    ) -> Any:
        """Send a request and return the response once its header has arrived. ``begin`` is called
        at most once, before the first byte.

        :raises JackfieldError: if no response arrives; its ``sent`` says whether the request was
            sent.
        """
        settings = self._settings
        if url.scheme == "http" and settings.route is not None:
            return self._plain.send(method, url, fields, body, limit, begin)
        require_reachable(url.host, settings.guard_path)
        if not self._starting.acquire(timeout=max(0.001, limit())):
            raise _explained(
                httpcore2.PoolTimeout("another request is about to leave"), url, limit, begun=False
            )
        self._drop_stale()
        seen = seen_exchange(method, str(url), fields)
        if seen is not None:
            if isinstance(body, bytes):
                seen.request.add(body)
            elif body is not None:
                body = seen.request.counting(body)
        start = _Start(url, begin, self._starting)
        timeouts = {"pool": max(0.001, limit()), "connect": limit, "write": limit, "read": limit}
        request = httpcore2.Request(
            method,
            httpcore2.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
            headers=fields,
            content=body,
            extensions={"timeout": timeouts, "trace": start.trace},
        )
        try:
            response = self._pool.handle_request(request)
        except _FAULTS as error:
            is_unread = start.begun and _is_unprocessed(error, start.stream)
            if seen is not None:
                seen.sent = Sent.UNKNOWN if start.begun and not is_unread else Sent.NOTHING
                seen.ended(type(error).__name__)
            if is_unread:
                raise unprocessed(url.host, url.port) from error
            raise _explained(error, url, limit, begun=start.begun, written=start.written) from error
        finally:
            start.leave()
        pieces: Any = response.stream
        if seen is not None:
            seen.answered(response.status, response.headers)
            pieces = seen.answer.counting(pieces)
        return Http2Reply(response, url, limit, pieces)

    def _drop_stale(self) -> None:
        """Close idle connections that the server has ended, or that are idle for too long by either
        clock.

        httpcore2 reads only one clock for HTTP/2, and a request sent on a dead connection is in
        doubt.
        """
        for connection in self._pool.connections:
            # as in _left_over
            stream = getattr(getattr(connection, "_connection", None), "_network_stream", None)
            if (
                isinstance(stream, _Stream)
                and connection.is_idle()
                and stream.is_stale(self._settings.idle)
            ):
                connection.close()


class _Start:
    """Progress of a request from httpcore2's trace. It holds the lock ``turn`` until the request's
    header has been sent.
    """

    def __init__(self, url: Url, begin: Callable[[], None], turn: threading.Lock) -> None:
        self._url = url
        self._begin = begin
        self._turn: threading.Lock | None = turn
        self.begun = self.written = False
        self.stream = 0

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Record an event of the request."""
        # the pool would send the rest of the body, of which nothing is left
        if self.begun and name.endswith(_AGAIN):
            raise unprocessed(self._url.host, self._url.port)
        if self.begun and name.endswith(_LEFT):
            self.leave()
        if name.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self._begin()
            self.begun, self.stream = True, info.get("stream_id", 0)
        self.written = self.written or name.endswith("send_request_body.complete")

    def leave(self) -> None:
        """Release the lock, so that the next request starts."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.release()


def _pool(settings: WireSettings) -> httpcore2.ConnectionPool:
    return httpcore2.ConnectionPool(
        ssl_context=settings.tls(),
        max_connections=_CONNECTIONS,
        keepalive_expiry=settings.idle,
        http2=True,
        network_backend=_Backend(settings),
    )


def _left_over(response: Any) -> bool:
    """Return whether bytes after the response have been read. httpcore2 would pass them to the next
    request, and offers no public query.
    """
    connection = getattr(getattr(response.stream, "_stream", None), "_connection", None)
    state = getattr(connection, "_h11_state", None)
    return state is not None and bool(state.trailing_data[0])


def _close(pool: httpcore2.ConnectionPool, born_in: int) -> None:
    """Close the pool, but only in the process that made it: a forked child may wait for its lock
    for ever, and shares the parent's sockets.
    """
    if os.getpid() == born_in:
        pool.close()


def _is_unprocessed(error: Exception, stream: int) -> bool:
    """Return whether the server declares a stream unprocessed: by GOAWAY with a lower stream ID
    (RFC 9113 §6.8), or by REFUSED_STREAM (§8.7).

    A request that waits for a new connection after such a GOAWAY is unprocessed, too.
    """
    event = error.args[0] if error.args else None
    last = getattr(event, "last_stream_id", None)
    refused = (
        getattr(event, "stream_id", None) == stream
        and getattr(event, "error_code", None) == _REFUSED_STREAM
    )
    return (
        isinstance(error, httpcore2.PoolTimeout) or refused or (last is not None and stream > last)
    )


def _explained(
    error: Exception, url: Url, limit: Limit, *, begun: bool, written: bool = True
) -> JackfieldError:
    found = list(_causes(error))
    refusal = next((cause for cause in found if isinstance(cause, JackfieldError)), None)
    if refusal is not None:  # the guard's
        return refusal
    fault = next((cause for cause in found if isinstance(cause, WireFault)), None)
    if fault is not None:  # of the connection; nothing was sent
        return explain_wire_fault(fault, url.host, url.port, late=limit() <= 0)
    names = {
        kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("httpcore2")
    }
    if written:
        # the request was right: the server has said what its protocol does not allow now
        names.discard("LocalProtocolError")
    short = next((cause for cause in found if exhausted(cause) is not None), None)
    if short is not None:
        kind = "exhausted"
    elif isinstance(error, RuntimeError) or "LocalProtocolError" in names:
        kind = "unsendable"
    else:
        kind = _kind_in_flight(names, found) if begun else _kind_before(names, found)
    sent = Sent.REFUSED if kind == "client-certificate" else Sent.UNKNOWN if begun else Sent.NOTHING
    refused = next((cause for cause in found if isinstance(cause, ssl.SSLError)), None)
    if refused is not None and not begun:
        return explain_wire_fault(no_handshake(refused), url.host, url.port, late=limit() <= 0)
    reason = (
        type(error).__name__
        if kind == "unsendable"
        else NO_HANDSHAKE
        if kind == "connect-late"
        else str(error)
    )
    if kind == "unreachable" and any(isinstance(cause, OSError) for cause in found):
        reason = ""  # the operating system's number says no more than the kind
    fault = WireFault(Kind(kind), sent, printable(reason))
    fault.__cause__ = short or error
    return explain_wire_fault(fault, url.host, url.port, late=limit() <= 0)


def _kind_before(names: set[str], found: list[BaseException]) -> str:
    """Return the kind of a failure to connect; no byte of the request has left."""
    if "PoolTimeout" in names:
        return "busy"
    for kind, classes in _KINDS.items():
        if any(isinstance(cause, classes) for cause in found):
            return kind
    return "connect-late" if "TimeoutException" in names else "unreachable"


def _kind_in_flight(names: set[str], found: list[BaseException]) -> str:
    """Return the kind of a failure after sending has begun: the server may have read any part of
    the request.
    """
    if any(refuses_client(cause) for cause in found):
        return "client-certificate"
    return "late" if "TimeoutException" in names else "cut"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and its chain of causes."""
    current: BaseException | None = error
    for _ in range(20):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


class _Backend(httpcore2.NetworkBackend):
    """Backend that opens TCP connections like jackfield's wire: to addresses that the guard has
    checked, or through a proxy. All connections use TLS.
    """

    def __init__(self, settings: WireSettings) -> None:
        self._settings = settings

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> _Stream:
        """Connect to the first address that accepts. For any exception, nothing was sent."""
        found = attempt(reached, Target("https", host, port), self._settings, timeout)
        if not isinstance(found, Raised):
            return _Stream(found, self._settings.connect_timeout)
        if isinstance(found.error, JackfieldError):
            raise found.error
        raised = httpcore2.ConnectError(f"{type(found.error).__name__}: {found.error}")
        raised.__context__ = found.error  # the pool clears the cause of what passes through it
        raise raised


class _Stream(httpcore2.NetworkStream):
    """TCP or TLS connection. ``timeout`` is a function, since the reads and writes of a phase share
    one deadline.
    """

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._seconds = seconds
        self._used = monotonic(), time.time()

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        """Read available data, at most ``max_bytes``."""
        self._limit(timeout, httpcore2.ReadTimeout)
        try:
            return self._sock.recv(min(max_bytes, _READ))
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        """Write all of ``buffer``."""
        view = memoryview(buffer)
        while view:
            self._limit(timeout, httpcore2.WriteTimeout)
            try:
                view = view[self._sock.send(view) :]
            except TimeoutError as error:
                raise httpcore2.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> _Stream:
        """Shake hands; the server's certificate must be for ``server_hostname``."""
        try:
            self._sock.settimeout(max(0.001, min(self._seconds, timeout())))
            return _Stream(
                ssl_context.wrap_socket(self._sock, server_hostname=server_hostname), self._seconds
            )
        except TimeoutError as error:
            self.close()
            raise httpcore2.ConnectTimeout(str(error)) from error
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore2.ConnectError(str(error)) from error

    def get_extra_info(self, info: str) -> Any:
        """Return httpcore2's data about the connection."""
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        return self._is_readable() if info == "is_readable" else None

    def _is_readable(self) -> bool:
        """Return True if an idle connection is readable, which means that it has ended."""
        number = self._sock.fileno()
        if number < 0:
            return True
        poll = select.poll()
        poll.register(number, select.POLLIN)
        return bool(poll.poll(0))

    def is_stale(self, idle: float) -> bool:
        """Return whether nothing was read or written for ``idle`` seconds, or the peer has ended
        the connection.
        """
        if self._sock.fileno() < 0 or elapsed(*self._used) >= idle:
            return True
        poll = select.poll()
        poll.register(self._sock, _ENDED)
        return bool(poll.poll(0))

    def _limit(self, timeout: Any, late: type[Exception]) -> None:
        self._used = monotonic(), time.time()
        left = timeout() if callable(timeout) else timeout
        if left is not None and left <= 0:
            raise late("the deadline passed")
        self._sock.settimeout(left)
