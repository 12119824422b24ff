"""Fixtures for stored connections on both databases, for test modules that name this one in
``pytest_plugins``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.connections.managed import FILES

from clocks import FakeClock
from jackfield_store.access.workspaces import WorkspaceExists
from jackfield_store.connections.connection_table import ConnectionTable
from jackfield_store.database import Database, open_database
from jackfield_store.keys import MasterKey, Vault
from jackfield_store.runtime import Jackfield
from plugboard import make_echo, plugged
from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = [
    "connection_store",
    "database_url",
    "kept_database",
    "kept_vault",
    "managed_jackfield",
    "open_runtime",
    "open_store",
    "postgres_database",
    "postgres_server",
    "postgres_url",
]


@pytest.fixture
def kept_database(database_url: str) -> Iterator[Database]:
    """An empty database with all tables: SQLite and PostgreSQL in turn."""
    with open_database(database_url) as database:
        yield database


@pytest.fixture
def kept_vault(kept_database: Database) -> Vault:
    """The vault on it."""
    return Vault(kept_database, MasterKey.generate())


@pytest.fixture
def open_store(kept_database: Database, kept_vault: Vault) -> Callable[[str], ConnectionTable]:
    """Opens the store of a workspace, each time as another process would."""
    return lambda workspace: ConnectionTable(
        kept_database, lambda: kept_vault, workspace, FakeClock()
    )


@pytest.fixture
def connection_store(open_store: Callable[[str], ConnectionTable]) -> ConnectionTable:
    """The store of the workspace ``acme``."""
    return open_store("acme")


@pytest.fixture
def open_runtime(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Jackfield]]:
    """Opens runtimes on one database, each as another process would, with ``FILES``; the echo
    connector is installed.
    """
    open_database(database_url).close()
    opened: list[Jackfield] = []

    def runtime(workspace: str = "default", **more: Any) -> Jackfield:
        opened.append(
            Jackfield(workspace, **{"connections": [FILES], "database_url": database_url, **more})
        )
        if workspace != "default":
            with contextlib.suppress(WorkspaceExists):
                opened[-1].access.workspaces.create(workspace)
        return opened[-1]

    with plugged(*make_echo(tmp_path / "plugs")):
        yield runtime
        for jackfield in opened:
            jackfield.close()


@pytest.fixture
def managed_jackfield(open_runtime: Callable[..., Jackfield]) -> Jackfield:
    """A runtime with one connection in a file and none in its database."""
    return open_runtime()
