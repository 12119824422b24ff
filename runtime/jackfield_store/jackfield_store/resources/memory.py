"""Memory limit of this process, and settings of the C library's allocator for processes with a
limit.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from pathlib import Path, PurePosixPath
from typing import NoReturn

from jackfield.kernel.errors import InvalidInvocation

_LOG = logging.getLogger("jackfield.resources")
_GROUPS = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60
"""Minimum bytes of a limit that counts as none: cgroup v1 reports the largest number of pages
instead.
"""
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
"""Options of mallopt(3)."""
_LARGE = 1024**2
_PROCESS = 128 * 1024**2
"""Bytes that a process needs without any body: it uses 92 MiB after its first mail, and 118 MiB of
address space.
"""
LEAST_SPACE, LEAST_MEMORY = 256 * 1024**2, 80 * 1024**2
"""Minimum bytes of address space and of a control group with which a server serves 24 callers at
once. With 192 MiB of address space uvloop crashed for want of memory; with 64 MiB in the group the
kernel killed the process.
"""
_COPIES = 8
"""Number of copies of a body in memory at its peak: text, JSON, inputs, message, encoded."""
_LEAST_ROOM = 1024**2


def memory_limit(processes: int = 1) -> int:
    """Return the memory limit of this process in bytes; 0 without a limit.

    The address space limit (RLIMIT_AS) applies to each process; the control group's limit is shared
    by ``processes``.
    """
    limits = [_address_space(), *(limit // processes for limit in _of_groups())]
    return min((limit for limit in limits if 0 < limit < _UNLIMITED), default=0)


def require_memory(processes: int = 1) -> None:
    """Check that this process may have the memory that it needs to refuse calls instead of
    crashing; ``processes`` share the control group's limit.

    :raises InvalidInvocation: if the limit is too low.
    """
    space, group = (
        _address_space(),
        min((limit for limit in _of_groups() if limit > 0), default=_UNLIMITED) // processes,
    )
    if 0 < space < LEAST_SPACE:
        _refuse(
            space,
            "address space",
            LEAST_SPACE,
            "Raise ulimit -v, or limit memory by a control group (MemoryMax, --memory).",
        )
    if group < LEAST_MEMORY:
        _refuse(
            group,
            "memory",
            LEAST_MEMORY,
            "Raise the limit of its control group (MemoryMax, --memory), or start fewer processes.",
        )


def _refuse(limit: int, what: str, least: int, hint: str) -> NoReturn:
    mib = 1024**2
    raise InvalidInvocation(
        f"a process may have {limit // mib} MiB of {what}, and needs {least // mib} MiB", hint=hint
    )


def room_within(limit: int, wanted: int) -> int:
    """Return how many of ``wanted`` bytes for bodies fit into a memory of ``limit`` bytes; 0 is no
    limit.
    """
    return min(wanted, max(_LEAST_ROOM, (limit - _PROCESS) // _COPIES)) if limit else wanted


def save_memory() -> None:
    """Use one heap for all threads and release large free blocks, if memory is limited. Call this
    before threads start.

    By default glibc reserves 64 MiB of address space for each of up to 8 heaps per core: a server
    with 92 MiB in use had reserved 633 MiB. It also retains large blocks: after mails of 12 MB a
    server held 307 MiB, but 120 MiB with this setting.
    """
    if sys.platform != "linux" or not memory_limit():
        return
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
    """Return the limits of this process's control group and its parents, for cgroup v2 and v1."""
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
    """Return the files of a group and its parents. In a container the path may be the host's; then
    only the root exists.
    """
    group = PurePosixPath(path.lstrip("/"))
    return [root / part / name for part in (group, *group.parents)]


def _number(file: Path) -> int:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return 0
    return int(text) if text.isdecimal() else 0
