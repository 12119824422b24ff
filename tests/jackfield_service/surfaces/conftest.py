"""What the comparisons of the surfaces leave behind for no other folder's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.surfaces import queue_surface

import jackfield


@pytest.fixture(scope="module", autouse=True)
def worker_of_vectors() -> Iterator[None]:
    """End the worker of Celery with the module that needed it."""
    yield
    queue_surface.rest()


@pytest.fixture(autouse=True)
def forks(request: pytest.FixtureRequest) -> None:
    """Fork the processes of the surface ``cli-process`` from a warm one; where wheels are tested,
    they begin cold.
    """
    in_tree = Path(jackfield.__file__).is_relative_to(Path(__file__).parents[3] / "runtime")
    given = request.getfixturevalue("given") if "given" in request.fixturenames else ()
    if in_tree and any("cli-process" in surfaces for _, surfaces in given):
        request.getfixturevalue("warm_python")
