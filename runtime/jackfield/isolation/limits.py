"""Rights that a child process gives up before it imports a connector, and which of them this machine's kernel enforces."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

Layers = dict[str, bool | str]
"""By name: True where a layer holds, else the reason why it does not."""
_FILES = 256
_CPU_SECONDS = 3600


def reduce_rights(configuration: Mapping[str, Any]) -> Layers:
    """Reduce what this process may do, and return which layers hold. It cannot be undone."""
    return {"resources": _limit_resources(configuration["memory"])}


def _limit_resources(memory: int) -> bool | str:
    """Limit memory, CPU time, open files; forbid core dumps and growing any file."""
    try:
        import resource
    except ImportError:
        return "this platform has no resource limits"
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_NOFILE: _FILES, resource.RLIMIT_CPU: _CPU_SECONDS}
    if memory:
        limits[resource.RLIMIT_AS] = memory
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (value, value))
    if hasattr(signal, "SIGXFSZ"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing to a file fails instead
    return True
