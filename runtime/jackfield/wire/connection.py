"""One connection to a server: opened within a deadline, to an address that a guard has checked. No
other module here reads or writes sockets.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import sys
from collections.abc import Callable

from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError, Sent
from jackfield.kernel.failures import OnFailure, Raised, attempt
from jackfield.kernel.interrupts import let_out
from jackfield.wire.addresses import Address, first_connected
from jackfield.wire.faults import (
    NO_ANSWER,
    NO_TLS_ANSWER,
    Kind,
    WireFault,
    broken,
    garbled,
    no_handshake,
    not_connected,
    printable,
    proxy_refused,
    proxy_unreached,
    refuses_client,
)
from jackfield.wire.guard import ANYWHERE, Guard
from jackfield.wire.head import (
    Proxy,
    Route,
    Target,
    framing_of,
    head_end,
    no_head,
    read_head,
    write_head,
)
from jackfield.wire.tls import client_context, described, unverified_context

Limit = Callable[[], float]
"""Function that returns the seconds left for a request; 0 or less once its deadline has passed."""
Resolve = Callable[[str, int, str, float], list[Address]]
"""Function that returns the permitted addresses of a host and port. The string after the port
points at the connection value that names the host; the number is the timeout of the look-up, in
seconds.
"""

_READ = 65_536
_RECORD = 16_384
"""Maximum bytes that TLS seals in one record (RFC 8446 §5.1). Of more bytes, some records may have
been sent when TLS reports a failure.
"""
_SUCCESS = range(200, 300)
_HTTP = b"HTTP/"
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)")
"""Regular expression of the beginning of an interim response; 101 would switch protocols, which no
request asks for.
"""
_CONTINUE = re.compile(rb"HTTP/1\.[01] 100\b")
_ASKED = 1.0
"""Seconds to wait for a server to ask for a body."""
_MOST_INTERIM = 1_000
_GOES_ON = re.compile(rb"HTTP/1\.[01] [12]")
_ANY_SUCCESS = b"HTTP/1.1 2"
_TCP_INFO, _COUNTED = (getattr(socket, "TCP_INFO", 0) if sys.platform == "linux" else 0), 216
_SEGMENTS, _WAITING, _SENT, _AGAIN = slice(136, 140), (144, 4), (200, 8), (208, 8)
"""Slice of the segments sent in Linux's ``struct tcp_info``, and offset and size of the bytes
waiting, the bytes sent, and the bytes sent again (tcp(7), linux/tcp.h).
"""
_MOST_EARLY = 1_048_576
"""Maximum bytes of a response that are read while its request is still being written."""


@dataclass(frozen=True, slots=True, eq=False)
class WireSettings:
    """Settings of a wire. ``guard`` checks servers; ``guard_path`` points at the connection value
    that names the server. ``tls`` returns the TLS context. ``route`` returns the proxy, always the
    same for a server; without a route, no proxy is used. At most ``kept`` connections are pooled,
    each for ``idle`` seconds. ``connect_timeout`` limits a TCP connection and a TLS handshake each,
    in seconds; a deadline may be shorter. With ``fresh_writes``, a request that may change
    something is never sent over a pooled connection.
    """

    guard: Guard = ANYWHERE
    guard_path: str = ""
    tls: Callable[[], ssl.SSLContext] = client_context
    route: Route | None = None
    connect_timeout: float = 10.0
    idle: float = 20.0
    kept: int = 100
    fresh_writes: bool = False

    def forwarder(self, target: Target) -> Proxy | None:
        """Return the proxy that forwards requests to a server itself: in clear text, if every
        address is permitted; else None. Other requests use a tunnel to a checked address, since a
        proxy would forward a request in clear text by its name.
        """
        return (
            self.route(target)
            if self.route is not None and target.scheme == "http" and self.guard.internal
            else None
        )


class Connection:
    """TCP or TLS connection, and received bytes that are still unread. One thread uses it at a
    time.

    ``idle_since`` and ``idle_at``: time at which it became idle, by the monotonic clock and by the
    wall clock. ``torn``: it ended without TLS's close message, so an attacker on the network may
    have cut it.
    """

    __slots__ = ("buffer", "idle_at", "idle_since", "sock", "torn", "used")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = bytearray()
        self.used = self.torn = False
        self.idle_since = self.idle_at = 0.0

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def abort(self) -> None:
        """Shut down the connection while another thread reads it."""
        attempt(self.sock.shutdown, socket.SHUT_RDWR)  # it may be closed by now

    def is_idle(self) -> bool:
        """Return True if nothing has arrived since the last response: neither the connection's end
        nor unexpected bytes.
        """
        if self.buffer:
            return False
        try:
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            if not poll.poll(0):
                return not isinstance(self.sock, ssl.SSLSocket) or not self.sock.pending()
            return isinstance(self.sock, ssl.SSLSocket) and _only_records(self.sock)
        except (OSError, ValueError) as error:
            let_out(error)
            return False

    def fill(self, limit: Limit) -> bool:
        """Wait for more bytes; return False at the end of the connection.

        :raises WireFault: if the connection breaks, or the deadline passes.
        """
        try:
            self.sock.settimeout(_seconds_left(limit))
            found = self.sock.recv(_READ)
        except ssl.SSLEOFError:
            found, self.torn = b"", True
        except OSError as error:
            raise broken(error) from error
        self.buffer += found
        return bool(found)

    def take(self, size: int) -> bytes:
        """Remove up to ``size`` bytes from the beginning of the received bytes, and return them."""
        with memoryview(self.buffer) as view:
            found = bytes(view[:size])
        del self.buffer[:size]
        return found

    def write(self, data: bytes, limit: Limit) -> bool:
        """Write the beginning of a request; return False as ``write_on`` does.

        :raises WireFault: if the connection had ended, or the deadline passes; with ``NOTHING`` as
            ``sent`` if no byte was accepted.
        """
        before = None
        try:
            self.sock.settimeout(_seconds_left(limit))
            before = (
                self.sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _COUNTED) if _TCP_INFO else b""
            )
            written = self.sock.send(data[:_RECORD])
        except TimeoutError as error:
            let_out(error)
            raise _unwritten(error) from error
        except OSError as error:
            let_out(error)  # the host's says nothing about what was written
            raise _unwritten(self._alert() or error) from error
        except Exception as error:
            let_out(error)
            if before is not None and not self._took_nothing_since(before):
                raise
            raise not_connected(error) from error
        return written == len(data) or self.write_on(memoryview(data)[written:], limit)

    def write_on(self, data: bytes | memoryview, limit: Limit) -> bool:
        """Write more of a request, and read meanwhile, since a server that refuses it may stop
        reading. Return False if the server has begun to refuse it, or closed the connection, before
        it accepted all data.

        :raises WireFault: if the deadline passes, or the server refuses the client's certificate.
        """
        rest = memoryview(data)
        self.sock.settimeout(0)
        poll = select.poll()
        poll.register(self.sock, select.POLLIN | select.POLLOUT)
        while rest:
            try:
                ready = poll.poll(_seconds_left(limit) * 1000)
                if any(event & ~select.POLLOUT for _, event in ready):
                    if not self._listen() or self._is_refused():
                        return False
                    if len(self.buffer) > _MOST_EARLY:
                        poll.modify(self.sock, select.POLLOUT)
                if any(event & select.POLLOUT for _, event in ready):
                    rest = rest[self.sock.send(rest) :]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            except TimeoutError as error:
                raise broken(error) from error
            except OSError as error:
                let_out(error)
                if refuses_client(error):
                    raise broken(error) from error
                return False  # it may have answered before it hung up
        return True

    def _took_nothing_since(self, before: bytes) -> bool:
        """Return True if the system reports that nothing was written since ``before``: an exception
        in a write may come after the write.
        """
        try:
            now = self.sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _COUNTED)
        except (OSError, TypeError):  # the latter where there is no such option
            return False
        return (
            len(before) == len(now) == _COUNTED
            and _bytes_taken(before) == _bytes_taken(now) is not None
        )

    def _alert(self) -> OSError | None:
        """Return the alert by which TLS ended the connection, if it is why nothing can be written;
        else None.
        """
        try:
            self.sock.settimeout(0)
            self.sock.recv(1)
        except ssl.SSLError as error:
            return error
        except OSError as error:
            let_out(error)
        return None

    def _listen(self) -> bool:
        """Read the received bytes, without waiting; return False at the connection's end."""
        found = self.sock.recv(_READ)
        self.buffer += found
        return bool(found)

    def _is_refused(self) -> bool:
        """Return True if the received bytes are neither an interim response, nor a success, nor the
        beginning of one. A refusal may come before its request was read, and the server may wait
        for ever for the rest of the request.
        """
        while _INTERIM.match(self.buffer) and (end := head_end(self.buffer, 0)):
            framing_of(read_head(self.take(end))[2])
        return not _GOES_ON.match(
            self.buffer[: len(_ANY_SUCCESS)] + _ANY_SUCCESS[len(self.buffer) :]
        )

    def asks_for_body(self, limit: Limit) -> bool:
        """Wait until the server asks for the body of a request with ``Expect: 100-continue``, or
        for a second, since it may not know that. Return False if it has answered without the body,
        or closed the connection (RFC 9110 §10.1.1).

        :raises WireFault: if the connection breaks, or the deadline passes.
        """
        end = monotonic() + _ASKED

        def briefly() -> float:
            return min(limit(), end - monotonic())

        while True:
            if _INTERIM.match(self.buffer) and (size := head_end(self.buffer, 0)):
                head = self.take(size)
                framing_of(read_head(head)[2])
                if _CONTINUE.match(head):
                    return True
            elif len(self.buffer) >= len(_ANY_SUCCESS) and not _INTERIM.match(self.buffer):
                return False
            else:
                try:
                    if not self.fill(limit if self.buffer else briefly):
                        return False
                except WireFault as fault:
                    if fault.kind is not Kind.LATE or limit() <= 0:
                        raise
                    return True

    def head(self, limit: Limit) -> bytes:
        """Return the head of a final response, with its empty line. Interim responses are skipped.

        :raises WireFault: if the connection ends before, the deadline passes, or the bytes are not
            a head.
        """
        for _ in range(_MOST_INTERIM):
            head = self._one_head(limit)
            if not _INTERIM.match(head):
                return head
            framing_of(read_head(head)[2])
        raise garbled(f"more than {_MOST_INTERIM:,} interim responses")

    def _one_head(self, limit: Limit) -> bytes:
        seen = 0
        while not (end := head_end(self.buffer, seen) if self.buffer else 0):
            seen = len(self.buffer)
            if self.buffer[:5] != _HTTP[:seen]:  # it need not go on, nor end
                raise no_head(self.buffer)
            try:
                goes_on = self.fill(limit)
            except WireFault as fault:
                if seen or fault.kind is not Kind.CUT:
                    raise
                raise WireFault(Kind.CUT, Sent.UNKNOWN, self._unanswered) from fault.__cause__
            if not goes_on:
                raise WireFault(
                    Kind.CUT,
                    Sent.UNKNOWN,
                    "the connection ended within the head" if seen else self._unanswered,
                )
        return self.take(end)

    @property
    def _unanswered(self) -> str:
        return NO_TLS_ANSWER if isinstance(self.sock, ssl.SSLSocket) else NO_ANSWER


def _bytes_taken(about: bytes) -> int | None:
    """Return the number of bytes that the system has accepted for a connection; None if it does not
    count them.
    """
    waiting, sent, again = (
        int.from_bytes(about[place : place + size], sys.byteorder)
        for place, size in (_WAITING, _SENT, _AGAIN)
    )
    return waiting + sent - again if any(about[_SEGMENTS]) else None


def connect(target: Target, settings: WireSettings, limit: Limit) -> Connection:
    """Open a connection to ``target``.

    :raises WireFault: if it cannot be opened, for any exception: no byte of a request was sent.
    :raises InvalidConnection: if the guard does not permit the server, or there is no context for
        TLS.
    """
    found = attempt(_connection, target, settings, limit)
    if not isinstance(found, Raised):
        return found
    if isinstance(found.error, JackfieldError):
        raise found.error
    if isinstance(found.error, WireFault):
        raise found.error.about(target.host, target.port)
    raise not_connected(found.error).about(target.host, target.port) from found.error


def _connection(target: Target, settings: WireSettings, limit: Limit) -> Connection:
    connection = Connection(reached(target, settings, limit))
    if target.scheme == "https":
        try:
            connection.sock = _tls(connection.sock, target.host, settings.tls, settings, limit)
        except WireFault as fault:
            about = (
                attempt(_presented, target, settings, limit)
                if fault.kind is Kind.CERTIFICATE
                else ""
            )
            if about and not isinstance(about, Raised):
                fault.hint = f"{printable(about)} {fault.hint}"
            raise
    return connection


def _presented(target: Target, settings: WireSettings, limit: Limit) -> str:
    """Return a description of the refused certificate, which the failed handshake does not reveal.
    One more handshake is made, and no request is sent.
    """
    with _tls(
        reached(target, settings, limit), target.host, unverified_context, settings, limit
    ) as sock:
        return described(sock.getpeercert(binary_form=True) or b"")


def reached(target: Target, settings: WireSettings, limit: Limit) -> socket.socket:
    """Open a TCP connection to ``target``, or to its proxy: through a tunnel, unless the proxy
    forwards requests itself.

    :raises WireFault: if the connection cannot be opened.
    :raises InvalidConnection: if the guard does not permit the server or the proxy.
    """
    proxy = None if settings.route is None else settings.route(target)
    if proxy is None:
        return _tcp(target, settings.guard.resolve, settings.guard_path, settings, limit)
    onward = Target(
        target.scheme,
        settings.guard.at_proxy(
            target.host, settings.guard_path, resolves=proxy.resolves, seconds=limit()
        ),
        target.port,
    )
    try:
        sock = _tcp(
            proxy.at,
            (settings.guard if proxy.guarded else ANYWHERE).addresses,
            "/proxy",
            settings,
            limit,
        )
    except WireFault as fault:
        raise proxy_unreached(proxy.place, fault) from fault.__cause__
    return (
        sock
        if settings.forwarder(target) is not None
        else _tunnel(sock, proxy, onward.authority, settings, limit)
    )


def _tcp(
    target: Target, resolve: Resolve, path: str, settings: WireSettings, limit: Limit
) -> socket.socket:
    """Connect to the address that accepts first."""
    try:
        addresses = resolve(target.host, target.port, path, _seconds_left(limit))
        return first_connected(addresses, min(settings.connect_timeout, _seconds_left(limit)))
    except (OSError, UnicodeError, MemoryError) as error:
        if isinstance(error, OSError):
            let_out(error)
        raise not_connected(error) from error


def _tunnel(
    sock: socket.socket, proxy: Proxy, place: bytes, settings: WireSettings, limit: Limit
) -> socket.socket:
    """Request a tunnel to a server from the proxy (RFC 9110 §9.3.6)."""
    connection = Connection(sock)
    deadline = monotonic() + settings.connect_timeout

    def within() -> float:
        return min(limit(), deadline - monotonic())

    with OnFailure(sock.close):
        try:
            connection.write(
                write_head("CONNECT", place, [(b"Host", place), *proxy.fields()]), within
            )
            head = connection.head(within)
            _, status, fields = read_head(head)
        except WireFault as fault:
            raise proxy_unreached(proxy.place, fault) from fault
        if status not in _SUCCESS:
            raise proxy_refused(proxy.place, status, head.split(b"\n", 1)[0][9:].strip(), fields)
        if connection.buffer:
            raise WireFault(
                Kind.PROXY,
                Sent.NOTHING,
                f"'{printable(proxy.place)}' sent bytes before the server could",
            )
    return sock


def _tls(
    sock: socket.socket,
    host: str,
    context: Callable[[], ssl.SSLContext],
    settings: WireSettings,
    limit: Limit,
) -> ssl.SSLSocket:
    with OnFailure(sock.close):
        try:
            sock.settimeout(min(settings.connect_timeout, _seconds_left(limit)))
            return context().wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False)
        except (OSError, ValueError, MemoryError) as error:
            raise no_handshake(error) from error


def _seconds_left(limit: Limit) -> float:
    left = limit()
    if left <= 0:
        raise TimeoutError("the deadline passed")
    return left


def _unwritten(error: OSError) -> WireFault:
    """Return the fault for a connection that accepted no byte of the data: it had ended before, or
    had no time left.
    """
    fault = broken(error)
    return (
        WireFault(fault.kind, Sent.NOTHING, fault.reason)
        if fault.kind in (Kind.CUT, Kind.LATE)
        else fault
    )


def _only_records(sock: ssl.SSLSocket) -> bool:
    """Return True if the received bytes on a TLS connection contain no data (a session ticket)."""
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return True
    return False
