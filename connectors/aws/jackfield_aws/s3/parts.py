"""Arithmetic of parts: the sizes of an object's parts, the whole's checksum from the parts' checksums, and whether a server's answer
agrees."""

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
"""Bounds in bytes of a part; the last one may be smaller (Amazon S3 user guide, multipart upload limits)."""
COUNT = 10_000
"""Limit of parts, ibidem."""
USUAL = 8 * MEBI
"""Bytes of an uploaded part, unless there would be too many."""
COPIED = 128 * MEBI
"""Bytes of a copied part, which passes no network of ours."""
_MD5 = re.compile(r'"?([0-9a-f]{32})(?:-([0-9]+))?"?\Z')


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its number from 1, and its place in the object."""

    number: int
    start: int
    size: int

    @property
    def range(self) -> str:
        """The part as a range of bytes (RFC 9110 §14.1.2)."""
        return f"bytes={self.start}-{self.start + self.size - 1}"


@dataclass(frozen=True, slots=True)
class Cut:
    """An object of ``size`` bytes in parts of ``width``. All parts but the last have the same size, which R2 demands."""

    size: int
    width: int

    @classmethod
    def of(cls, size: int, width: int) -> Cut:
        """Cut an object: into parts of ``width`` bytes, or larger ones where there would be too many."""
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
        """All parts; an empty object has one, which is empty."""
        return [self.part(number) for number in range(1, len(self) + 1)]


def crc32_text(value: int) -> str:
    """Return a CRC-32 as S3 writes it."""
    return b64encode(value.to_bytes(4, "big")).decode("ascii")


def crc32_of(content: bytes | bytearray | memoryview) -> str:
    """Return the CRC-32 of content as S3 writes it."""
    return crc32_text(zlib.crc32(content))


def md5_text(content: bytes | bytearray | memoryview) -> str:
    """Return the MD5 of content as ``Content-MD5`` has it (RFC 1864)."""
    return b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode("ascii")


def combined_crc32(parts: Iterable[str]) -> str:
    """Return the checksum of checksums of an object whose parts have these CRC-32 (S3 user guide, composite checksums)."""
    raw = [b64decode(part) for part in parts]
    return f"{crc32_text(zlib.crc32(b''.join(raw)))}-{len(raw)}"


def combined_etag(parts: Iterable[str]) -> str | None:
    """Return the entity tag of an object whose parts have these; None if they are no MD5, as with SSE-KMS."""
    found = [_MD5.match(part) for part in parts]
    if not all(one is not None and one[2] is None for one in found):
        return None
    raw = b"".join(bytes.fromhex(one[1]) for one in found if one is not None)
    return f"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}-{len(found)}"


class Digest:
    """Checksums of an object that is read from beginning to end: of the whole, and of its parts of ``width`` bytes."""

    def __init__(self, width: int | None, *, md5: bool) -> None:
        self._width = width or math.inf
        self._whole = self._part = 0
        self._left = self._width
        self._md5_whole = hashlib.md5(usedforsecurity=False) if md5 else None
        self._md5_part = hashlib.md5(usedforsecurity=False) if md5 else None
        self._crcs: list[str] = []
        self._etags: list[str] = []

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
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
        """Compare with S3's description of the object (HeadObject). Return None if it has nothing to compare.

        An entity tag that differs proves nothing: it need not be an MD5, and parts may have different sizes.
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
        known = {self._md5_whole.hexdigest(), combined_etag(self._etags)} if self._md5_whole is not None else set()
        return True if tag in known else None
