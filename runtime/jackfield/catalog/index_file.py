"""File of the search index in the data folder. It is derived data: a file with any fault is
rebuilt.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from jackfield.catalog.places import note_of, noted_folders
from jackfield.catalog.postings import Table
from jackfield.kernel.local import OnAllCores, replace_file, turn

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog

_FOLDER = "cache"
_FORMAT = 7
"""Version of the file's format, and of the rules that split texts into words."""
_PLACES = ".places"
"""Suffix of the file that stores the folders of packages."""
_SECONDS = 300
"""Maximum seconds for another process to build the file."""
_CHUNK = 1024 * 1024
_HEAD = 64 + 1 + 10 + 1
"""Number of bytes before the table: the stamp of the indexed manifests, and a checksum."""


class IndexFile:
    """Index file of one catalog. Without a stamp, nothing is read or written."""

    def __init__(self, path: str, stamp: str | None, packages: Iterable[str] = ()) -> None:
        self._path = path
        self._stamp = stamp
        self._packages = packages

    @classmethod
    def of(cls, catalog: Catalog, *, for_operator: bool = False) -> IndexFile:
        """Return the file of a catalog. Each Python environment has its own file, and another file
        ``for_operator``.
        """
        if catalog.home is None:
            return cls("", None)
        owner = hashlib.sha256(
            f"{_FORMAT}\n{sys.prefix}\n{os.environ.get('PYTHONPATH', '')}".encode(
                "utf-8", "replace"
            )
        ).hexdigest()
        path = os.path.join(
            catalog.home,
            _FOLDER,
            f"actions-{'operator-' if for_operator else ''}{owner[:16]}.index",
        )
        stamp = catalog.stamp(noted_folders(path + _PLACES), for_operator=for_operator)
        about = None if stamp is None else json.dumps([_FORMAT, sys.byteorder, stamp])
        packages = catalog.packages()
        return cls(
            path,
            None if about is None else hashlib.sha256(about.encode("utf-8", "replace")).hexdigest(),
            packages,
        )

    def read(self) -> Table | None:
        """Return the table; None if the file is missing, damaged, or of other connectors."""
        if self._stamp is None:
            return None
        try:
            with open(self._path, "rb") as file:
                stamp, _, rest = file.read(_HEAD).decode("ascii").partition(" ")
                if stamp != self._stamp or int(rest) != _checksum(file):
                    return None
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return Table.of(memoryview(mapped)[_HEAD:])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the file's lock where the system has such locks; go on without it if it cannot be
        acquired.
        """
        with ExitStack() as stack:
            with suppress(OSError):
                stack.enter_context(turn(self._path))
            yield

    def write(self, table: Table) -> Table:
        """Write a table and return it as read from the file; if it cannot be written, return the
        table in memory.
        """
        if self._stamp is None:
            return table
        content = table.to_bytes()
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            replace_file(self._path + _PLACES, note_of(self._packages), mode=0o600)
            replace_file(
                self._path,
                f"{self._stamp} {zlib.crc32(content):010d}\n".encode("ascii"),
                content,
                mode=0o600,
            )
        except OSError:
            return Table.of(memoryview(content))
        return self.read() or table


def made_elsewhere(catalog: Catalog, *, for_operator: bool) -> bool:
    """Build the file in another process; return whether it succeeded. The file of another catalog
    has another stamp.
    """
    import subprocess

    if catalog.home is None:
        return False
    environment = {**os.environ, "JACKFIELD_HOME": catalog.home}
    words = [
        sys.executable,
        "-P",
        "-m",
        "jackfield.catalog.index_program",
        *(["--for-operator"] if for_operator else []),
    ]
    try:
        with OnAllCores():
            done = subprocess.run(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def free_memory() -> None:
    """Return freed memory to the system where the C library can (glibc). Building a large index
    leaves 40 MB of it.
    """
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _checksum(file: Any) -> int:
    """Return the checksum of the rest of a file. It is read in pieces, which need less memory than
    a mapped file.
    """
    found = 0
    while piece := file.read(_CHUNK):
        found = zlib.crc32(piece, found)
    return found
