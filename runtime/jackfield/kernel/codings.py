"""Content codings of recorded HTTP bodies, which may be truncated."""

from __future__ import annotations

import zlib


def decoded(content: bytes, coding: str, most: int) -> bytes | None:
    """Decode a body as far as it was recorded, up to one byte more than ``most``; None if the
    coding is unknown.
    """
    names = [
        name for part in coding.lower().split(",") if (name := part.strip()) not in {"", "identity"}
    ]
    if not names:
        return content
    if names not in (["gzip"], ["x-gzip"], ["deflate"]):
        return None
    # gzip and zlib by their heads; deflate without one (RFC 9110 §8.4.1.2)
    for bits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(bits).decompress(content, most + 1)
        except zlib.error:
            continue
    return None
