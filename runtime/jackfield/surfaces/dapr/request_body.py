"""The body of an HTTP/1.1 request off a connection: of a length that is told, or in chunks (RFC 9112 §6 and §7.1)."""

from __future__ import annotations

import re
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase

__all__ = ["BodyError", "read_body"]

_MAX_LINE = 4096
_MAX_TRAILERS = 64 * 1024
_MAX_EXCESS = 16 * 1024
"""Octets that may go for sizes and extensions beyond what a chunk of its size has use for; as in Go's server."""
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n\Z")
_END = b"\r\n"


class BodyError(Exception):
    """The body cannot be read, and nothing that follows on the connection can: it must be closed."""

    def __init__(self, reason: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(reason)
        self.status = status


def read_body(headers: Message, version: str, stream: BufferedIOBase, limit: int) -> bytes:
    """The body of the request with these headers, of at most ``limit`` octets.

    :raises BodyError: where it is larger, or where it is not clear what belongs to it.
    """
    lengths, codings = headers.get_all("Content-Length", []), headers.get_all("Transfer-Encoding", [])
    if codings:
        _check_coding(codings, version, is_also_told=bool(lengths))
        return _in_chunks(stream, limit)
    length = lengths[0] if lengths else "0"
    if len(set(lengths)) > 1 or not (length.isascii() and length.isdecimal()):
        raise BodyError("the Content-Length is not one number")
    if len(length.lstrip("0")) > len(str(limit)) or int(length) > limit:
        raise _too_large()
    return stream.read(int(length))


def _check_coding(codings: list[str], version: str, *, is_also_told: bool) -> None:
    # what two readers could take for requests of different lengths is how one request hides in another
    if is_also_told or version != "HTTP/1.1":
        raise BodyError("a Transfer-Encoding goes with HTTP/1.1, and not with a Content-Length")
    if ",".join(codings).strip().lower() != "chunked":
        raise BodyError("the only Transfer-Encoding that is read is chunked", HTTPStatus.NOT_IMPLEMENTED)


def _in_chunks(stream: BufferedIOBase, limit: int) -> bytes:
    body = bytearray()
    excess = 0
    while True:
        line = stream.readline(_MAX_LINE)
        found = _SIZE.match(line)
        if found is None:
            raise BodyError("a chunk's size is not a hexadecimal number on a line of its own")
        size = int(found[1], 16)
        if size == 0:
            _skip_trailers(stream)
            return bytes(body)
        if len(body) + size > limit:
            raise _too_large()
        excess = max(0, excess + len(line) + len(_END) - 16 - 2 * size)
        if excess > _MAX_EXCESS:
            raise BodyError("the chunks have more extensions than content")
        body += stream.read(size)
        if stream.read(len(_END)) != _END:
            raise BodyError("a chunk is not as long as it says")


def _skip_trailers(stream: BufferedIOBase) -> None:
    """Read the fields behind the last chunk, which nothing is done with."""
    left = _MAX_TRAILERS
    while (line := stream.readline(left + 1)) != _END:
        left -= len(line)
        if left < 0 or not line.endswith(_END) or b":" not in line:
            raise BodyError("what follows the last chunk are no trailer fields")


def _too_large() -> BodyError:
    return BodyError("the request is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
