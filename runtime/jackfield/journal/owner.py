"""Who runs an invocation, and whether they still live."""

from __future__ import annotations

import os
import socket
from functools import cache

__all__ = ["is_dead", "this_process"]


@cache
def _host() -> str:
    return socket.gethostname()


def this_process() -> str:
    """The name of this process: host, process id, and when it started, since ids are used again."""
    pid = os.getpid()
    return f"{_host()}/{pid}/{_started(pid) or 0}"


def is_dead(owner: str) -> bool | None:
    """Whether the process of that name has ended; None where this machine cannot know, since it ran on another."""
    host, pid_text, started = owner.rsplit("/", 2)
    if host != _host():
        return None
    found = _started(int(pid_text))
    return found is None or (started != "0" and str(found) != started)


def _started(pid: int) -> int | None:
    """Clock ticks since boot at which a process started (proc(5), field 22): 0 where there is no /proc, None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 (a cold invoke saves pathlib's import)
            fields = file.read().rpartition(b")")[2].split()
    except FileNotFoundError:
        return _alive_elsewhere(pid)
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _alive_elsewhere(pid: int) -> int | None:
    if os.path.isdir("/proc/self"):  # noqa: PTH112 (as above)
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0
