"""Limits fitted to the process: the number of connections to its open-file limit, body quotas to its memory limit."""

from __future__ import annotations

import logging
import sys

from jackfield.resources.memory import memory_limit

__all__ = ["fitted_bodies", "fitted_connections"]

_LOG = logging.getLogger("jackfield.http")
_OWN = 64
"""File descriptors reserved for the database, the log, the listener and libraries."""
_EACH = 2
"""File descriptors per connection: its own and one to the provider."""
_LEAST = 16
_PROCESS = 128 * 1024**2
"""Bytes that a process needs without any body: it uses 92 MiB after its first mail, and 118 MiB of address space."""
_COPIES = 8
"""Copies of a body in memory at its peak: text, JSON, inputs, message, encoded."""
_LEAST_ROOM = 1024**2


def fitted_connections(wanted: int) -> int:
    """Raise the open-file limit (RLIMIT_NOFILE) as far as needed and allowed; return how many connections fit into it."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * _EACH + _OWN
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    found = max(_LEAST, (soft - _OWN) // _EACH)
    _LOG.warning("a process takes %d connections at most: it may have %d files open (ulimit -n, LimitNOFILE)", found, soft)
    return found


def fitted_bodies(wanted: int, largest: int, processes: int) -> tuple[int, int]:
    """Return the byte limits for all bodies together and for one body that fit the memory of each of ``processes`` processes."""
    limit = memory_limit(processes)
    if not limit:
        return wanted, largest
    room = min(wanted, max(_LEAST_ROOM, (limit - _PROCESS) // _COPIES))
    if room < largest:
        _LOG.warning("a request takes a body of %d bytes at most: a process may have %d bytes of memory", room, limit)
    return room, min(largest, room)
