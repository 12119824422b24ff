"""A server for the tests of a module, and a client of it; a module with wishes of its own has its
own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from tests.jackfield_service.shell.http.two_ways import WAYS, going

from http_stand import Client, Stand, standing
from postgres import database_of, postgres_server

__all__ = ["postgres_server"]
ENGINES = ("SQLite", "PostgreSQL")
ON_BOTH = ("connect_attacks", "invocations", "tenant_limits", "two_ways", "workspaces")
"""Modules whose tests of ``stand`` run once for each engine."""
ABOVE_SQL = ("invocations", "two_ways")
"""Those of them whose statements are those of the journal's tests: on PostgreSQL in campaigns."""
ON_POSTGRESQL = {
    "connect_attacks": [
        "test_a_person_approves_and_is_confirmed",
        "test_a_proof_is_used_twice",
        "test_a_session_ends_by_itself",
    ]
}
"""Of a module of which only some tests have statements of their own: these."""
TWICE = ("invocations", "shortage", "stopping", "tracing")
"""Modules whose tests run once for each way into ``POST /v1/invocations``."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of some modules both ways, but for those that name theirs, and on both
    engines.
    """
    name = metafunc.module.__name__.rpartition("test_http_")[2]
    named = any(
        "way" in marker.args[0] for marker in metafunc.definition.iter_markers("parametrize")
    )
    if not named and name in TWICE:
        metafunc.parametrize("way", list(WAYS), indirect=True, scope="module")
    if name in ON_BOTH and "engine" in metafunc.fixturenames:
        above = name in ABOVE_SQL or metafunc.function.__name__ not in ON_POSTGRESQL.get(
            name, [metafunc.function.__name__]
        )
        marks = [pytest.mark.campaign] if above else []
        engines = [ENGINES[0], pytest.param(ENGINES[1], marks=marks)]
        metafunc.parametrize("engine", engines, indirect=True, scope="module")


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
def engine(request: pytest.FixtureRequest) -> str:
    """The engine of the server's database."""
    return getattr(request, "param", ENGINES[0])


@pytest.fixture(scope="module")
def stand(
    request: pytest.FixtureRequest,
    way: str | None,
    engine: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stand]:
    """One server for all tests of a module, each way, and each engine."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(
            standing(tmp_path_factory.mktemp("http"), **database_of(request, engine, stack))
        )


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything."""
    return stand.client()
