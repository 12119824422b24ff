"""Parsing all of our modules makes millions of objects, none of them garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def collector_at_rest() -> Iterator[None]:
    """Look for no garbage while modules are parsed and judged, and never in what is kept: it takes
    three times as long as parsing.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
