"""Connections that end at the deadline, however slowly the other side answers, and that refuse answers that are too large."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError
from urllib3.util.connection import allowed_gai_family

from jackfield.connector import ANYWHERE, Deadline, Guard, Sent, Unavailable, bounded_answer, exhausted
from jackfield.fork import at_fork
from jackfield_aws.limits import current_deadline

__all__ = ["Watch", "bound"]


class Watch:
    """Sockets and the moments at which they must be shut down. Its thread starts with the first socket."""

    def __init__(self) -> None:
        self._begin_anew()
        at_fork(self, child=Watch._begin_anew)

    def _begin_anew(self) -> None:
        """Watch nothing yet, as a forked child: it has neither the thread nor, for sure, a free lock, and the sockets are its parent's."""
        self._changed = threading.Condition()
        self._active: dict[int, tuple[float, weakref.ref[Any], Deadline]] = {}
        self._looks_at = math.inf
        """When the thread looks next of its own accord."""
        self._next = 0
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """The sockets that are watched now."""
        return len(self._active)

    def add(self, sock: Any, deadline: Deadline) -> int:
        """Shut ``sock`` down at ``deadline`` unless ``remove`` comes first; the number to remove it by.

        The socket is not kept alive for that: one that nobody holds any more is closed, and needs no end.

        :raises Unavailable: where the thread cannot be started; nothing was sent over any socket then.
        """
        at = time.monotonic() + deadline.remaining()
        with self._changed:
            started = self._started()
            self._next += 1
            number = self._next
            self._active[number] = (at, weakref.ref(sock), deadline)
            if started or at < self._looks_at:
                self._changed.notify()
            return number

    def _started(self) -> bool:
        """Start the thread where there is none; True where that was needed."""
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
        """The socket has done its work, and may serve another call; False where it was shut down before."""
        with self._changed:
            return self._active.pop(number, None) is not None

    def _run(self) -> None:
        with self._changed:
            while True:
                self._shut_due()
                left = self._looks_at - time.monotonic()
                self._changed.wait(None if left == math.inf else left)

    def _shut_due(self) -> None:
        """Shut down what is due, and note when the next one is. Looks at all of them, which is seldom: calls end before their deadline."""
        now = time.monotonic()
        for number, (at, sock, deadline) in list(self._active.items()):
            if at > now:
                continue
            remaining = deadline.remaining()
            if remaining > 0:  # its clock is another one, or was set
                self._active[number] = (now + remaining, sock, deadline)
            else:
                del self._active[number]
                _shut(sock())
        self._looks_at = min((at for at, _, _ in self._active.values()), default=math.inf)


def _shut(sock: Any) -> None:
    """Through a second descriptor: a TLS socket's own method would drop the TLS state that another thread is reading from."""
    if sock is not None:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as twin:  # it may be closed already
            twin.shutdown(socket.SHUT_RDWR)


_SHORTEST = 0.001
"""Seconds: a socket timeout of 0 would mean "do not block"."""
_LONGEST = 900.0
"""Seconds: the longest deadline there is; the watch ends what has a shorter one."""
_WATCH = Watch()
# One for the process: it holds sockets and moments, nothing of a tenant, and its thread must outlive every client.


def bound(client: Any, guard: Guard = ANYWHERE, path: str = "") -> None:
    """Make a fresh client connect through bounded connections, and only to addresses that ``guard`` lets through.

    botocore has no public way to choose its connection class. This dictionary is the one that its pools, proxied ones included, look
    the class up in; a test with an answer that drips shows when that changes.
    """
    pools = {"http": _PlainPool, "https": _TlsPool} if guard.internal else _guarded(guard, path)
    client._endpoint.http_session._pool_classes_by_scheme.update(pools)  # noqa: SLF001 (see above)


class _Bounded:
    """Mixed into botocore's connections: each address gets the time that is left, and the watch ends the rest."""

    guard = ANYWHERE
    guard_path = ""
    answering = False
    ended = False
    """Whether the watch has shut down what the last request was sent on."""
    watched: int | None = None
    twin: socket.socket | None = None
    """A second descriptor of the same connection, watched where the first one changes hands and may be closed by others."""

    def _new_conn(self: Any) -> socket.socket:
        """urllib3 would give each address of a host the whole connect timeout."""
        deadline = current_deadline()
        made: socket.socket
        if deadline is None and self.guard.internal:
            made = super()._new_conn()  # type: ignore[misc]
            return made
        name, limit = self._dns_host, self.timeout
        try:
            made = self._first(self._judged(_addresses(name, self.port)), deadline)
        finally:
            self._dns_host, self.timeout = name, limit
        return made

    def _judged(self: Any, addresses: list[str]) -> list[str]:
        """The addresses, if the guard lets all of them through. A proxy is the operator's own choice, and resolves names by itself."""
        if self.guard.internal or getattr(self, "proxy", None) is not None:
            return addresses
        if addresses == [self._dns_host] and not _is_address(addresses[0]):
            raise NewConnectionError(self, "the name does not resolve")  # connecting by name would resolve it again, unjudged
        for address in addresses:
            self.guard.check_address(self._dns_host, address, self.guard_path)
        return addresses

    def _first(self: Any, addresses: list[str], deadline: Deadline | None) -> socket.socket:
        limit = self.timeout
        while True:
            self._dns_host = addresses.pop(0)
            if deadline is not None:
                self.timeout = min(limit, max(_SHORTEST, deadline.remaining()))
            try:
                made: socket.socket = super()._new_conn()  # type: ignore[misc]
            except (ConnectTimeoutError, NewConnectionError):
                if not addresses or (deadline is not None and deadline.remaining() <= 0):
                    raise
            else:
                return made

    def connect(self: Any) -> None:
        """Nothing of a request is sent yet, so neither is it where memory, threads or descriptors are short."""
        try:
            super().connect()  # type: ignore[misc]
            self.sock.settimeout(_LONGEST)
            self._watch(self.sock)
        except (MemoryError, RuntimeError, OSError) as error:
            self.close()
            short = exhausted(error, Sent.NOTHING)
            if short is None:
                raise
            raise short from error

    def request(self: Any, *args: Any, **kwargs: Any) -> None:
        self.ended = False
        if self.sock is not None:
            self.timeout = _LONGEST  # else urllib3 sends under the connect timeout
            self._watch(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self: Any) -> Any:
        self.answering = True
        try:
            found = super().getresponse()  # type: ignore[misc]
        finally:
            self.answering = False
        found.stream = partial(_streamed, found, found.stream)
        return found

    def close(self: Any) -> None:
        if self.answering and self.sock is not None:
            self._watch_twin(self.sock)  # "Connection: close": the answer is still to be read, from what this connection had
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
        """End the watch, and note whether it has shut the connection down."""
        if self.watched is not None:
            self.ended = not _WATCH.remove(self.watched) or self.ended
            self.watched = None
        if self.twin is not None:
            self.twin.close()
            self.twin = None


def _streamed(answer: Any, stream: Callable[..., Iterator[bytes]], *args: Any, **kwargs: Any) -> Iterator[bytes]:
    """Read an answer that botocore parses whole; a file is read piece by piece by whoever asked for it, and another way."""
    try:
        yield from bounded_answer(stream(*args, **kwargs))
    except Unavailable:
        answer.close()  # what is left of it must not be the next request's answer
        raise


class _PlainConnection(_Bounded, AWSHTTPConnection):  # type: ignore[misc]
    """Over TCP."""


class _TlsConnection(_Bounded, AWSHTTPSConnection):  # type: ignore[misc]
    """Over TLS."""

    def _new_conn(self) -> socket.socket:
        """The handshake, and the proxy's tunnel before it, come next; they take the socket over."""
        made = super()._new_conn()
        self._watch_twin(made)
        return made

    def _tunnel(self) -> None:
        """A proxy's answer that was shut down within its headers would look whole."""
        super()._tunnel()
        deadline = current_deadline()
        if deadline is not None and deadline.remaining() <= 0:
            raise TimeoutError("the deadline passed")


class _Released:
    """Mixed into botocore's pools: a connection that comes back has done its work."""

    def _put_conn(self: Any, conn: Any) -> None:
        if conn is not None:
            conn.unwatch()
            if conn.ended:
                conn.close()
                super()._put_conn(None)  # type: ignore[misc]
                # An answer without a length, or cut within its headers, would look whole.
                raise ReadTimeoutError(self, "", "the deadline passed")
        super()._put_conn(conn)  # type: ignore[misc]


class _PlainPool(_Released, AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _PlainConnection


class _TlsPool(_Released, AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _TlsConnection


def _guarded(guard: Guard, path: str) -> dict[str, type]:
    """Pools like ours whose connections ask ``guard``."""
    about = {"guard": guard, "guard_path": path}
    plain, tls = type("_Plain", (_PlainConnection,), dict(about)), type("_Tls", (_TlsConnection,), dict(about))
    return {
        "http": type("_GuardedPlainPool", (_PlainPool,), {"ConnectionCls": plain}),
        "https": type("_GuardedTlsPool", (_TlsPool,), {"ConnectionCls": tls}),
    }


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _addresses(name: str, port: int) -> list[str]:
    """The addresses of a host, or its name, so that urllib3 says what is wrong with it."""
    try:
        found = socket.getaddrinfo(name.strip("[]"), port, allowed_gai_family(), socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return [name]
    return [str(address[4][0]) for address in found]
