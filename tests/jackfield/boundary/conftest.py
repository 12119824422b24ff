"""A runtime on a database of each kind, and a second one, as another process has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clocks import FakeClock
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield
from postgres import database_url, no_tables, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "no_tables", "postgres_database", "postgres_server", "postgres_url"]


@pytest.fixture
def upgraded(database_url: str) -> str:
    """A database whose tables are there."""
    open_database(database_url, migrate=True).close()
    return database_url


def _clock(request: pytest.FixtureRequest) -> FakeClock | None:
    """The clock of a test that moves it; its waits take no time, so that others have a real one."""
    return request.getfixturevalue("clock") if "clock" in request.fixturenames else None


@pytest.fixture
def jackfield(upgraded: str, request: pytest.FixtureRequest) -> Iterator[Jackfield]:
    """The runtime of a program."""
    with Jackfield(connections=[], database_url=upgraded, clock=_clock(request)) as opened:
        yield opened


@pytest.fixture
def other(upgraded: str, request: pytest.FixtureRequest) -> Iterator[Jackfield]:
    """The runtime of another process, as far as the database knows."""
    with Jackfield(connections=[], database_url=upgraded, clock=_clock(request)) as opened:
        yield opened
