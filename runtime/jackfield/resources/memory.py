"""Memory that this process may have, and settings of the C library's allocator where that is limited."""

from __future__ import annotations

import logging
import sys
from pathlib import Path, PurePosixPath

__all__ = ["memory_limit", "save_memory"]

_LOG = logging.getLogger("jackfield.resources")
_GROUPS = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60
"""Bytes from which a limit is none: cgroup v1 writes the largest number of pages."""
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
"""Options of mallopt(3)."""
_LARGE = 1024**2


def memory_limit(processes: int = 1) -> int:
    """Return the bytes of memory that this process may have; 0 where there is no limit.

    A limit of the address space (RLIMIT_AS) is for each process; ``processes`` share that of the control group.
    """
    limits = [_address_space(), *(limit // processes for limit in _of_groups())]
    return min((limit for limit in limits if 0 < limit < _UNLIMITED), default=0)


def save_memory() -> None:
    """Where memory is limited, have one heap for all threads and give large blocks back once they are free. Call it before threads start.

    By default glibc reserves 64 MiB of address space for each of up to 8 heaps per core: a server with 92 MiB in use had taken 633 MiB. It
    also keeps large blocks: after mails of 12 MB a server held 307 MiB, and 120 MiB with this.
    """
    if sys.platform != "linux" or not memory_limit():
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    for option, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGE)):
        if not mallopt(option, value):
            _LOG.info("the C library does not take option %d of mallopt", option)


def _address_space() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0]


def _of_groups() -> list[int]:
    """Return the limits of this process's control group and of those around it, cgroup v2 and v1."""
    try:
        lines = _GROUPS.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    files = list[Path]()
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            files += _around(_ROOT, path, "memory.max")
        elif "memory" in controllers.split(","):
            files += _around(_ROOT / "memory", path, "memory.limit_in_bytes")
    return [limit for file in files if (limit := _number(file))]


def _around(root: Path, path: str, name: str) -> list[Path]:
    """Return the files of a group and its parents. In a container the path may be the host's: then only the root is there."""
    group = PurePosixPath(path.lstrip("/"))
    return [root / part / name for part in (group, *group.parents)]


def _number(file: Path) -> int:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return 0
    return int(text) if text.isdecimal() else 0
