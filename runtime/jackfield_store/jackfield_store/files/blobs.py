"""The storage port: sequences of encrypted bytes under a key, in a local folder or in an object
store.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from jackfield.invocation.file_refusals import FileDamaged, NoRoom
from jackfield.kernel.errors import InvalidInvocation, Unavailable, missing_extra
from jackfield.kernel.local import home

VARIABLE = "JACKFIELD_FILES_URL"
_FORMS = "Write it as file:///absolute/path or s3://bucket/prefix."


class BlobWriter(Protocol):
    """Writer of content, which is readable under its key only after ``finish``."""

    def write(self, segment: memoryview) -> None:
        """Append a segment. All segments but the last one have the store's segment size. The memory
        is reused afterwards.
        """

    def finish(self) -> None:
        """Make the content readable."""

    def abort(self) -> None:
        """Discard the written data; raises nothing. Data that cannot be discarded now are deleted
        later by ``Blobs.delete``.
        """


class Blobs(Protocol):
    """Store of encrypted content. Keys are ``folder/name``. Thread-safe.

    Methods raise ``Unavailable`` if the store cannot be reached, and ``NoRoom`` if it is full.
    """

    location: str
    is_shared: bool
    """True if every machine that is configured alike reaches the same store."""

    def writer(self, key: str, segment: int) -> BlobWriter:
        """Begin to write content in segments of ``segment`` bytes."""

    def read(self, key: str, start: int, size: int, segment: int) -> bytes:
        """Return up to ``size`` bytes from ``start``, all in one segment.

        :raises FileDamaged: if the store has no such bytes.
        """

    def delete(self, key: str) -> None:
        """Delete the content, finished or not, if there is any."""


def blobs_from(environment: Mapping[str, str]) -> Blobs:
    """Return the store that ``JACKFIELD_FILES_URL`` names, by default the folder ``files`` in the
    data folder. Nothing is opened yet.

    :raises InvalidInvocation: if the URL has another form, or the extra ``files`` is not installed.
    """
    url = environment.get(VARIABLE, "").strip()
    if not url:
        return LocalBlobs(Path(home(environment)) / "files")
    if url.startswith("s3://"):
        return _in_s3(url, environment)
    try:
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
    except ValueError:
        raise _unusable() from None
    if (
        parts.scheme != "file"
        or parts.netloc not in ("", "localhost")
        or not path.is_absolute()
        or parts.query
        or parts.fragment
    ):
        raise _unusable()
    return LocalBlobs(path)


def _in_s3(url: str, environment: Mapping[str, str]) -> Blobs:
    try:
        from jackfield_store.files.s3 import S3Blobs
    except ModuleNotFoundError as error:
        if error.name != "obstore":
            raise
        raise missing_extra("files in S3 need", "files", error.name) from None
    return S3Blobs.of(url, environment)


def _unusable() -> InvalidInvocation:
    # the value may hold a secret
    return InvalidInvocation(f"{VARIABLE} names no storage that jackfield knows", hint=_FORMS)


class LocalBlobs:
    """Store in a folder: one file of mode 0600 per key, with the suffix ``.part`` while it is
    written.
    """

    is_shared = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.location = str(folder)

    def writer(self, key: str, segment: int) -> BlobWriter:
        """Create the partial file."""
        del segment
        path = self._folder / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial = path.with_suffix(".part")
            return _LocalWriter(
                os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"),
                partial,
                path,
            )
        except OSError as error:
            raise _storage_error(error) from None

    def read(self, key: str, start: int, size: int, segment: int) -> bytes:
        """Read from the file."""
        del segment
        try:
            with (self._folder / key).open("rb") as file:
                file.seek(start)
                return file.read(size)
        except FileNotFoundError:
            raise FileDamaged(errno.ENOENT, "the stored file is missing") from None
        except OSError as error:
            raise _storage_error(error) from None

    def delete(self, key: str) -> None:
        """Delete the file of a key, complete or unfinished."""
        path = self._folder / key
        try:
            path.unlink(missing_ok=True)
            path.with_suffix(".part").unlink(missing_ok=True)
        except OSError as error:
            raise _storage_error(error) from None


class _LocalWriter:
    def __init__(self, file: BinaryIO, partial: Path, path: Path) -> None:
        self._file = file
        self._partial = partial
        self._path = path

    def write(self, segment: memoryview) -> None:
        try:
            self._file.write(segment)
        except OSError as error:
            raise _storage_error(error) from None

    def finish(self) -> None:
        """Rename the file once it is on the disk: an invocation in the durable journal may refer to
        it.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._partial.replace(self._path)
        except OSError as error:
            raise _storage_error(error) from None

    def abort(self) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)


def _storage_error(error: OSError) -> NoRoom | Unavailable:
    if error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
    ):
        return NoRoom("the file cannot be stored: the disk is full or not writable")
    return Unavailable(
        "the file storage cannot be used: "
        f"{os.strerror(error.errno) if error.errno else 'input/output error'}"
    )
