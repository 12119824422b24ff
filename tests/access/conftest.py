"""A database of each kind, with its vault and a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clocks import FakeClock
from jackfield.access import Tokens, Workspaces
from jackfield.database import Database, MasterKey, Vault, open_database


@pytest.fixture
def clock() -> FakeClock:
    """A clock that goes on when it is told to."""
    return FakeClock()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, on SQLite and on PostgreSQL; for test modules that say ``pytest_plugins = ["postgres"]``."""
    with open_database(database_url) as opened:
        yield opened


@pytest.fixture
def vault(database: Database, clock: FakeClock) -> Vault:
    """Its vault."""
    return Vault(database, MasterKey.generate(), clock)


@pytest.fixture
def workspaces(database: Database, vault: Vault, clock: FakeClock) -> Workspaces:
    """Its workspaces."""
    return Workspaces(database, vault, clock)


@pytest.fixture
def tokens(database: Database, clock: FakeClock) -> Tokens:
    """The tokens of the default workspace."""
    return Tokens(database, "default", clock)
