"""Limit of the threads of a child process: in the kernel where it can count them by process, and by
a check every second.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

MOST_THREADS = 512
_SLACK = 4096
"""Number of threads that an unprivileged user may start in addition to the machine's current
threads, since the kernel counts all processes of a user together.
"""
_FIRST_USER = 0x7A000000
"""First of 2^24 user IDs that belong to nobody. A child of root takes one at random, since
containers may share a count.
"""


def threads_to_allow() -> int:
    """Return the thread limit for this process's user, after giving a process of root another real
    user ID.

    The kernel exempts root, judged by the real user ID. The new ID belongs to no other process. The
    effective user ID, with which files are opened, stays.
    """
    return MOST_THREADS if _take_user() else _threads_of_machine() + _SLACK


def _take_user() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    with suppress(OSError):  # a container may lack the capability, or the number
        os.setresuid(_FIRST_USER + int.from_bytes(os.urandom(3), "big"), -1, -1)
        return True
    return False


def _threads_of_machine() -> int:
    try:
        with open("/proc/loadavg", "rb") as file:
            return int(file.read().split()[3].partition(b"/")[2])
    except (OSError, ValueError, IndexError):
        return _SLACK


def too_many_threads(process: int) -> str | None:
    """Return the reason to end a process if it has more threads than allowed, else None."""
    try:
        threads = os.stat(f"/proc/{process}/task").st_nlink - 2
    except OSError:  # it has ended, or this platform has no such folder
        return None
    return (
        f"started {threads:,} threads, where {MOST_THREADS:,} are allowed"
        if threads > MOST_THREADS
        else None
    )
