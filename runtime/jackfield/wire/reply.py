"""A response whose head has arrived: its body without the framing, and whether its connection
returns to the pool.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from jackfield.kernel.errors import Sent
from jackfield.wire.connection import Connection, Limit
from jackfield.wire.faults import Kind, WireFault, garbled
from jackfield.wire.head import MAX_HEAD, VALUE_READ, framing_of, read_fields, read_head, values_of

if TYPE_CHECKING:
    from jackfield.wire.exchanges import Exchange

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;" + VALUE_READ + rb")?\r\n")
_LONGEST_CHUNK_LINE = 4_096
_BODILESS = frozenset({204, 304})
_CHUNKED = -1
_UNTIL_CLOSE = -2


class Reply:
    """Response whose body is still to be read, once. Close it, so that its connection serves the
    next request, or is closed.
    """

    __slots__ = (
        "_connection",
        "_framing",
        "_keep",
        "_limit",
        "_whole",
        "fields",
        "reusable",
        "seen",
        "status",
        "version",
    )

    def __init__(
        self,
        head: bytes,
        method: str,
        connection: Connection,
        limit: Limit,
        keep: Callable[[Connection], None] | None,
    ) -> None:
        """Read the head of a response. ``keep`` returns the connection to the pool after the whole
        response; None closes it.

        :raises WireFault: if the bytes are not a response, or the body has no certain end.
        """
        minor, self.status, self.fields = read_head(head)
        self.version = f"HTTP/1.{minor}"
        self.seen: Exchange | None = None
        """Counts the body, if the exchange is kept."""
        self._connection: Connection | None = connection
        self._limit = limit
        self._keep = keep
        lengths, codings = framing_of(self.fields)
        self._framing = _framing(method, self.status, lengths, codings)
        certain = minor == 1 and self._framing != _UNTIL_CLOSE and not (lengths and codings)
        self.reusable = certain and b"close" not in values_of(self.fields, b"connection")
        self._whole = self._framing == 0

    def raw(self) -> Iterator[bytes]:
        """Yield the body as sent: chunked framing is removed, compression is not.

        :raises WireFault: if the connection breaks or ends early, the deadline passes, or the
            framing is broken.
        """
        connection = self._connection
        if connection is None or self._whole:
            return
        if self._framing == _CHUNKED:
            pieces = self._chunks(connection)
        elif self._framing == _UNTIL_CLOSE:
            pieces = self._rest(connection)
        elif len(connection.buffer) >= self._framing:  # it came with its head
            pieces = iter((connection.take(self._framing),))
        else:
            pieces = self._counted(connection, self._framing)
        seen = self.seen
        try:
            for piece in pieces:
                if seen is not None:
                    seen.answer.add(piece)
                yield piece
        except WireFault as fault:
            if seen is not None:
                seen.failed(fault)
            self.close()
            raise
        self._whole = True

    def read(self, most: int) -> bytes:
        """Return the whole body and close the response.

        :raises WireFault: as ``raw``, and if the body is larger than ``most`` bytes.
        """
        pieces, size = [], 0
        try:
            for piece in self.raw():
                size += len(piece)
                if size > most:
                    raise WireFault(Kind.LARGE, Sent.UNKNOWN, f"it is larger than {most:,} bytes")
                pieces.append(piece)
        finally:
            self.close()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """End the response; the rest of a body is not read. A connection with bytes after the
        response is not used again, since the next request would read them as its own response.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._whole and self.reusable and self._keep is not None and not connection.buffer:
            self._keep(connection)
        else:
            connection.close()

    def abort(self) -> None:
        """End the response while another thread reads it, which then sees a broken connection."""
        connection = self._connection
        if connection is not None:
            connection.abort()

    def _counted(self, connection: Connection, left: int) -> Iterator[bytes]:
        while left:
            if not connection.buffer and not connection.fill(self._limit):
                raise WireFault(Kind.CUT, Sent.UNKNOWN, "the connection ended within the body")
            piece = connection.take(left)
            left -= len(piece)
            yield piece

    def _rest(self, connection: Connection) -> Iterator[bytes]:
        while connection.buffer or connection.fill(self._limit):
            yield connection.take(len(connection.buffer))
        if connection.torn:
            raise WireFault(Kind.CUT, Sent.UNKNOWN, "the connection was cut within the body")

    def _chunks(self, connection: Connection) -> Iterator[bytes]:
        while True:
            if content := _whole_chunks(connection):
                yield content
            line = _CHUNK.fullmatch(self._line(connection, _LONGEST_CHUNK_LINE))
            if line is None:
                raise garbled("a chunk of its body has no size")
            size = int(line[1], 16)
            if size == 0:
                break
            yield from self._counted(connection, size)
            if self._line(connection, 2) != b"\r\n":
                raise garbled("a chunk of its body is longer than its size")
        trailer, size = [], 0
        while (field := self._line(connection, MAX_HEAD)) not in (b"\r\n", b"\n"):
            size += len(field)
            if size > MAX_HEAD:
                raise garbled("the fields after its body are too long")
            trailer.append(field)
        read_fields(b"".join([*trailer, b"\r\n"]))

    def _line(self, connection: Connection, most: int) -> bytes:
        """Return a line with its line end."""
        while (end := connection.buffer.find(b"\n") + 1) == 0:
            if len(connection.buffer) >= most:
                raise garbled("a line of its body's framing is too long")
            if not connection.fill(self._limit):
                raise WireFault(Kind.CUT, Sent.UNKNOWN, "the connection ended within the body")
        if end > most:
            raise garbled("a line of its body's framing is too long")
        return connection.take(end)


def _whole_chunks(connection: Connection) -> bytes:
    """Remove the chunks that have arrived whole, and return their content: 64 KiB may have ten
    thousand. What is not one of them stays for a reader that knows why.
    """
    buffer = connection.buffer
    pieces, end = [], 0
    while (line := _CHUNK.match(buffer, end)) is not None:
        begin = line.end()
        last = begin + int(line[1], 16)
        is_long = begin - end > _LONGEST_CHUNK_LINE
        if last == begin or is_long or buffer[last : last + 2] != b"\r\n":
            break
        pieces.append(buffer[begin:last])
        end = last + 2
    del buffer[:end]
    return b"".join(pieces)


def _framing(method: str, status: int, lengths: list[bytes], codings: list[bytes]) -> int:
    """Return the length of the body in bytes, or a constant for the way to find its end (RFC 9112
    §6.3).
    """
    if method == "HEAD" or status in _BODILESS:
        return 0
    if codings:
        return _CHUNKED
    return int(lengths[0]) if lengths else _UNTIL_CLOSE
