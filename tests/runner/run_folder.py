"""The folder of one run's temporary files: in memory where that has room, and gone with the run.
Loaded by ``-p``, before what makes files.

A durable write takes a tenth of the CPU time there, and no time of a disk. A whole run leaves 2 GB;
a failed one keeps them until the next.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")
_NAME = "jackfield-tests-"
_ROOM = 8 << 30
"""Bytes: a whole run writes a fraction of that, and its processes need the other part."""


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder to all that make temporary files, unless somebody has named one; remove those
    of former runs.
    """
    if "TMPDIR" in os.environ:
        return
    _remove_left(_MEMORY)
    if _has_room(_MEMORY):
        folder = tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=_MEMORY)
        os.chmod(folder, 0o711)  # PostgreSQL runs as another user
        os.environ["TMPDIR"], tempfile.tempdir = folder, None
        config.pluginmanager.register(_RunFolder(folder))


class _RunFolder:
    """Folder of this process's run. Processes that it forks leave it alone."""

    def __init__(self, folder: str) -> None:
        self._folder, self._pid, self._is_kept = folder, os.getpid(), False
        # before pytest registers its own, so that it is called after those
        atexit.register(self._remove)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep the files of a run that failed: they may say why."""
        self._is_kept = bool(session.testsfailed)

    def _remove(self) -> None:
        if os.getpid() == self._pid and not self._is_kept:
            shutil.rmtree(self._folder, ignore_errors=True)


def _remove_left(place: Path) -> None:
    """Remove the folders of runs that have ended, or were killed."""
    for left in place.glob(f"{_NAME}*"):
        pid = left.name.removeprefix(_NAME).partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)


def _has_room(place: Path) -> bool:
    """Whether a run's files find room in a folder, and in memory, and programs can be started from
    there.
    """
    try:
        found = os.statvfs(place)
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except (OSError, AttributeError):  # there is none, or no such call
        return False
    available = next(
        (int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0
    )
    return (
        min(found.f_bavail * found.f_frsize, available) >= _ROOM and not found.f_flag & os.ST_NOEXEC
    )
