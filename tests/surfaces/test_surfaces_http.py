"""Every vector comes to what it expects through the HTTP API."""

from __future__ import annotations

import pytest

from corpus import Vector, vectors
from http_surface import takes_http
from surfaces import complaints, played


@pytest.mark.parametrize("vector", [vector for vector in vectors() if takes_http(vector)], ids=str)
def test_http_comes_to_what_the_vector_expects(vector: Vector) -> None:
    """``POST /v1/invocations``: the Result, the status of its code, calls and what AWS received."""
    found = complaints(vector, played("http", vector))
    assert not found, "\n".join([vector.says, *found])
