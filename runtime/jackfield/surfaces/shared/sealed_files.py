"""Uploads at rest: each file encrypted in chunks under its own key, and usage counts per workspace.

The chunks are AES-256-GCM with a counter as the nonce, since no key encrypts a second file. The last chunk is marked, so that a truncated
file does not decrypt (STREAM, Hoang et al. 2015). The vault seals the file's key for the workspace and the file's id.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from jackfield.clock import Clock
from jackfield.database.sealing import KEY_BYTES, cipher
from jackfield.fork import at_fork

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 1024 * 1024
"""Chunk size in bytes before encryption."""
_TAG = 16
_NONCE = 12
_LOOK_AGAIN = 30.0
"""Seconds after which a folder is scanned again, since other processes write to it too."""


class SealedFile:
    """One file being written chunk by chunk."""

    def __init__(self, file: BinaryIO) -> None:
        self.key = os.urandom(KEY_BYTES)
        self._aead = cipher(self.key)
        self._file = file
        self._number = 0

    def __reduce__(self) -> NoReturn:
        raise TypeError("a file's key cannot be pickled")

    def write(self, chunk: bytes, *, last: bool = False) -> None:
        """Encrypt one chunk, which has `CHUNK` bytes unless it is the last."""
        self._file.write(self._aead.encrypt(_nonce(self._number), chunk, _mark(last=last)))
        self._number += 1


def create(path: Path) -> BinaryIO:
    """Create a file that only its owner may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def opened(path: Path, key: bytes) -> bytes:
    """Decrypt a file.

    :raises OSError: if it is unreadable, modified or truncated.
    """
    from cryptography.exceptions import InvalidTag

    with path.open("rb") as file:
        try:
            return b"".join(_decrypted(file, cipher(key)))
        except InvalidTag:
            raise OSError(None, "the upload was changed") from None


def _decrypted(file: BinaryIO, aead: AESGCM) -> Iterator[bytes]:
    number, sealed = 0, file.read(CHUNK + _TAG)
    while True:
        following = file.read(CHUNK + _TAG)
        yield aead.decrypt(_nonce(number), sealed, _mark(last=not following))
        if not following:
            return
        number, sealed = number + 1, following


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE, "big")


def _mark(*, last: bool) -> bytes:
    return b"last" if last else b"more"


@dataclass(slots=True)
class _Usage:
    """File count and bytes of one folder, and the time of its scan."""

    files: int
    size: int
    seen_at: float


class Usages:
    """Usage per workspace, cached in memory: a folder is scanned at most every 30 seconds. Thread-safe.

    With several processes, a workspace may exceed its limits by the uploads of the others in that time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_folder: dict[Path, _Usage] = {}
        self._lock = threading.Lock()
        at_fork(self)

    def reserve(self, folder: Path, limit: int) -> int | None:
        """Count one more file. Return the bytes used in the folder, or None if it already has ``limit`` files."""
        with self._lock:
            usage = self._by_folder.get(folder)
            if usage is None or self._clock.monotonic() - usage.seen_at >= _LOOK_AGAIN:
                usage = self._by_folder[folder] = self._looked(folder)
            if usage.files >= limit:
                return None
            usage.files += 1
            return usage.size

    def settle(self, folder: Path, size: int | None) -> None:
        """Add the size of a reserved file; None cancels the reservation."""
        with self._lock:
            usage = self._by_folder.get(folder)
            if usage is not None:
                usage.size += size or 0
                usage.files -= size is None

    def forget(self) -> None:
        """Discard the counts after files were deleted; folders are scanned again."""
        with self._lock:
            self._by_folder.clear()

    def _looked(self, folder: Path) -> _Usage:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.scandir(folder) as found:
            sizes = [entry.stat().st_size for entry in found if "." not in entry.name]
        return _Usage(len(sizes), sum(sizes), self._clock.monotonic())
