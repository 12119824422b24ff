"""Decoding of compressed responses in bounded pieces: a small body must not expand until it fills
the memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from jackfield.connector import Sent, Unavailable
from jackfield_http.unread import Unreadable

ACCEPTED = "gzip, deflate"
_READ = frozenset({"gzip", "x-gzip", "deflate", "identity"})
_COMPRESSED = _READ - {"identity"}
_REGISTERED = _COMPRESSED | {
    "aes128gcm",
    "br",
    "compress",
    "x-compress",
    "dcb",
    "dcz",
    "exi",
    "pack200-gzip",
    "zstd",
}
"""Content codings of IANA's registry that change a body."""
_MOST_CODINGS = 2
_MOST_BETWEEN = 64 * 1024 * 1024
_HINT = "A proxy, or something other than the provider, may have responded."
_PIECE, _PART = 1 << 18, 1 << 14
_ZLIB = 8
"""Compression method in the first byte of a zlib header."""
_AUTOMATIC = 32 + zlib.MAX_WBITS
"""Window bits with which zlib detects gzip and zlib headers."""


def acceptable(value: str) -> str:
    """Return an ``Accept-Encoding`` without codings that this module cannot decode. A response in
    such a coding would be unreadable although the request took effect.
    """
    kept = [
        part.strip() for part in value.split(",") if part.partition(";")[0].strip().lower() in _READ
    ]
    return ", ".join(kept) or "identity"


def decoded(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Yield the decoded body in pieces of at most 256 KiB. Codings are decoded from the last to the
    first (RFC 9110 §8.4).

    An unregistered name, such as ``UTF-8`` or ``none``, changes nothing, as in browsers.

    :raises Unreadable: if the body does not match its coding, or the coding was not requested.
    :raises Unavailable: if the body is cut off.
    """
    names = [
        name
        for part in coding.lower().split(",")
        if (name := part.partition(";")[0].strip()) in _REGISTERED
    ]
    if (unknown := next((name for name in names if name not in _COMPRESSED), None)) is not None:
        raise _garbled(f"the response is encoded as '{unknown}', which was not asked for")
    if len(names) > _MOST_CODINGS:
        raise _garbled(f"the response has more than {_MOST_CODINGS} content codings")
    found = iter(chunks)
    for below, name in enumerate(reversed(names), 1):
        found = _inflated(found, name)
        found = _bounded(found) if below < len(names) else found
    yield from found


def _bounded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes between two codings and limit their number: the caller's limit applies to the
    fully decoded body only.
    """
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _MOST_BETWEEN:
            raise Unavailable(
                f"the response has more than {_MOST_BETWEEN:,} bytes between its codings",
                hint=_HINT,
                sent=Sent.UNKNOWN,
            )
        yield chunk


def _inflated(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    first = next(filter(None, chunks), b"")
    inflater = zlib.decompressobj(_window(first, coding))
    try:
        for part in _parts(chain([first], chunks)):
            left = part
            while left:
                if inflater.eof:  # a gzip file may have several members, and zeros after them
                    left = left.lstrip(b"\0")
                    if not left:
                        break
                    inflater = zlib.decompressobj(_AUTOMATIC)
                found = inflater.decompress(left, _PIECE)
                if found:
                    yield found
                left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        while not inflater.eof and (found := inflater.decompress(b"", _PIECE)):
            yield found
    except zlib.error:
        raise _garbled("the response is not compressed as its header says") from None
    if not inflater.eof and first:
        raise Unavailable("the compressed response is cut off", hint=_HINT, sent=Sent.UNKNOWN)


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut chunks into small parts. At the end of each member of a gzip file, zlib copies the rest
    of its input, and a file may have millions of members.
    """
    for chunk in chunks:
        for start in range(0, len(chunk), _PART):
            yield chunk[start : start + _PART]


def _window(first: bytes, coding: str) -> int:
    """Return the window bits for a body. Some servers send deflated bodies without zlib's
    header.
    """
    return (
        -zlib.MAX_WBITS
        if coding == "deflate" and first and first[0] & 0x0F != _ZLIB
        else _AUTOMATIC
    )


def _garbled(text: str) -> Unreadable:
    return Unreadable(text, hint=_HINT, by_coding=True)
