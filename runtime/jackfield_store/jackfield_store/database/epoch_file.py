"""Readings of the epoch of a SQLite database: a file of eight bytes next to it, which every process
maps.

A writer stores the new number in the file while it holds the write lock, *before* its commit. A
reader trusts a number once it is committed, so nothing cached under the new number is older than
the change. A writer killed before the commit leaves an uncommitted number, which no process trusts;
one killed after it leaves a number that all processes see.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

from jackfield.kernel.clock import monotonic
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.fork import ProcessLocal
from jackfield_store.database.epoch import unlike

SUFFIX = "-epoch"
"""Suffix of the file's name, after the database's name."""
_LOOK_EVERY = 0.1
"""Seconds after which a process compares the number with the committed one, and the open file with
the file at its path. Another program may have changed the database, or moved the file.
"""
_SETTLE_AFTER = 1.0
"""Seconds for which an uncommitted number may belong to a running commit."""
_BYTES = 8
_GENERATION = 1 << 64
_NOTHING = nullcontext()


class EpochFile(ProcessLocal):
    """Readings of the SQLite database at ``path``. ``committed`` returns the committed number;
    ``settle`` makes a later commit raise it.
    """

    answers_locally = True

    def __init__(
        self, path: str, committed: Callable[[], int | None], settle: Callable[[], object]
    ) -> None:
        self._database = path
        self._path = _beside(path)
        self._committed, self._settle = committed, settle
        self._view = memoryview(b"")
        self._file: tuple[int, int] | None = None
        self._generation = 0
        self._known = self._view, 0, 0.0, 0
        self._unsettled_since: float | None = None
        self._lock = threading.Lock()

    def read(self) -> int:
        """Return the present reading."""
        view, number, due, reading = self._known
        return reading if monotonic() < due and view[0] == number else self._look()

    async def aread(self) -> int:
        """Return the present reading, which takes microseconds."""
        return self.read()

    def held(
        self, _reading: int | None = None, /, *, later: bool = False
    ) -> AbstractContextManager[object]:
        """Do nothing: another reading costs less than passing one on."""
        del later
        return _NOTHING

    async def fix(self) -> None:
        """Do nothing: this source needs no fixed reading."""

    def recent(self, _seconds: float) -> int | None:
        """Return None: the source is a file, not a server."""
        return None

    def close(self) -> None:
        """Leave the file to other processes."""
        with self._lock:
            self._leave()

    def _look(self) -> int:
        # whoever needs the database says what is wrong with it
        with suppress(JackfieldError, OSError, ValueError), self._lock:
            view, number, until, reading = self._known
            if monotonic() < until and view[0] == number:  # another thread has just looked
                return reading
            due = monotonic() + _LOOK_EVERY
            self._enter()
            # before the committed one: a state that is read after that belongs to this number, or a
            # later one
            number = self._view[0]
            if self._committed() == number:
                self._unsettled_since = None
                reading = self._generation + number
                self._known = self._view, number, due, reading
                return reading
            self._settle_in_time()
        return unlike()

    def _enter(self) -> None:
        """Map the file that is at the path now."""
        present = identity(self._path)
        if present is None:
            committed = self._committed()
            if committed is not None:
                _create(self._path, self._database, committed)
            present = identity(self._path)
        if present == self._file:
            return
        self._leave()
        with open(self._path, "rb", buffering=0) as file:
            about = os.fstat(file.fileno())
            self._view = memoryview(mmap.mmap(file.fileno(), _BYTES, access=mmap.ACCESS_READ)).cast(
                "Q"
            )
        self._file = about.st_dev, about.st_ino
        # an equal number of another file does not mean that nothing has changed
        self._generation += _GENERATION

    def _leave(self) -> None:
        # the map lives until no other thread reads it
        self._view, self._file = memoryview(b""), None
        self._known = self._view, 0, 0.0, 0

    def _settle_in_time(self) -> None:
        """Ask for a commit that raises the number if file and database differ for long: a writer
        was killed, or changed the database without this file.
        """
        now = monotonic()
        since = self._unsettled_since
        if since is None or now - since >= _SETTLE_AFTER:
            self._unsettled_since = now
        if since is not None and now - since >= _SETTLE_AFTER:
            self._settle()


def announce(database: str, number: int) -> None:
    """Store the number of a change that is about to be committed. Call it under the database's
    write lock.

    :raises OSError: if it cannot be stored; the change must not be committed then.
    """
    path = _beside(database)
    if not _create(path, database, number):
        # not through a map: on a full disk, a store in it would end the process
        with open(path, "r+b", buffering=0) as file:
            file.write(_packed(number))


def _create(path: str, database: str, number: int) -> bool:
    """Create the file with a number, whole from the start; return False if the file exists."""
    if os.path.exists(path):
        return False
    part = f"{path}.{os.urandom(8).hex()}"
    about = os.stat(database)
    try:
        with open(
            os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb", buffering=0
        ) as file:
            file.write(_packed(number))
        os.chmod(part, about.st_mode & 0o666)  # whoever may use the database
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            os.chown(part, about.st_uid, about.st_gid)
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        with suppress(OSError):
            os.unlink(part)
    return True


def _beside(database: str) -> str:
    # as SQLite does for its own files: a link to a database is the same database
    return os.path.realpath(database) + SUFFIX


def _packed(number: int) -> bytes:
    return number.to_bytes(_BYTES, sys.byteorder)


def identity(path: str) -> tuple[int, int] | None:
    """Return the identity of the file at a path; None without a file."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino
