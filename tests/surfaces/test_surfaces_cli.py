"""Every vector comes to what it expects through the command line."""

from __future__ import annotations

import pytest

from corpus import Vector, vectors
from surfaces import complaints, played


@pytest.mark.parametrize("vector", vectors(), ids=str)
def test_command_comes_to_what_the_vector_expects(vector: Vector) -> None:
    """``invoke --file``: exit code, Result, calls and what AWS received; stdout is one line of JSON and stderr holds no traceback."""
    found = complaints(vector, played("cli", vector))
    assert not found, "\n".join([vector.says, *found])
