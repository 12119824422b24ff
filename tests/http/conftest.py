"""A server for the tests of a module, and a client of it; a module with wishes of its own has its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from http_stand import Client, Stand, standing
from two_ways import WAYS, going

TWICE = ("invocations", "shortage", "stopping", "tracing")
"""Modules whose tests run once for each way into ``POST /v1/invocations``."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of some modules both ways."""
    if metafunc.module.__name__.rpartition("test_http_")[2] in TWICE:
        metafunc.parametrize("way", list(WAYS), indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The way that invocations go; None if a module leaves that to its requests."""
    wanted: str | None = getattr(request, "param", None)
    if wanted is None:
        yield None
        return
    with going(wanted):
        yield wanted


@pytest.fixture(scope="module")
def stand(way: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all tests of a module, and each way."""
    with standing(tmp_path_factory.mktemp("http")) as found:
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything."""
    return stand.client()
