"""Files that a caller of the library passes as objects: a path, bytes, or an open binary file. They
are read in place.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
from base64 import b64encode
from typing import Any, BinaryIO, cast

from jackfield.invocation.file_readers import FilePart, Shared
from jackfield.kernel.media_types import media_type_of
from jackfield.kernel.secrecy import SecretHolder

_BYTES = (bytes, bytearray, memoryview)
_PIECE = 1024 * 1024
_IN_MEMORY = 1024 * 1024
_LONGEST = 5 * 1024**3
"""Maximum bytes read from a pipe, as for a stored file."""


class GivenFile(SecretHolder):
    """File that a caller passes: a path, bytes, or an open binary file from its current position.

    A source that can be read only once, such as a pipe, is copied to a temporary file when needed;
    others are read in place.
    """

    __slots__ = ("_copy", "_file", "_path", "_size", "content_type", "name", "original")

    def __init__(self, content: Any) -> None:
        self.original = content
        self._file: Shared | None = None
        self._copy: Shared | None = None
        self._size: int | None = None
        self._path = os.fsdecode(content) if hasattr(type(content), "__fspath__") else None
        named = getattr(content, "name", None) if self._path is None else self._path
        self.name = os.path.basename(named) or None if isinstance(named, str) else None
        self.content_type = media_type_of(self.name)

    def __repr__(self) -> str:  # content from callers stays out of logs
        return f"GivenFile({self.content_type!r})"

    def __del__(self) -> None:
        if self._copy is not None:
            self._copy.close()

    @property
    def size(self) -> int:
        """Size in bytes.

        :raises OSError, ValueError: if the file cannot be read.
        """
        if self._size is None:
            self._size = self._measured()
        return self._size

    def open(self) -> BinaryIO:
        """Return a new reader of the content, with its own position.

        :raises OSError, ValueError: if the file cannot be read.
        """
        size = self.size
        if isinstance(self.original, _BYTES):
            return io.BytesIO(self.original)
        file = self._file or Shared(open(str(self._path), "rb"), 0, owned=True)  # noqa: SIM115 (the reader closes it)
        return cast("BinaryIO", io.BufferedReader(FilePart(file, size), 64 * 1024))

    def as_value(self) -> dict[str, str]:
        """Return the file in the form of an input."""
        with self.open() as content:
            return {
                "data": b64encode(content.read()).decode("ascii"),
                "contentType": self.content_type,
            }

    def digest(self) -> dict[str, str]:
        """Return a digest of type and content, for comparing requests. A stored file of the same
        content has the same digest.
        """
        with self.open() as content:
            return {
                "contentType": self.content_type,
                "sha256": hashlib.file_digest(
                    cast("io.BufferedReader", content), "sha256"
                ).hexdigest(),
            }

    def _measured(self) -> int:
        given = self.original
        if isinstance(given, _BYTES):
            return memoryview(given).nbytes
        if self._path is not None:
            with open(self._path, "rb") as file:
                found = os.fstat(file.fileno())
                return found.st_size if stat.S_ISREG(found.st_mode) else self._copied(file)
        if isinstance(given.read(0), str):
            raise io.UnsupportedOperation("it is open as text: open it as 'rb'")
        seekable = getattr(given, "seekable", None)
        if seekable is None or not seekable():
            return self._copied(given)
        start = given.tell()
        size: int = given.seek(0, os.SEEK_END) - start
        given.seek(start)
        self._file = Shared(given, start, owned=False)
        return max(0, size)

    def _copied(self, source: BinaryIO) -> int:
        copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (it lasts as long as this object)
        while piece := source.read(_PIECE):
            if copy.tell() + len(piece) > _LONGEST:
                copy.close()
                raise io.UnsupportedOperation(f"it has more than {_LONGEST:,} bytes")
            copy.write(piece)
        self._copy = Shared(cast("BinaryIO", copy), 0, owned=True)
        self._file = Shared(cast("BinaryIO", copy), 0, owned=False)
        return copy.tell()
