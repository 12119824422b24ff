"""Sockets for client libraries that block: each wait ends at the deadline of its call, and the
received bytes are limited.
"""

from __future__ import annotations

import errno
import io
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from jackfield.connector.context import current_call
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.connection import Connection

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Buffer

    from jackfield.kernel.clock import Deadline

T = TypeVar("T")

MOST_ANSWER = 16 * 1024 * 1024
"""Maximum bytes that a server may send for one call. Libraries hold a whole answer in memory,
whatever length the server announces.
"""
_PIECE = 65_536
_LOOK_SECONDS = 0.25
"""Seconds between a wait's checks whether the caller has left."""


class TooMuchError(OSError):
    """Error for a server that sent more than the limit. It has a number, which libraries expect of
    an OSError.
    """

    def __init__(self, said: str) -> None:
        super().__init__(errno.EMSGSIZE, said)

    def __str__(self) -> str:
        return str(self.strerror)


class Intake:
    """Count of the bytes that a server sends for one call.

    ``failure`` is why its connection is unusable, which a library may hide in its own exception;
    ``ended`` is True once the server has ended the connection.
    """

    failure: OSError | None = None
    ended = False
    _room = MOST_ANSWER

    def renew(self) -> None:
        """Reset the count for another call."""
        self._room = MOST_ANSWER

    def count(self, size: int) -> None:
        """Count bytes that have arrived; 0 means the connection's end.

        :raises TooMuchError: if the call has now received more bytes than it may.
        """
        self.ended = self.ended or not size
        self._room -= size
        if self._room < 0:
            self.refuse(f"the server sent more than {MOST_ANSWER:,} bytes for one call")

    def expect(self, size: int) -> None:
        """Check a size that a server announces, before a library allocates memory for it or waits
        for it.

        :raises TooMuchError: if the call would receive more bytes than it may.
        """
        if size > MOST_ANSWER:
            self.refuse(f"the server would send more than {MOST_ANSWER:,} bytes for one call")

    def refuse(self, said: str) -> NoReturn:
        """Refuse further bytes of the server.

        :raises TooMuchError: always.
        """
        self.failure = TooMuchError(said)
        raise self.failure


class CountedSocket(Intake, SecretHolder):
    """Connected socket for a library that limits its waits itself, in its own thread. The received
    bytes are limited as in ``TimedSocket``.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self.deadline = deadline
        self.settimeout, self.send, self.getpeername, self.close = (
            sock.settimeout,
            sock.send,
            sock.getpeername,
            sock.close,
        )

    @property
    def _closed(self) -> bool:
        """True once the socket is closed; paramiko reads this attribute of any socket."""
        return self._sock.fileno() < 0

    def serve(self, deadline: Deadline) -> None:
        """Start another call, with its deadline and a new count of received bytes."""
        self.deadline = deadline
        self.renew()

    def recv(self, size: int) -> bytes:
        """Wait for bytes; empty bytes mean the connection's end.

        :raises TooMuchError: if the server has sent more than one call may receive.
        """
        # of so many bytes as are asked for, memory would be taken before one is there
        found = self._sock.recv(min(size, _PIECE))
        self.count(len(found))
        return found


class TimedSocket(Intake, SecretHolder):
    """Connected socket whose waits end at ``deadline``, whatever a library sets; ``serve`` starts
    another call.

    ``obeys`` is True while a wait ends as soon as the caller leaves, and False during the wait for
    the answer to a change.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self.deadline = deadline
        self.obeys = True

    def serve(self, deadline: Deadline) -> None:
        """Start another call, with its deadline and a new count of received bytes."""
        self.deadline, self.obeys = deadline, True
        self.renew()

    @property
    def is_quiet(self) -> bool:
        """True if no unread data has arrived: neither the connection's end nor unexpected bytes."""
        return Connection(self._sock).is_idle()

    def encrypt(self, context: ssl.SSLContext, hostname: str) -> None:
        """Start TLS.

        :raises OSError: if the server's certificate or name is not the expected one, or the
            handshake fails.
        """
        try:
            self._sock.settimeout(self._left())
            self._sock = context.wrap_socket(
                self._sock, server_hostname=hostname, suppress_ragged_eofs=False
            )
        except OSError as error:
            self.failure = error
            raise

    def recv(self, size: int) -> bytes:
        """Wait for bytes; empty bytes mean the connection's end.

        :raises TimeoutError: at the deadline; ``TooMuchError`` if the server has sent more than one
            call may receive.
        """
        found = self._waited(lambda: self._sock.recv(size))
        self.count(len(found))
        return found

    def recv_into(self, buffer: Buffer, size: int = 0, flags: int = 0) -> int:
        """Wait for bytes as ``recv`` does, and return the number of bytes in ``buffer``.

        :raises TimeoutError: as ``recv`` does.
        """
        found = self._waited(lambda: self._sock.recv_into(buffer, size, flags))
        self.count(found)
        return found

    def send(self, data: Buffer) -> int:
        """Send some of the bytes, and return their number.

        :raises TimeoutError: at the deadline.
        """
        try:
            self._sock.settimeout(self._left())
            return self._sock.send(data)
        except OSError as error:
            self.failure = error
            raise

    def sendall(self, data: Buffer) -> None:
        """Send all bytes.

        :raises TimeoutError: at the deadline.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest) :]

    def makefile(self, *_mode: Any, **_options: Any) -> io.BufferedReader:
        """Return a buffered file that reads from this socket; closing it does not close the
        socket.
        """
        return _Reader(_Incoming(self))

    def settimeout(self, _seconds: float | None) -> None:
        """Ignore a library's time limit, since the deadline counts."""

    def gettimeout(self) -> float:
        """Return the seconds left."""
        return self.deadline.remaining()

    def setsockopt(self, *option: Any) -> None:
        """Set an option of the socket."""
        self._sock.setsockopt(*option)

    def getpeername(self) -> Any:
        """Return the server's address."""
        return self._sock.getpeername()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._sock.fileno()

    def shutdown(self, how: int) -> None:
        """End the connection in one direction or both.

        :raises OSError: if the connection has ended.
        """
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._sock.close()

    def _waited(self, read: Callable[[], T]) -> T:
        while True:
            if self.obeys and (call := current_call()) is not None and call.cancelled.is_set():
                call.check()
            self._sock.settimeout(min(self._left(), _LOOK_SECONDS))
            try:
                return read()
            except TimeoutError:
                continue
            except OSError as error:
                self.failure = error
                raise

    def _left(self) -> float:
        left = self.deadline.remaining()
        if left <= 0:
            self.failure = TimeoutError("the deadline passed")
            raise self.failure
        return left


class _Incoming(io.RawIOBase):
    """Bytes that arrive at a socket, as a file."""

    def __init__(self, sock: TimedSocket) -> None:
        self.sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        return self.sock.recv_into(buffer)


class _Reader(io.BufferedReader):
    """Buffered file of the received bytes. ``read`` of the base class would allocate the requested
    size before any byte has arrived.
    """

    raw: _Incoming

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to ``size`` bytes.

        :raises TooMuchError: if this is more than one call may receive.
        """
        self.raw.sock.expect(size or 0)
        return super().read(size)
