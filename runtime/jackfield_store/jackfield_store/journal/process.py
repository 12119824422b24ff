"""Immediate detection of ended processes on the same machine. It speeds up recovery; leases stay
authoritative.
"""

from __future__ import annotations

import os


def place() -> str | None:
    """Identify the set of processes whose ids are valid in this process: boot, PID namespace and
    time namespace.

    None if /proc does not show this process's own namespace: its ids would belong to other
    processes.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        if os.readlink("/proc/self") != str(os.getpid()):
            return None
        return "/".join((boot, _namespace("pid"), _namespace("time")))
    except OSError:
        return None


def born(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since boot (proc(5), field 22); None if it
    has ended or cannot be seen.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def has_ended(pid: int, started: int | None) -> bool:
    """Return whether a process of this ``place`` has certainly ended. Process ids are reused, so
    its start time is compared.
    """
    found = born(pid)
    if found is not None:
        return started is not None and found != started
    try:
        os.kill(pid, 0)  # /proc may hide processes of other users (hidepid)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return os.path.exists(f"/proc/{pid}/stat")  # a zombie


def _namespace(kind: str) -> str:
    path = f"/proc/self/ns/{kind}"
    return os.readlink(path) if os.path.lexists(path) else ""
