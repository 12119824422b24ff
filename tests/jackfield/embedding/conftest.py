"""A provider that a host's program calls, and the databases that tests run on."""

from collections.abc import Iterator

import pytest

from host_provider import Provider, providing
from postgres import database_url, no_tables, postgres_database, postgres_server, postgres_url

__all__ = [
    "database_url",
    "no_tables",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "provider",
]


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider on loopback."""
    with providing() as found:
        yield found
