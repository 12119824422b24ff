"""Every vector comes to what it expects through MCP."""

from __future__ import annotations

import pytest

from corpus import Vector, vectors
from mcp_surface import takes_mcp
from surfaces import complaints, played


@pytest.mark.parametrize("vector", [vector for vector in vectors() if takes_mcp(vector)], ids=str)
def test_mcp_comes_to_what_the_vector_expects(vector: Vector) -> None:
    """``execute_action``: the Result, ``isError``, calls and what AWS received."""
    found = complaints(vector, played("mcp", vector))
    assert not found, "\n".join([vector.says, *found])
