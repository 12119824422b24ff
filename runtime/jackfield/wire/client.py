"""A request from its first byte to the head of its response, over a pooled or new connection. This
module decides how much of the request has been sent.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from jackfield.kernel.clock import monotonic
from jackfield.kernel.errors import JackfieldError, Sent
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.connection import Connection, Limit, WireSettings, connect
from jackfield.wire.exchanges import Exchange, seen_exchange
from jackfield.wire.faults import Kind, WireFault, answered_by_proxy, garbled
from jackfield.wire.guard import require_reachable
from jackfield.wire.head import Fields, Proxy, Target, values_of, write_head
from jackfield.wire.reply import Reply

_AT_ONCE = 65_536
"""Maximum size, in bytes, of a body that is written together with the head."""
_FIRST_FINAL = 200
_MISDIRECTED = 421
"""Status of a server that was reached by mistake, and has not processed the request (RFC 9110
§15.5.20).
"""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods of requests that change nothing (RFC 9110 §9.2.1)."""
_REDIRECTION = 300
"""First status that is not a success."""


class Pool(ProcessLocal):
    """Pool of idle connections for later requests to the same server: at most ``kept``, each for
    ``idle`` seconds. Thread-safe; closed with its last reference.
    """

    def __init__(self, kept: int, idle: float) -> None:
        self._kept = kept
        self._idle = idle
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Reset to no connections, also in a forked child: the existing connections belong to its
        parent.
        """
        self._waiting: dict[tuple[str, str, int], deque[Connection]] = {}
        self._count = 0
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._waiting, os.getpid()).atexit = False

    def __del__(self) -> None:
        """Close the remaining connections at the end of Python, too, when it calls no more
        finalizers.
        """
        for connections in getattr(self, "_waiting", {}).values():
            for connection in connections:
                connection.close()

    def take(self, target: Target) -> Connection | None:
        """Return an idle connection to ``target`` that is still usable; None if no such connection
        is idle.
        """
        place = (target.scheme, target.host, target.port)
        while True:
            with self._lock:
                waiting = self._waiting.get(place)
                if not waiting:
                    return None
                found = waiting.pop()
                self._count -= 1
            # where a process is frozen (AWS Lambda, a snapshot) one clock stands still, and what is
            # on the way forgets the connection
            if (
                max(monotonic() - found.idle_since, time.time() - found.idle_at) < self._idle
                and found.is_idle()
            ):
                return found
            found.close()

    def put(self, target: Target, connection: Connection) -> None:
        """Return a connection to the pool after a whole response has been read on it."""
        connection.used = True
        connection.idle_since, connection.idle_at = monotonic(), time.time()
        with self._lock:
            self._waiting.setdefault((target.scheme, target.host, target.port), deque()).append(
                connection
            )
            self._count += 1
            dropped = self._outdated(connection.idle_since) if self._count > self._kept else []
        for one in dropped:
            one.close()

    def _outdated(self, now: float) -> list[Connection]:
        """Remove and return the connections that have been idle for too long; at least the longest
        idle one.
        """
        oldest = min(
            (waiting[0].idle_since for waiting in self._waiting.values() if waiting), default=now
        )
        last = max(oldest, now - self._idle)
        dropped = []
        for place, waiting in list(self._waiting.items()):
            while waiting and waiting[0].idle_since <= last:
                dropped.append(waiting.popleft())
            if not waiting:
                del self._waiting[place]
        self._count -= len(dropped)
        return dropped


def _close_all(waiting: dict[tuple[str, str, int], deque[Connection]], born_in: int) -> None:
    if os.getpid() == born_in:
        for connections in waiting.values():
            for connection in connections:
                connection.close()


class Wire(SecretHolder):
    """Requests to any servers over connections with the same settings. Thread-safe; never repeats a
    request.
    """

    def __init__(self, settings: WireSettings) -> None:
        self._settings = settings
        self._pool = Pool(settings.kept, settings.idle)

    def send(
        self,
        method: str,
        target: Target,
        path: bytes,
        fields: Fields,
        body: bytes | Iterable[bytes] | None,
        limit: Limit,
        begin: Callable[[], None],
    ) -> Reply:
        """Send a request and return the response once its head has arrived.

        ``path`` is the request's target, and ``fields`` are sent as given: the caller sets ``Host``
        and the fields that frame the body. ``limit`` returns the seconds left. ``begin`` is called
        once, after the connection is established and before the first byte.

        :raises WireFault: if there is no response; its ``sent`` says how much of the request may
            have been sent.
        :raises InvalidConnection: if the guard does not permit the server, or the attempt is
            limited to other hosts.
        """
        require_reachable(target.host, self._settings.guard_path)  # also where a connection is kept
        seen = seen_exchange(method, (target, path), fields)
        if seen is None:
            return self._sent(method, target, path, fields, body, limit, begin, None)
        if isinstance(body, bytes):
            seen.request.add(body)
        elif body is not None:
            body = seen.request.counting(body)
        try:
            reply = self._sent(method, target, path, fields, body, limit, begin, seen)
        except WireFault as fault:
            seen.failed(fault)
            raise
        except JackfieldError as refusal:
            # the guard's, or that of whoever was told that the request begins
            seen.ended(refusal.code)
            raise
        seen.answered(reply.status, reply.fields)
        reply.seen = seen
        return reply

    def _sent(
        self,
        method: str,
        target: Target,
        path: bytes,
        fields: Fields,
        body: bytes | Iterable[bytes] | None,
        limit: Limit,
        begin: Callable[[], None],
        seen: Exchange | None,
    ) -> Reply:
        proxy = None if self._settings.route is None else self._settings.forwarder(target)
        if proxy is not None:
            path, fields = b"http://%b%b" % (target.authority, path), [*fields, *proxy.fields()]
        first = write_head(method, path, fields)
        rest: Iterable[bytes] | None = None
        if isinstance(body, bytes) and len(body) <= _AT_ONCE:
            first += body
        elif body is not None:
            rest = _framed((body,) if isinstance(body, bytes) else body, fields)
        kept = (
            None if self._settings.fresh_writes and method not in _SAFE else self._pool.take(target)
        )
        connection, reply = kept or connect(target, self._settings, limit), None
        try:
            begin()
            if seen is not None:
                seen.sent = Sent.UNKNOWN
            if method not in _SAFE and connection.used and not connection.is_idle():
                # something came while the begin was recorded: it answers no request
                self._reopen(connection, target, limit)
            again = rest is None
            while True:
                whole = self._started(connection, target, first, limit)
                whole = whole and (rest is None or _written(connection, rest, fields, limit))
                reply = self._reply(connection, target, method, limit, whole, proxy)
                if reply.status != _MISDIRECTED or not again:
                    return reply
                # another connection may lead to the server that was meant; this one has processed
                # nothing
                again, reply = False, None
                self._reopen(connection, target, limit)
        except WireFault as fault:
            fault.about(target.host, target.port)
            raise
        finally:
            if reply is None:
                connection.close()

    def _started(self, connection: Connection, target: Target, first: bytes, limit: Limit) -> bool:
        """Write the first bytes of a request; return False if the server has begun to refuse it. A
        pooled connection that had ended is opened again.
        """
        try:
            return connection.write(first, limit)
        except WireFault as fault:
            if fault.kind is not Kind.CUT or fault.sent is not Sent.NOTHING or not connection.used:
                raise
        self._reopen(connection, target, limit)
        return connection.write(first, limit)

    def _reopen(self, connection: Connection, target: Target, limit: Limit) -> None:
        connection.close()
        connection.buffer.clear()
        connection.sock, connection.used = connect(target, self._settings, limit).sock, False

    def _reply(
        self,
        connection: Connection,
        target: Target,
        method: str,
        limit: Limit,
        whole: bool,
        proxy: Proxy | None,
    ) -> Reply:
        """Read the head of the response. A server may refuse a request before it has read the whole
        request, but a success then proves nothing.
        """
        reply = Reply(
            connection.head(limit),
            method,
            connection,
            limit,
            partial(self._pool.put, target) if whole else None,
        )
        if reply.status < _FIRST_FINAL:
            raise garbled("it speaks another protocol than was asked for")
        if (
            proxy is not None
            and (fault := answered_by_proxy(proxy.place, reply.status, reply.fields)) is not None
        ):
            raise fault
        if reply.status == _MISDIRECTED:
            reply.reusable = False
        if not whole and reply.status < _REDIRECTION:
            raise WireFault(Kind.CUT, Sent.UNKNOWN, "it answered before it had read the request")
        return reply


def _written(connection: Connection, body: Iterable[bytes], fields: Fields, limit: Limit) -> bool:
    """Write a body; return False if the server refuses it, or has answered without it."""
    if b"100-continue" in values_of(fields, b"expect") and not connection.asks_for_body(limit):
        return False
    return all(connection.write_on(piece, limit) for piece in body)


def _framed(body: Iterable[bytes], fields: Fields) -> Iterator[bytes]:
    """Return the body's pieces with their framing: in chunks if the fields say so, else as many
    bytes as they declare.
    """
    if b"chunked" in values_of(fields, b"transfer-encoding"):
        return _chunked(body)
    return _counted(body, int((values_of(fields, b"content-length") or [b"0"])[0]))


def _chunked(body: Iterable[bytes]) -> Iterator[bytes]:
    for piece in body:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _counted(body: Iterable[bytes], left: int) -> Iterator[bytes]:
    for piece in body:
        left -= len(piece)
        if left < 0:
            break
        if piece:
            yield piece
    if left:
        raise WireFault(
            Kind.UNSENDABLE,
            Sent.UNKNOWN,
            "the request's body is not as long as its Content-Length says",
        )
