"""Limits fitted to what the process may have: connections to open files, and the room for bodies to memory."""

from __future__ import annotations

import logging
import sys

__all__ = ["fitted_bodies", "fitted_connections"]

_LOG = logging.getLogger("jackfield.http")
_OWN = 64
"""Descriptors for the database, the log, the listener and what libraries keep open."""
_EACH = 2
"""Descriptors for a connection: its own, and one to the provider."""
_LEAST = 16
_COPIES = 16
"""Times that a body may be in memory: as text, as JSON, as inputs, as a message, encoded; and the process itself."""
_CGROUP = "/sys/fs/cgroup/memory.max"


def fitted_connections(wanted: int) -> int:
    """Raise the limit of open files (RLIMIT_NOFILE) as far as needed and allowed, and return how many connections fit into it."""
    if sys.platform == "win32":
        return wanted
    import resource  # noqa: PLC0415 (not everywhere)

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


def fitted_bodies(wanted: int, least: int) -> int:
    """Return how many bytes of bodies fit into the memory that the process may have, by its address space and its control group."""
    if sys.platform == "win32":
        return wanted
    import resource  # noqa: PLC0415 (as above)

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits = [limit for limit in (soft, _of_group()) if limit > 0]
    return max(least, min([wanted, *(limit // _COPIES for limit in limits)]))


def _of_group() -> int:
    """Return the memory limit of the control group (cgroup v2) in bytes; 0 where it has none."""
    try:
        with open(_CGROUP, encoding="ascii") as file:  # noqa: PTH123 (one small read)
            text = file.read().strip()
    except (OSError, ValueError):
        return 0
    return int(text) if text.isdecimal() else 0
