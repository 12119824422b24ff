"""Readers of known size, and the part of an open file that a caller passed."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING, BinaryIO

from jackfield.invocation.file_refusals import FileDamaged

if TYPE_CHECKING:
    from typing_extensions import Buffer


class SizedReader(io.RawIOBase):
    """Readable and seekable content of known size. Subclasses define ``readinto``."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Change the position, as in ``io``."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._at = base + offset
        return self._at


class Shared:
    """Open file that several readers share, each at its own position. ``close`` closes the file if
    this object owns it.
    """

    def __init__(self, file: BinaryIO, start: int, *, owned: bool) -> None:
        self._file, self._start, self._owned = file, start, owned
        self._lock = threading.Lock()

    def read(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``at``."""
        with self._lock:
            self._file.seek(self._start + at)
            return self._file.read(size)

    def close(self) -> None:
        """Close the file if this object owns it."""
        if self._owned:
            self._file.close()


class FilePart(SizedReader):
    """Reader of ``size`` bytes of an open file, even if the file grows.

    Reading raises ``FileDamaged`` if the file has become shorter, since the announced size could
    not be sent.
    """

    def __init__(self, file: Shared, size: int) -> None:
        super().__init__(size)
        self._file = file

    def readinto(self, buffer: Buffer, /) -> int:
        """Read into a buffer; return the number of bytes."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), max(0, self._size - self._at))
        piece = self._file.read(self._at, wanted) if wanted else b""
        if wanted and not piece:
            raise FileDamaged(None, "the file became shorter while it was read")
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        """Close the reader."""
        if not self.closed:
            self._file.close()
        super().close()
