"""Children that start at once, but for the tests of how they start."""

from collections.abc import Iterator

import pytest

from ready_children import children_forked


@pytest.fixture(scope="package", autouse=True)
def forked_children() -> Iterator[None]:
    """Fork the children of isolated connectors from one that is ready."""
    with children_forked():
        yield
