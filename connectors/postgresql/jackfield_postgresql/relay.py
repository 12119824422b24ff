"""Relay between libpq and a server: libpq accepts no foreign socket, and the server's bytes must be
counted.
"""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress

from jackfield.connector.timed_socket import Intake

_PIECE = 65_536
_HEAD = 5
"""Bytes of a message's kind and length."""
_FIRST = (b"R", b"v")
"""Kinds of a server's first message without TLS. TLS begins with another byte, and libpq itself
limits refusals of the oldest protocol to 30,000 bytes.
"""
_SIGNED_IN = (b"S", b"K", b"Z")
"""Kinds of messages that follow an accepted login. Before it, libpq itself refuses long
messages.
"""
_ENDS = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Relay(Intake):
    """Relay in place of libpq's connected socket: libpq gets one end of a socket pair, and ``wait``
    moves the bytes in libpq's own thread.

    TLS passes through it, between libpq and the server.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._server = socket.socket(fileno=os.dup(file))
        self._ours, theirs = socket.socketpair()
        with theirs:
            for sock in (self._server, self._ours, theirs):
                sock.setblocking(False)
            os.dup2(theirs.fileno(), file, inheritable=False)
        self._coming = self._going = self._head = b""
        self._is_clear: bool | None = None
        self._is_in = False
        self._rest = 0

    @property
    def is_quiet(self) -> bool:
        """True if libpq has read all that has arrived, and the connection has not ended."""
        poll = select.poll()
        for file in (self._file, self._server.fileno()):
            poll.register(file, select.POLLIN)
        return not self._coming and not poll.poll(0)

    def wait(self, seconds: float, *, write: bool) -> bool:
        """Wait up to ``seconds`` and move bytes once. Return True if libpq can already read or,
        with ``write``, write.

        :raises TooMuchError: if the server has sent more than the limit of a call.
        """
        poll = select.poll()
        poll.register(self._file, select.POLLOUT if write else select.POLLIN)
        poll.register(
            self._ours, select.POLLOUT if self._coming else 0 if self._going else select.POLLIN
        )
        listens = 0 if self._coming or self.ended else select.POLLIN
        if listens or self._going:
            poll.register(self._server, listens | (select.POLLOUT if self._going else 0))
        ready = dict(poll.poll(seconds * 1000))
        if self._file in ready:
            return True
        if ready.get(self._ours.fileno(), 0) & (select.POLLIN | _ENDS) and not self._coming:
            self._going = _received(self._ours) or b""
        if listens and ready.get(self._server.fileno()):
            found = _received(self._server)
            if found is not None:
                self.count(len(found))
                self._weigh(found)
                self._coming = found
        self._coming, self._going = (
            _sent(self._ours, self._coming),
            _sent(self._server, self._going),
        )
        if self.ended and not self._coming:
            with suppress(OSError):
                self._ours.shutdown(socket.SHUT_WR)
        return False

    def _weigh(self, found: bytes) -> None:
        """Check the declared length of messages without TLS, since libpq would wait for a gigabyte.
        With TLS, only received bytes count.

        :raises TooMuchError: if a message is longer than the limit of a call.
        """
        if self._is_clear is None:
            self._is_clear = found[:1] in _FIRST
        at = 0
        while self._is_clear and at < len(found):
            if self._rest:
                passed = min(self._rest, len(found) - at)
                self._rest -= passed
                at += passed
                continue
            head = self._head + found[at : at + _HEAD - len(self._head)]
            at += len(head) - len(self._head)
            self._head = head if len(head) < _HEAD else b""
            if len(head) == _HEAD:
                size = int.from_bytes(head[1:], "big")
                self._is_in = self._is_in or head[:1] in _SIGNED_IN
                self.expect(size if self._is_in else 0)
                self._rest = max(0, size - _HEAD + 1)

    def close(self) -> None:
        """Send libpq's last bytes as far as the server accepts them at once, and close both
        sockets.
        """
        while rest := self._going or _received(self._ours):
            self._going = _sent(self._server, rest)
            if self._going:
                break
        self._ours.close()
        self._server.close()


def _received(sock: socket.socket) -> bytes | None:
    """Return the received bytes; None if no bytes have arrived, and empty bytes after the end of
    the connection, whatever its cause.
    """
    try:
        return sock.recv(_PIECE)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _sent(sock: socket.socket, data: bytes) -> bytes:
    """Send as much as possible without blocking; return the rest. The end of a connection is
    noticed by the next read.
    """
    try:
        return data[sock.send(data) :] if data else data
    except BlockingIOError:
        return data
    except OSError:
        return b""


def is_connected(file: int) -> bool:
    """Return True if a socket is connected."""
    with socket.socket(fileno=os.dup(file)) as sock, suppress(OSError):
        sock.getpeername()
        return True
    return False
