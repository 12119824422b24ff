"""Arithmetic of parts: the sizes of an object's parts, the object's checksum from the parts'
checksums, and comparison with a server's description.
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jackfield.kernel.dataclass import dataclass

MEBI = 1024 * 1024
LEAST, MOST = 5 * MEBI, 5 * 1024 * MEBI
"""Minimum and maximum bytes of a part; the last part may be smaller (Amazon S3 user guide,
multipart upload limits).
"""
COUNT = 10_000
"""Maximum number of parts (same source)."""
USUAL = 8 * MEBI
"""Default bytes of an uploaded part; a very large file has larger parts."""
COPIED = 128 * MEBI
"""Size of a copied part, in bytes. The part does not pass through this machine."""
_MD5 = re.compile(r'"?([0-9a-f]{32})(?:-([0-9]+))?"?\Z')


@dataclass(frozen=True, slots=True)
class Part:
    """Part of an object: its number from 1, and its place in the object."""

    number: int
    start: int
    size: int

    @property
    def range(self) -> str:
        """Range of the part's bytes (RFC 9110 §14.1.2)."""
        return f"bytes={self.start}-{self.start + self.size - 1}"


@dataclass(frozen=True, slots=True)
class Cut:
    """Division of ``size`` bytes into parts of ``width``. All parts but the last have the same
    size, which R2 requires.
    """

    size: int
    width: int

    @classmethod
    def of(cls, size: int, width: int) -> Cut:
        """Divide an object into parts of ``width`` bytes, or of more bytes if there were too many
        parts.
        """
        least = -(-size // COUNT)
        return cls(size, max(width, -(-least // MEBI) * MEBI))

    def __len__(self) -> int:
        return max(1, -(-self.size // self.width))

    def part(self, number: int) -> Part:
        """Return a part by its number."""
        start = (number - 1) * self.width
        return Part(number, start, min(self.width, self.size - start))

    @property
    def parts(self) -> Sequence[Part]:
        """All parts; an empty object has one empty part."""
        return [self.part(number) for number in range(1, len(self) + 1)]


def crc32_text(value: int) -> str:
    """Return a CRC-32 in S3's form."""
    return b64encode(value.to_bytes(4, "big")).decode("ascii")


def crc32_of(content: bytes | bytearray | memoryview) -> str:
    """Return the CRC-32 of content in S3's form."""
    return crc32_text(zlib.crc32(content))


def md5_text(content: bytes | bytearray | memoryview) -> str:
    """Return the MD5 of content in the form of ``Content-MD5`` (RFC 1864)."""
    return b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode("ascii")


def combined_crc32(parts: Iterable[str]) -> str:
    """Return the composite checksum of an object from its parts' CRC-32 (S3 user guide, composite
    checksums).
    """
    raw = [b64decode(part) for part in parts]
    return f"{crc32_text(zlib.crc32(b''.join(raw)))}-{len(raw)}"


def combined_etag(parts: Iterable[str]) -> str | None:
    """Return an object's entity tag from its parts' tags; None if these are no MD5, as with
    SSE-KMS.
    """
    found = [_MD5.match(part) for part in parts]
    if not all(one is not None and one[2] is None for one in found):
        return None
    raw = b"".join(bytes.fromhex(one[1]) for one in found if one is not None)
    return f"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}-{len(found)}"


class Digest:
    """Checksums of an object that is read once: of the whole, and of its parts of ``width``
    bytes.
    """

    def __init__(self, width: int | None, *, md5: bool) -> None:
        self._width = width or math.inf
        self._whole = self._part = 0
        self._left = self._width
        self._md5_whole = hashlib.md5(usedforsecurity=False) if md5 else None
        self._md5_part = hashlib.md5(usedforsecurity=False) if md5 else None
        self._crcs: list[str] = []
        self._etags: list[str] = []

    def update(self, piece: bytes | memoryview) -> None:
        """Add the next bytes."""
        view = memoryview(piece)
        self._whole = zlib.crc32(view, self._whole)
        if self._md5_whole is not None:
            self._md5_whole.update(view)
        while view:
            taken = view[: int(min(self._left, len(view)))]
            self._part = zlib.crc32(taken, self._part)
            if self._md5_part is not None:
                self._md5_part.update(taken)
            self._left -= len(taken)
            view = view[len(taken) :]
            if not self._left:
                self._next()

    def _next(self) -> None:
        self._crcs.append(crc32_text(self._part))
        self._part, self._left = 0, self._width
        if self._md5_part is not None:
            self._etags.append(self._md5_part.hexdigest())
            self._md5_part = hashlib.md5(usedforsecurity=False)

    def check(self, about: Mapping[str, Any]) -> bool | None:
        """Return whether the content matches S3's description of the object (HeadObject); None if
        the description allows no comparison.

        A different entity tag proves nothing: it need not be an MD5, and parts may have different
        sizes.
        """
        if self._left < self._width or not self._crcs:
            self._next()
        crc = about.get("ChecksumCRC32")
        if isinstance(crc, str):
            plain, of_parts, count = crc.partition("-")
            if not of_parts and about.get("ChecksumType") != "COMPOSITE":
                return plain == crc32_text(self._whole)
            if self._width < math.inf and count in ("", str(len(self._crcs))):
                return plain == combined_crc32(self._crcs).partition("-")[0]
        tag = str(about.get("ETag", "")).strip('"')
        known = (
            {self._md5_whole.hexdigest(), combined_etag(self._etags)}
            if self._md5_whole is not None
            else set()
        )
        return True if tag in known else None
