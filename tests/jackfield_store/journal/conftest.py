"""The databases that tests run on, the fake AWS, and the Python that has its imports done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.jackfield_store.journal.leasing import Process

from fake_aws import FakeAws
from jackfield_store.database import open_database
from postgres import database_url, no_tables, postgres_database, postgres_server, postgres_url
from warm import launchers, warm_python

__all__ = [
    "database_url",
    "launchers",
    "no_tables",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "warm_python",
]


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """The fake AWS."""
    with FakeAws() as fake:
        yield fake


@pytest.fixture
def upgraded(database_url: str) -> str:
    """A database whose tables are there."""
    open_database(database_url, migrate=True).close()
    return database_url


@pytest.fixture
def two(aws: FakeAws, database_url: str) -> Iterator[tuple[Process, Process]]:
    """A process that will be lost, and one that lives."""
    open_database(database_url, migrate=True).close()
    lost, alive = Process(aws.url, database_url), Process(aws.url, database_url)
    yield lost, alive
    for one in (lost, alive):
        one.jackfield.close()
