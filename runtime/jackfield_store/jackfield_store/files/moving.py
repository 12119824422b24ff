"""Move of the content of stored files to another store, for ``jackfield db move``: resumable, and
verified by digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from jackfield.invocation.file_refusals import FileDamaged
from jackfield.kernel.clock import SystemClock, monotonic
from jackfield.kernel.dataclass import dataclass
from jackfield_store.files.blobs import VARIABLE, blobs_from
from jackfield_store.files.store import FileLimits, Files
from jackfield_store.resources.move import MovedFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.invocation.stored_file import StoredFile
    from jackfield_store.resources.storage import Storage

_AT_ONCE = 4
"""Number of files that are copied at the same time: an object store answers a single request
slowly, and many at once.
"""
_SAID_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class _Done:
    """One file: its size, whether it was copied now, and its fault."""

    size: int
    copied: bool
    problem: str | None


class FileMove:
    """Move of the content of all files from the store of ``JACKFIELD_FILES_URL`` to the store of
    ``url``; without a ``url``, the files are verified in place.

    :raises InvalidInvocation: if a URL is not one of a store.
    """

    def __init__(self, environment: Mapping[str, str], url: str | None) -> None:
        self._from = blobs_from(environment)
        self._to = self._from if url is None else blobs_from({**environment, VARIABLE: url})

    def __call__(self, source: Storage, say: Callable[[str], object]) -> MovedFiles:
        """Copy the files of a database that are missing in the new store, and verify each one
        there.

        :raises Unavailable: if a store cannot be reached; the move can be continued.
        :raises NoRoom: if the new store is full.
        """
        count = size = copied = 0
        problems, said_at = list[str](), monotonic()
        for done in self._files(Files(source, FileLimits(), SystemClock())):
            count, size, copied = count + 1, size + done.size, copied + done.copied
            if done.problem is not None:
                problems.append(done.problem)
            if monotonic() - said_at >= _SAID_EVERY:
                said_at = monotonic()
                say(
                    f"files: {count:,} verified in {self._to.location}, {copied:,} of them "
                    "copied now"
                )
        return MovedFiles(self._to.location, count, size, copied, tuple(problems))

    def _files(self, files: Files) -> Iterator[_Done]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for page in files.table.pages():
                yield from pool.map(lambda file: self._one(files, file), page)

    def _one(self, files: Files, file: StoredFile) -> _Done:
        """Copy one file unless an earlier move has copied it."""
        name, copied = f"the file {file.id} of the workspace '{file.workspace}'", False
        try:
            whole = files.is_whole(file, self._to)
            # never if both are one store, whatever it is called
            if not whole and files.is_whole(file, self._from):
                files.copy(file, self._to)
                whole = copied = files.is_whole(file, self._to)
        except FileDamaged as fault:
            return _Done(file.size, copied=False, problem=f"damaged: {name}: {fault.strerror}")
        return _Done(
            file.size,
            copied,
            None if whole else f"damaged: the content of {name} is missing or was changed",
        )
