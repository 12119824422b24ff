"""Functions with an effect that one test declares: the process forgets them after it."""

from __future__ import annotations

import pytest

from jackfield.boundary import actions
from jackfield.catalog import Catalog


@pytest.fixture
def own_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has no functions but those of the test."""
    monkeypatch.setattr(Catalog, "own", ())
    monkeypatch.setattr(actions, "FUNCTIONS", {})
