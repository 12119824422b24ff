"""Files that a server returns. Small files become part of the output; larger files are stored while
they arrive.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

from jackfield.connector import OutputFile, Sent, Unavailable, file_name
from jackfield_http.answers import StreamedAnswer, media_type
from jackfield_http.headers import Headers

INLINE = 1024 * 1024
"""Maximum number of bytes of a file that the output holds as base64. A larger file becomes a stored
file.
"""
MAX_TEXT = 4 * 1024 * 1024
"""Maximum number of bytes of a text in the output where files can be stored. Text takes up to four
bytes a character, in several copies.
"""
MAX_INLINE = 16 * 1024 * 1024
"""Maximum number of bytes of a file in the output where files cannot be stored."""

_OCTETS = "application/octet-stream"


class Download(OutputFile):
    """File that is still arriving."""

    __slots__ = ()

    def without_storage(self) -> Mapping[str, Any]:
        """Return the file as base64.

        :raises Unavailable: if the file is larger than an output may be.
        """
        pieces, size = [], 0
        with closing(self.chunks()) as chunks:  # type: ignore[type-var]  # it is a generator
            for piece in chunks:
                size += len(piece)
                if size > MAX_INLINE:
                    text = (
                        f"the response has more than {MAX_INLINE:,} bytes, and there is no "
                        "file storage here"
                    )
                    hint = (
                        "Request a part of it, by the header Range, or use a database, in "
                        "which large files are stored."
                    )
                    raise Unavailable(text, hint=hint, sent=Sent.UNKNOWN, repeatable=False)
                pieces.append(piece)
        return inline(pieces, self.content_type)


def inline(pieces: Iterable[bytes], content_type: str) -> dict[str, str]:
    """Return a file in the form of a FILE input."""
    return {"data": b64encode(b"".join(pieces)).decode("ascii"), "contentType": content_type}


def held(content: bytes, headers: Headers) -> Download | dict[str, str]:
    """Return the file of a response whose body is in memory."""
    kind = media_type(headers) or _OCTETS
    return (
        inline([content], kind)
        if len(content) <= INLINE
        else Download(content, kind, _name(headers))
    )


def fetched(answer: StreamedAnswer, opened: ExitStack, most: int) -> Download | bytes:
    """Return the body of a response. A body of more than ``most`` bytes, or with too many values to
    parse, becomes a file that is read later.

    ``opened`` holds the response open until the file has been read.

    :raises Unavailable: if this process lacks the memory.
    """
    content = answer.begin(most)
    if content is not None:
        return content
    return Download(
        _rest(answer.chunks(), opened.pop_all()),
        media_type(answer.headers) or _OCTETS,
        _name(answer.headers),
    )


def _name(headers: Headers) -> str | None:
    return file_name(headers.get("content-disposition", ""))


def received(answer: StreamedAnswer, opened: ExitStack) -> Download | dict[str, str]:
    """Return the body of a response as a file. A large file is read later."""
    found = fetched(answer, opened, INLINE)
    return (
        found
        if isinstance(found, Download)
        else inline([found], media_type(answer.headers) or _OCTETS)
    )


def _rest(chunks: Iterator[bytes], opened: ExitStack) -> Iterator[bytes]:
    with opened:
        yield from chunks
