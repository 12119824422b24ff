"""Decoding of compressed responses in bounded pieces: a small body must not inflate to one that fills the memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from jackfield.connector import Sent, Unavailable

ACCEPTED = "gzip, deflate"
_READ = frozenset({"gzip", "x-gzip", "deflate", "identity"})
_PIECE = 1 << 18
_ZLIB = 8
"""Method in the first byte of a zlib header."""
_AUTOMATIC = 32 + zlib.MAX_WBITS
"""Window bits by which zlib recognises gzip and zlib headers."""


def acceptable(value: str) -> str:
    """Return an ``Accept-Encoding`` without codings that cannot be decoded here: a response in one of these could not be read, after its
    request has taken effect."""
    kept = [part.strip() for part in value.split(",") if part.partition(";")[0].strip().lower() in _READ]
    return ", ".join(kept) or "identity"


def decoded(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Yield the decoded body, in pieces of at most 256 KiB.

    :raises Unavailable: if the coding was not asked for, or the body is not of it or is cut off.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        yield from chunks
        return
    if coding not in _READ:
        raise _garbled(f"the response is encoded as '{coding[:40]}', which was not asked for")
    chunks = iter(chunks)
    first = next(filter(None, chunks), b"")
    inflater = zlib.decompressobj(_window(first, coding))
    try:
        for piece in chain([first], chunks):
            left = piece
            while left:
                if inflater.eof:  # a gzip file may have several members
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
        raise _garbled("the compressed response is cut off")


def _window(first: bytes, coding: str) -> int:
    """Return the window bits by which zlib reads a body: some servers send deflated bodies without the header of zlib."""
    return -zlib.MAX_WBITS if coding == "deflate" and first and first[0] & 0x0F != _ZLIB else _AUTOMATIC


def _garbled(text: str) -> Unavailable:
    return Unavailable(text, hint="A proxy, or something other than the provider, may have responded.", sent=Sent.UNKNOWN)
