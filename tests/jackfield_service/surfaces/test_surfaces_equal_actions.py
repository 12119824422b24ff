"""The vectors of what the actions of SES do, through every surface: a module of their own, so that
two workers share the corpus.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.jackfield_service.surfaces.surfaces import GROUPS_OF_CALLS, disagreements, parameters

from corpus import Vector

pytest_plugins = ["warm"]


@pytest.mark.parametrize("given", parameters(lambda group: group not in GROUPS_OF_CALLS))
def test_surfaces_give_equal_results_of_actions(
    given: Sequence[tuple[Vector, tuple[str, ...]]],
) -> None:
    """A vector of an action gives what it says through every surface that can express it, and the
    same Result through all of them.
    """
    assert [found for vector, surfaces in given for found in disagreements(vector, surfaces)] == []
