"""What the comparisons of the surfaces leave behind for no other folder's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import queue_surface


@pytest.fixture(scope="module", autouse=True)
def worker_of_vectors() -> Iterator[None]:
    """End the worker of Celery with the module that needed it."""
    yield
    queue_surface.rest()
