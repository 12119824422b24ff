"""Sweeps of leftover rows of purged workspaces, run from time to time by each server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.subjects.tenants.purge import sweep


def sweeps(server: ServerContext) -> Mapping[str, Callable[[], object]]:
    """Return the sweeps, by the log message of their failure."""
    return {
        "rows of purged workspaces cannot be deleted": lambda: sweep(
            server.storage.database, server.files
        )
    }
