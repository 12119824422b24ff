"""The fixture ``site``, for test modules that say ``pytest_plugins =
["tests.jackfield_service.subjects.connect.connect_place"]``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import Attacked, attacked

from postgres import database_of


@pytest.fixture(scope="module")
def place(
    request: pytest.FixtureRequest, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Attacked]:
    """One server and one provider for all attacks, for each engine."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(
            attacked(tmp_path_factory.mktemp("attacks"), database_of(request, engine, stack))
        )


@pytest.fixture
def site(place: Attacked) -> Attacked:
    """The place, with nothing connected."""
    place.authority.exchanged.clear()
    connections = place.stand.host.runtime("acme-1").connections
    for name in place.stored():
        connections.remove(name)
    return place
