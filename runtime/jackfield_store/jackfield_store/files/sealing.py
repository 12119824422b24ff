"""Files at rest: each one encrypted in chunks under its own key.

The chunks are AES-256-GCM with a counter as the nonce, since no key encrypts a second file. The
last chunk is marked, so that a truncated file does not decrypt (STREAM, Hoang et al. 2015). Any
chunk can be decrypted on its own, for ranges.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from jackfield.invocation.file_readers import SizedReader
from jackfield.invocation.file_refusals import FileDamaged
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.keys.sealing import KEY_BYTES, cipher

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from jackfield_store.files.blobs import Blobs, BlobWriter

CHUNK = 1024 * 1024
"""Chunk size in bytes before encryption."""
_TAG = 16
_NONCE = 12
_CHUNKS = 4
"""Number of chunks in one segment, the unit in which the store is written and read ahead."""
SEGMENT = _CHUNKS * CHUNK
SEALED_SEGMENT = _CHUNKS * (CHUNK + _TAG)


class SealingWriter(SecretHolder):
    """Writer that encrypts content: ``write`` takes pieces of any size and passes whole segments
    on. ``stored`` is called before each segment.
    """

    def __init__(self, target: BlobWriter, stored: Callable[[int], None]) -> None:
        self.key = os.urandom(KEY_BYTES)
        self.size = 0
        self._aead = cipher(self.key)
        self._digest = hashlib.sha256()
        self._target = target
        self._stored = stored
        self._waiting = bytearray()
        # Memory of its own, which the system gets back at once: what threads allocate and free in
        # turn stays in their arenas.
        self._segment = mmap.mmap(-1, SEALED_SEGMENT, access=mmap.ACCESS_COPY)
        self._filled = 0
        self._number = 0

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content so far."""
        return self._digest.digest()

    def write(self, piece: bytes | bytearray) -> None:
        """Append a piece."""
        self.size += len(piece)
        self._digest.update(piece)
        view = memoryview(piece)
        while view:
            taken = view[: CHUNK + 1 - len(self._waiting)]
            self._waiting += taken
            view = view[len(taken) :]
            # one byte more than a chunk shows that the chunk is not the last one
            if len(self._waiting) > CHUNK:
                self._encrypt(last=False)

    def end(self) -> None:
        """Encrypt the last chunk and pass the rest on."""
        self._encrypt(last=True)
        self._flush()

    def release(self) -> None:
        """Release the memory now: a reference cycle with ``stored`` would hold it until the next
        garbage collection.
        """
        self._waiting = bytearray()
        self._segment.close()

    def _encrypt(self, *, last: bool) -> None:
        if self._filled == SEALED_SEGMENT:
            self._stored(SEGMENT)
            self._flush()
        end = self._filled + min(len(self._waiting), CHUNK) + _TAG
        with (
            memoryview(self._waiting)[:CHUNK] as chunk,
            memoryview(self._segment)[self._filled : end] as sealed,
        ):
            self._aead.encrypt_into(_nonce(self._number), chunk, _mark(last=last), sealed)
        self._filled = end
        del self._waiting[:CHUNK]
        self._number += 1

    def _flush(self) -> None:
        with memoryview(self._segment)[: self._filled] as segment:
            self._target.write(segment)
        self._filled = 0


class SealedReader(SecretHolder, SizedReader):
    """Decrypted content, readable and seekable like a file. Reads ahead up to one segment, so
    memory use is bounded.

    Reading raises ``FileDamaged`` if the content was changed or truncated, ``Unavailable`` if the
    store cannot be reached.
    """

    def __init__(self, blobs: Blobs, key: str, secret: bytes, size: int) -> None:
        super().__init__(size)
        self._blobs = blobs
        self._key = key
        self._aead = cipher(secret)
        self._last = max(0, (size - 1) // CHUNK)
        self._ahead: dict[int, bytes] = {}
        self._number = -1
        self._chunk = b""

    def readinto(self, buffer: Buffer, /) -> int:
        """Read into a buffer, at most to the end of a chunk."""
        view = memoryview(buffer).cast("B")
        if self.closed:
            raise ValueError("read of a closed file")
        if self._at >= max(self._size, 1):  # an empty file has one chunk, which is checked, too
            return 0
        number, offset = divmod(self._at, CHUNK)
        piece = memoryview(self._decrypted(number))[offset : offset + len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def check(self) -> None:
        """Decrypt the first and the last chunk, so that missing or truncated content is found
        before anything is sent.
        """
        self._decrypted(self._last)
        self._decrypted(0)

    def _decrypted(self, number: int) -> bytes:
        if number != self._number:
            try:
                self._chunk = self._aead.decrypt(
                    _nonce(number), self._sealed(number), _mark(last=number == self._last)
                )
            except InvalidTag:
                raise FileDamaged(None, "the stored file was changed") from None
            self._number = number
            if len(self._chunk) != min(CHUNK, self._size - number * CHUNK):
                raise FileDamaged(None, "the stored file was truncated")
        return self._chunk

    def _sealed(self, number: int) -> bytes:
        known = self._ahead.pop(number, None)
        if known is not None:
            return known
        sequential = number == self._number + 1
        self._ahead.clear()
        count = min(_CHUNKS - number % _CHUNKS, self._last - number + 1) if sequential else 1
        width = CHUNK + _TAG
        found = self._blobs.read(self._key, number * width, count * width, SEALED_SEGMENT)
        pieces = [found[at : at + width] for at in range(0, len(found), width)]
        if len(pieces) < count:
            raise FileDamaged(None, "the stored file was truncated")
        self._ahead = {number + index: piece for index, piece in enumerate(pieces)}
        return self._ahead.pop(number)


def sealed_size(size: int) -> int:
    """Return the size in bytes of ``size`` bytes of content after encryption."""
    return size + max(1, -(-size // CHUNK)) * _TAG


def buffered(reader: SealedReader) -> io.BufferedReader:
    """Return a reader whose ``read(n)`` returns ``n`` bytes except at the end."""
    return io.BufferedReader(reader, 64 * 1024)


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE, "big")


def _mark(*, last: bool) -> bytes:
    return b"last" if last else b"more"
