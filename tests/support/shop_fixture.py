"""The fixtures of ``shell_fixture`` and ``shop``, for test modules that say ``pytest_plugins = ["shop_fixture"]``."""

from __future__ import annotations

from pathlib import Path

import pytest

from shell import Shell
from storefront import Storefront

pytest_plugins = ["shell_fixture"]


@pytest.fixture
def shop(shell: Shell, home: Path) -> Storefront:
    """A catalogue with acme 1.0.0, and a data folder."""
    home.mkdir()
    store = Storefront(shell).open()
    store.add()
    return store
