"""Bodies of requests: JSON, form, multipart and bytes. A body is built once and streamed in
constant memory.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any
from urllib.parse import quote, quote_plus

from jackfield.connector import File, InvalidInput, Sent
from jackfield.kernel.dataclass import dataclass
from jackfield_http.urls import compact, plain

_PIECE = 65_536
Content = bytes | str | IO[bytes] | Iterable[bytes]
"""Content of a body or part: bytes, text, an open binary file that can seek, or chunks, which can
be sent once only.
"""


@dataclass(frozen=True, slots=True)
class Body:
    """Body of a request. ``chunks`` starts the body from its beginning; ``length`` is None if
    unknown; ``once`` is True if it cannot be sent again.

    ``whole`` is the body if it is in memory: it is sent together with the header.
    """

    chunks: Callable[[], Iterable[bytes]]
    length: int | None
    content_type: str | None = None
    once: bool = False
    whole: bytes | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """File within a multipart body. Without a file name, a value with its own media type."""

    content: Content
    filename: str | None
    content_type: str = "application/octet-stream"

    @classmethod
    def of(cls, file: File, filename: str) -> Part:
        """Return a caller's file as a part."""
        return cls(file.content, filename, file.content_type)


def json_body(value: object, content_type: str = "application/json") -> Body:
    """Encode a value as JSON.

    :raises InvalidInput: if JSON cannot represent the value (NaN, for instance).
    """
    try:
        text = compact(value).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"the request's body is not JSON ({type(error).__name__})", sent=Sent.NOTHING
        ) from None
    return content_body(text, content_type)


def form_body(fields: Mapping[str, Any]) -> Body:
    """Encode fields as ``application/x-www-form-urlencoded``. Items of a list repeat the name; None
    is omitted.
    """
    pairs = [f"{quote_plus(name)}={quote_plus(plain(value))}" for name, value in pairs_of(fields)]
    return content_body("&".join(pairs).encode("ascii"), "application/x-www-form-urlencoded")


def content_body(content: Content, content_type: str | None = None) -> Body:
    """Return bytes, text, a file or chunks as a body."""
    if isinstance(content, str):
        return content_body(content.encode("utf-8"), content_type or "text/plain; charset=utf-8")
    if isinstance(content, bytes):
        return Body(lambda: (content,), len(content), content_type, whole=content)
    length = _length(content)
    if length is None:
        return Body(lambda: _chunks(content), None, content_type, once=True)
    return Body(lambda: _chunks(content), length, content_type)


def multipart_body(fields: Mapping[str, Any]) -> Body:
    """Encode fields and files (``Part``, ``File``) as ``multipart/form-data`` (RFC 7578). Files are
    read during the sending.
    """
    boundary = secrets.token_hex(16)
    parts = [_part(name, value, boundary) for name, value in pairs_of(fields)]
    end = f"--{boundary}--\r\n".encode()

    def chunks() -> Iterator[bytes]:
        for head, body in parts:
            yield head
            yield from body.chunks()
            yield b"\r\n"
        yield end

    lengths = [None if body.length is None else len(head) + body.length + 2 for head, body in parts]
    known = [length for length in lengths if length is not None]
    whole = sum(known) + len(end) if len(known) == len(lengths) else None
    return Body(
        chunks,
        whole,
        f"multipart/form-data; boundary={boundary}",
        once=any(body.once for _, body in parts),
    )


def _part(name: str, value: Any, boundary: str) -> tuple[bytes, Body]:
    about = f'form-data; name="{_quoted(name)}"'
    if isinstance(value, File):
        value = Part.of(value, name)
    if isinstance(value, Part):
        body = content_body(value.content, value.content_type)
        about += f'; filename="{_quoted(value.filename)}"' if value.filename is not None else ""
        if any(ord(character) < 32 for character in value.content_type):
            raise InvalidInput("a file's media type contains control characters", sent=Sent.NOTHING)
        about += f"\r\nContent-Type: {value.content_type}"
    else:
        body = content_body(plain(value))
    return f"--{boundary}\r\nContent-Disposition: {about}\r\n\r\n".encode(), body


def _quoted(text: str) -> str:
    """Escape a name as browsers do (WHATWG HTML), so that it cannot end its header line."""
    return "".join(quote(one) if one in '"\r\n' or ord(one) < 32 else one for one in text)


def pairs_of(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return fields as pairs. Items of a list repeat the name; None is omitted."""
    for name, value in fields.items():
        many = (
            value
            if isinstance(value, Sequence) and not isinstance(value, str | bytes)
            else (value,)
        )
        yield from ((name, one) for one in many if one is not None)


def _length(content: Any) -> int | None:
    seekable = getattr(content, "seekable", None)
    if seekable is None or not seekable():
        return None
    at = content.tell()
    length: int = content.seek(0, 2) - at
    content.seek(at)
    return length


def _chunks(content: Any) -> Iterator[bytes]:
    if not hasattr(content, "read"):
        yield from content
        return
    at = content.tell() if _length(content) is not None else None
    while piece := content.read(_PIECE):
        yield piece
    if at is not None:
        content.seek(at)  # so that the body can be sent again
