"""The fixture ``site``, for test modules that say ``pytest_plugins = ["connect_place"]``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from connect_attacked import Attacked, attacked
from postgres import Server


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """One server and one provider for all attacks, for each engine."""
    with contextlib.ExitStack() as stack:
        environment: dict[str, Any] = {}
        if engine == "PostgreSQL":
            server: Server = request.getfixturevalue("postgres_server")
            environment["JACKFIELD_DATABASE_URL"] = url = server.create(server.template())
            stack.callback(server.drop, url)
        yield stack.enter_context(attacked(tmp_path_factory.mktemp("attacks"), environment))


@pytest.fixture
def site(place: Attacked) -> Attacked:
    """The place, with nothing connected."""
    place.authority.exchanged.clear()
    connections = place.stand.host.runtime("acme-1").connections
    for row in connections.list().items:
        connections.remove(str(row["name"]))
    return place
