"""Connections that end at the deadline, even if the server responds slowly, and that refuse too
large responses.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.client import HTTPResponse, RemoteDisconnected
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from jackfield.connector import (
    ANYWHERE,
    Deadline,
    Guard,
    JackfieldError,
    Sent,
    bounded_answer,
    exhausted,
)
from jackfield.kernel.clock import elapsed, monotonic
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.interrupts import let_out
from jackfield.wire.addresses import Address, first_connected, look_up
from jackfield.wire.guard import OnlyHosts, require_reachable
from jackfield_aws.limits import current_deadline
from jackfield_aws.proxies import Proxies


class Watch(ProcessLocal):
    """Watchdog that shuts sockets down at their deadlines. Its thread starts with the first
    socket.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Reset the state after a fork: the child has no watchdog thread, the lock may be held, and
        the sockets are the parent's.
        """
        self._changed = threading.Condition()
        self._active: dict[int, tuple[float, weakref.ref[Any], Deadline]] = {}
        self._looks_at = math.inf
        """Time of the thread's next check."""
        self._next = 0
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """Return the number of watched sockets."""
        return len(self._active)

    def add(self, sock: Any, deadline: Deadline) -> int:
        """Shut ``sock`` down at ``deadline`` unless ``remove`` is called first; return the number
        for ``remove``.

        The watchdog holds only a weak reference: an unreferenced socket is closed and needs no
        shutdown.

        :raises Unavailable: if the thread cannot be started; nothing was sent over any socket.
        """
        at = monotonic() + deadline.remaining()
        with self._changed:
            started = self._started()
            self._next += 1
            number = self._next
            self._active[number] = (at, weakref.ref(sock), deadline)
            if started or at < self._looks_at:
                self._changed.notify()
            return number

    def _started(self) -> bool:
        """Start the thread; return False if it runs already."""
        if self._thread is not None:
            return False
        thread = threading.Thread(target=self._run, name="aws-deadlines", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            short = exhausted(error, Sent.NOTHING)
            if short is None:
                raise
            raise short from error
        self._thread = thread
        return True

    def remove(self, number: int) -> bool:
        """Stop watching a reusable socket; return False if it was already shut down."""
        with self._changed:
            return self._active.pop(number, None) is not None

    def _run(self) -> None:
        with self._changed:
            while True:
                self._shut_due()
                left = self._looks_at - monotonic()
                self._changed.wait(None if left == math.inf else left)

    def _shut_due(self) -> None:
        """Shut down due sockets and compute the next check. A check scans all sockets but is rare:
        most calls end before their deadline.
        """
        now = monotonic()
        for number, (at, sock, deadline) in list(self._active.items()):
            if at > now:
                continue
            remaining = deadline.remaining()
            if remaining > 0:  # the deadline uses another clock, or it was reset
                self._active[number] = (now + remaining, sock, deadline)
            else:
                del self._active[number]
                _shut(sock())
        self._looks_at = min((at for at, _, _ in self._active.values()), default=math.inf)


def _shut(sock: Any) -> None:
    """Shut a socket down through a duplicate descriptor: a TLS socket's own method would discard
    TLS state in use by another thread.
    """
    if sock is not None:
        # it may already be closed
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)


def shut_down(stream: Any) -> None:
    """Shut down the connection of an event stream, which ends the wait of a thread that reads
    it.
    """
    connection = getattr(getattr(stream, "_raw_stream", None), "_connection", None)
    _shut(getattr(connection, "sock", None))


_SHORTEST = 0.001
"""Minimum socket timeout in seconds: 0 would mean "do not block"."""
_REDIRECTION = 300
_LONGEST = 900.0
"""Maximum deadline in seconds; the watchdog enforces shorter ones."""
_IDLE = 20.0
"""Seconds for which an idle connection is reused, as in ``jackfield.wire``."""
_PIECE = 65_536
_EVENTS, _LENGTH = "application/vnd.amazon.eventstream", 4
_FINAL = (100, 101, *range(200, 1000))
"""Statuses of final responses. 101 counts as final; http.client itself skips 100."""
_LONGEST_LINE = 65_537
_CUT_HEAD = "the connection ended within the head of a response"
_INTERIM = re.compile(rb"HTTP/1\.\d (1(?!01)\d\d)\b")
"""Pattern of an interim response's status line, other than 101."""
_WATCH = Watch()
# One per process: it holds sockets and times but no tenant's data, and its thread must outlive
# every client.


def bound(
    client: Any, guard: Guard = ANYWHERE, path: str = "", only_hosts: OnlyHosts | None = None
) -> None:
    """Make a new client use bounded connections to addresses that ``guard`` allows, and to
    ``only_hosts``.

    botocore has no public way to choose its connection class. Its pools, including proxied ones,
    look the class up in this dictionary; a test with a slow response detects a change.
    """
    pools = POOLS if guard.internal and only_hosts is None else _guarded(guard, path, only_hosts)
    session = client._endpoint.http_session  # noqa: SLF001 (see above)
    session._pool_classes_by_scheme.update(pools)  # noqa: SLF001 (see above)
    session._proxy_config = Proxies(guard, path)  # noqa: SLF001 (see above; it is asked for each request)


class _Head:
    """Stream of a response's head that stores the last line read. ``first`` is a line that was read
    before.
    """

    def __init__(self, stream: Any, first: bytes) -> None:
        self.stream = stream
        self.first = first
        self.line = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def readline(self, limit: int = -1) -> bytes:
        self.line, self.first = self.first or self.stream.readline(limit), b""
        return self.line


class _Response(HTTPResponse):
    """Response that skips interim responses (1xx) and requires a complete head. http.client treats
    an interim response other than 100 as final, so the next request would get this request's final
    response. It treats a head cut off by the connection's end as 200 without content.
    """

    def __init__(self, owner: _Bounded, *args: Any, first: bytes = b"", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owner = owner
        self._first = first

    def begin(self) -> None:
        """Read the head.

        :raises RemoteDisconnected: if the connection ends within the head.
        """
        head = _Head(self.fp, self._first)
        self.fp: Any = head
        try:
            super().begin()
        finally:
            if self.fp is head:
                self.fp = head.stream
        if not head.line.endswith(b"\n"):
            self.close()
            raise RemoteDisconnected(_CUT_HEAD)

    def _close_conn(self) -> None:
        """End the response; http.client calls this after the last byte was read."""
        self._owner.responded(self.fp)
        super()._close_conn()  # type: ignore[misc]

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if found[1] in _FINAL:
                return found
            _skip_head(self.fp)


def _skip_head(stream: Any) -> None:
    """Read the rest of an interim response.

    :raises RemoteDisconnected: if the connection ends within the response.
    """
    while (line := stream.readline(_LONGEST_LINE)).strip():
        pass
    if not line:
        raise RemoteDisconnected(_CUT_HEAD)


def _has_more(sock: socket.socket, stream: Any) -> bool:
    """Return whether unread bytes have arrived. The socket alone would not show bytes that TLS or
    ``stream`` buffers.
    """
    try:
        sock.settimeout(0)
        more = bool(stream.peek(1))
        sock.settimeout(_LONGEST)
    except (OSError, ValueError):
        # TLS has nothing to read, or the watchdog has shut the connection down
        more = False
        with contextlib.suppress(OSError):
            sock.settimeout(_LONGEST)
    return more


class _Bounded:
    """Mixin for botocore's connections, whose deadline the watchdog enforces."""

    guard = ANYWHERE
    guard_path = ""
    only_hosts: OnlyHosts | None = None
    answering = False
    spent = False
    """True if the connection must not serve another request: it has bytes beyond the response, or a
    request was not sent completely.
    """
    ended = False
    """True once the watchdog has shut down the connection of the last request."""
    watched: int | None = None
    idle_since: tuple[float, float] | None = None
    """Time at which the connection was returned to its pool, by the monotonic clock and by the wall
    clock.
    """
    twin: socket.socket | None = None
    """Duplicate descriptor of the connection, which is watched while other code may replace or
    close the original.
    """

    def _new_conn(self: Any) -> socket.socket:
        """Connect to the first address that accepts, before the deadline. urllib3 would look up a
        name without a limit or guard, and try one address after another, each for the whole connect
        timeout.
        """
        self._require_reachable()
        deadline = current_deadline()
        try:
            found = look_up(
                self._dns_host,
                self.port,
                None if deadline is None else deadline.remaining(),
                "" if self.guard is None else self.guard.tenant,
            )
            self._judge(found)
            left = (
                self.timeout
                if deadline is None
                else min(self.timeout, max(_SHORTEST, deadline.remaining()))
            )
            made = first_connected(found, left)
        except TimeoutError as error:
            raise ConnectTimeoutError(
                self, f"no connection within {self.timeout} seconds"
            ) from error
        except (OSError, UnicodeError) as error:
            let_out(error)
            raise NewConnectionError(self, f"no connection: {error}") from error
        for option in self.socket_options or ():
            made.setsockopt(*option)
        return made

    def _require_reachable(self: Any) -> None:
        host = getattr(self, "_tunnel_host", None) or self._dns_host
        require_reachable(host, self.guard_path)
        if self.only_hosts is not None:
            self.only_hosts.require(host, self.guard_path)

    def _judge(self: Any, addresses: list[Address]) -> None:
        """Check all addresses with the guard. A proxy is exempt: it is the operator's choice and
        resolves names itself.
        """
        if getattr(self, "proxy", None) is None:
            for _, address in addresses:
                self.guard.check_address(self._dns_host, str(address[0]), self.guard_path)

    @property
    def is_connected(self: Any) -> bool:
        """False if urllib3 must connect again before the next request: the server has ended the
        connection, or it was idle for too long.
        """
        if self.idle_since is not None and elapsed(*self.idle_since) >= _IDLE:
            return False
        return bool(super().is_connected)  # type: ignore[misc]

    def connect(self: Any) -> None:
        """Connect. Any exception is reported as not sent, since no byte of the request was sent
        yet.
        """
        found = attempt(self._connect)
        if not isinstance(found, Raised):
            return
        self.close()
        short = exhausted(found.error, Sent.NOTHING)
        if short is not None:
            raise short from found.error
        if isinstance(found.error, (HTTPError, JackfieldError, OSError)):
            raise found.error
        raise NewConnectionError(self, type(found.error).__name__) from found.error

    def _connect(self: Any) -> None:
        super().connect()  # type: ignore[misc]
        self.sock.settimeout(_LONGEST)
        self._watch(self.sock)

    def request(self: Any, *args: Any, **kwargs: Any) -> None:
        self.ended = False
        if self.sock is not None:
            self.timeout = _LONGEST  # otherwise urllib3 applies the connect timeout to sending
            self._watch(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self: Any) -> Any:
        self.answering = True
        # it was answered before its body, for which the server may still wait
        self.spent = self._response_received
        try:
            found = super().getresponse()  # type: ignore[misc]
        finally:
            self.answering = False
        if self.spent and self._send_called and found.status < _REDIRECTION:
            raise RemoteDisconnected("a success without the body says nothing about it")
        # botocore switches it off, and would read half of a JSON document as an empty one
        found.enforce_content_length = True
        found.stream = partial(_streamed, found, found.stream)
        return found

    def _handle_expect_response(self: Any, message_body: Any) -> None:
        """Send the body once the server asks for it. botocore's own method treats 102 and 103 as
        the response, and never ends at a cut-off head.
        """
        with self.sock.makefile("rb", 0) as stream:
            line = stream.readline(_LONGEST_LINE)
            while found := _INTERIM.match(line):
                _skip_head(stream)
                if found[1] == b"100":
                    self._send_message_body(message_body)
                    return
                line = stream.readline(_LONGEST_LINE)
        self.response_class = partial(_Response, self, first=line)
        self._response_received = True

    def response_class(self, *args: Any, **kwargs: Any) -> _Response:
        """Return the response to a request, as http.client expects it."""
        return _Response(self, *args, **kwargs)

    def responded(self: Any, stream: Any) -> None:
        """Mark the connection as spent if bytes follow the response: the next request would take
        them for its own response.
        """
        self.spent = self.spent or (self.sock is not None and _has_more(self.sock, stream))

    def close(self: Any) -> None:
        if self.answering and self.sock is not None:
            # "Connection: close": the response is still to be read over this connection
            self._watch_twin(self.sock)
        else:
            self.unwatch()
        super().close()  # type: ignore[misc]

    def _watch(self, sock: Any) -> None:
        self.unwatch()
        deadline = current_deadline()
        if deadline is not None:
            self.watched = _WATCH.add(sock, deadline)

    def _watch_twin(self, sock: Any) -> None:
        twin = socket.socket(fileno=os.dup(sock.fileno()))
        self._watch(twin)
        self.twin = twin

    def unwatch(self) -> None:
        """Stop watching, and record in ``ended`` whether the watchdog shut the connection down."""
        if self.watched is not None:
            self.ended = not _WATCH.remove(self.watched) or self.ended
            self.watched = None
        if self.twin is not None:
            self.twin.close()
            self.twin = None


def _streamed(
    answer: Any, stream: Callable[..., Iterator[bytes]], *args: Any, **kwargs: Any
) -> Iterator[bytes]:
    """Bound a response that botocore reads whole. Files are streamed to the caller by another
    method.
    """
    is_events = answer.headers.get("Content-Type") == _EVENTS
    # of events, what is there is read: a stream with a length, or with the connection's end as its
    # own, would wait for 64 KiB
    chunks = iter(partial(answer.read1, _PIECE), b"") if is_events else stream(*args, **kwargs)
    try:
        # judged as any form: hooks of botocore parse XML of S3 whatever its type says, before ours
        # can look at it
        yield from bounded_answer(
            _whole_events(chunks) if is_events else chunks,
            media_type=_EVENTS if is_events else "*/*",
        )
    except JackfieldError:  # too large, or past the deadline
        answer.close()  # the rest of it must not be read as the next response
        raise


def _whole_events(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on an event stream, each of whose events begins with its length.

    :raises ProtocolError: if the stream ends within an event, whose part botocore would drop
        silently.
    """
    head, left = b"", 0
    for chunk in chunks:
        yield chunk
        rest = memoryview(chunk)
        while rest:
            if left == 0:
                head, rest = head + rest[: _LENGTH - len(head)], rest[_LENGTH - len(head) :]
                left, head = (
                    (max(0, int.from_bytes(head) - _LENGTH), b"")
                    if len(head) == _LENGTH
                    else (0, head)
                )
            left, rest = max(0, left - len(rest)), rest[left:]
    if head or left:
        raise ProtocolError("the stream ended within an event")


class _PlainConnection(_Bounded, AWSHTTPConnection):  # type: ignore[misc]
    """Bounded connection over TCP."""


class _TlsConnection(_Bounded, AWSHTTPSConnection):  # type: ignore[misc]
    """Bounded connection over TLS."""

    def _new_conn(self) -> socket.socket:
        """Watch a duplicate, since the TLS handshake, and a proxy's tunnel before it, replace the
        socket.
        """
        made = super()._new_conn()
        self._watch_twin(made)
        return made

    def _tunnel(self) -> None:
        """Open a proxy's tunnel and check the deadline: a proxy's response cut off within its
        headers would look complete.
        """
        super()._tunnel()
        deadline = current_deadline()
        if deadline is not None and deadline.remaining() <= 0:
            raise TimeoutError("the deadline passed")


class _Released:
    """Mixin for botocore's pools that stops watching a returned connection."""

    def _put_conn(self: Any, conn: Any) -> None:
        if conn is not None:
            conn.unwatch()
            if conn.ended:
                conn.close()
                super()._put_conn(None)  # type: ignore[misc]
                # A response without a length, or cut off within its headers, would look complete.
                raise ReadTimeoutError(self, "", "the deadline passed")
            if conn.spent:
                conn.close()
                conn = None
            else:
                conn.idle_since = monotonic(), time.time()
        super()._put_conn(conn)  # type: ignore[misc]


class _PlainPool(_Released, AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _PlainConnection


class _TlsPool(_Released, AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _TlsConnection


POOLS: Mapping[str, type] = {"http": _PlainPool, "https": _TlsPool}
"""Bounded connection pools for the HTTP session of a client or of a metadata service."""


def _guarded(guard: Guard, path: str, only_hosts: OnlyHosts | None) -> dict[str, type]:
    """Return pools whose connections are checked by ``guard``."""
    about = {"guard": guard, "guard_path": path, "only_hosts": only_hosts}
    plain, tls = (
        type("_Plain", (_PlainConnection,), dict(about)),
        type("_Tls", (_TlsConnection,), dict(about)),
    )
    return {
        "http": type("_GuardedPlainPool", (_PlainPool,), {"ConnectionCls": plain}),
        "https": type("_GuardedTlsPool", (_TlsPool,), {"ConnectionCls": tls}),
    }
