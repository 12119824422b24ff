"""A server for the tests of a module, and a client of it; a module with wishes of its own has its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from http_stand import Client, Stand, standing


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all tests of a module."""
    with standing(tmp_path_factory.mktemp("http")) as found:
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything."""
    return stand.client()
