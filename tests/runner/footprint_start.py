"""Notes of one process for the map of ``make test-map``: functions of ours that it executes, and
files and folders of the repository that it opens.

``footprint_code`` compiles our modules so that the first of them that a process imports runs this
file. It imports nothing of ours, and little else: tests count what a process imports.
"""

from __future__ import annotations

import _thread
import builtins
import mmap
import os
import sys
from collections.abc import Iterator
from types import FrameType

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
FOLDER = f"{ROOT}.cache/footprints"
RUN = f"{FOLDER}/run"
"""Files of the run that makes the map: for each process of pytest, by its number, a byte for each
function, and the paths that it and its children open.
"""
SIZE = 1 << 16
"""Bytes for the functions of all modules."""
VARIABLE = "TEST_FOOTPRINT"
"""Environment variable with the path of these files, for child processes."""
_NAME = "footprint_notes"
_EVENTS = frozenset({"open", "os.listdir", "os.scandir", "subprocess.Popen"})
_IMPORTERS = ("importlib._bootstrap_external>", "linecache.py", "assertion/rewrite.py")
_OTHERS = (".venv", ".cache/", ".git/", ".hypothesis/", ".mypy_cache/", ".ruff_cache/")
"""Paths below the root that belong to no commit."""


class Notes:
    """Notes of this process, in the files of the pytest process that it belongs to."""

    def __init__(self) -> None:
        self.hits: bytearray | mmap.mmap = bytearray(SIZE)
        self.seen: set[str] = set()
        self._place = ""
        self._former: list[object] = []
        self._busy: set[int] = set()
        self.join()
        sys.addaudithook(self._audit)

    def join(self) -> None:
        """Use the files that the environment names. A process whose environment was emptied uses
        those of its nearest ancestor that has some.
        """
        self.use(os.environ.get(VARIABLE) or next(_of_ancestors(), ""))

    def use(self, place: str) -> None:
        """Use the files at ``place``; note nothing if there are none."""
        # never closed: its descriptor's number may belong to another file by then
        self._former.append(self.hits)
        try:
            descriptor = os.open(place, os.O_RDWR)
        except OSError:
            place, self.hits = "", bytearray(SIZE)
        else:
            self.hits = mmap.mmap(descriptor, SIZE)
            os.close(descriptor)
        self._place, self.seen = place, set()
        vars(builtins)["__hits__"] = self.hits

    def _audit(self, event: str, values: tuple[object, ...]) -> None:
        if event not in _EVENTS or not self._place or _thread.get_ident() in self._busy:
            return
        self._busy.add(_thread.get_ident())
        try:
            for path in _paths(event, values):
                self._note(path)
        except (OSError, ValueError):  # a sandbox forbids it, or the folder is gone
            pass
        finally:
            self._busy.discard(_thread.get_ident())

    def _note(self, path: str) -> None:
        path = os.path.abspath(path) + os.sep * path.endswith(os.sep)
        if not path.startswith(ROOT) or path in self.seen:
            return
        self.seen.add(path)
        inner = path[len(ROOT) :]
        if not inner.startswith(_OTHERS) and "__pycache__" not in inner:
            descriptor = os.open(f"{self._place}.opened", os.O_WRONLY | os.O_APPEND)
            os.write(descriptor, f"{inner}\n".encode())
            os.close(descriptor)


def new_place(name: str) -> str:
    """Make the files of a process of pytest; its children may run as other users."""
    place = os.path.join(os.path.realpath(RUN), name)
    for path, size in ((place, SIZE), (f"{place}.opened", 0)):
        with open(path, "wb") as file:
            file.truncate(size)
        os.chmod(path, 0o666)
    return place


def notes() -> Notes:
    """Return the notes of this process."""
    if _NAME not in sys.modules:
        sys.modules[_NAME] = Notes()  # type: ignore[assignment]  # found there whoever loads this file
    return sys.modules[_NAME]  # type: ignore[return-value]


def _paths(event: str, values: tuple[object, ...]) -> Iterator[str]:
    """Yield the paths that an audit event names: files, and folders with a separator at the end."""
    if event == "subprocess.Popen":
        _, words, folder, _ = values
        for word in words if isinstance(words, (list, tuple)) else ():
            if isinstance(word, (str, os.PathLike)):
                path = os.path.join(str(folder or ""), os.fspath(word))
                if os.path.isfile(path):
                    yield path
    elif isinstance(values[0], (str, bytes, os.PathLike)) and not _is_import():
        yield os.fsdecode(values[0]) + ("" if event == "open" else os.sep)


def _is_import() -> bool:
    """Tell whether a module is imported, or shown in a traceback: no test depends on its text."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(4):
        if frame is not None:
            if frame.f_code.co_filename.endswith(_IMPORTERS):
                return True
            frame = frame.f_back
    return False


def _of_ancestors() -> Iterator[str]:
    """Yield the files of this process's ancestors, the nearest first."""
    number = os.getpid()
    while number > 1:
        if os.path.exists(f"{RUN}/{number}"):
            yield f"{RUN}/{number}"
        try:
            with open(f"/proc/{number}/stat", encoding="utf-8") as file:
                number = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            return


if __name__ == "footprint_start":  # run by a module of ours, rather than imported
    notes()
