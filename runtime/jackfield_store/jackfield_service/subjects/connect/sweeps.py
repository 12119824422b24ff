"""Sweeps of expired connect sessions, run from time to time by each server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.subjects.connect.operations import sweep


def sweeps(server: ServerContext) -> Mapping[str, Callable[[], object]]:
    """Return the sweeps, by the log message of their failure."""
    return {"connect sessions cannot be ended": lambda: sweep(server)}
