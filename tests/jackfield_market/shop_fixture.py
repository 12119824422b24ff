"""The fixtures of ``shell_fixture`` and ``shop``, for test modules that name this one in
``pytest_plugins``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.jackfield_market.storefront import Storefront

from shell import Shell

pytest_plugins = ["shell_fixture"]


@pytest.fixture
def shop(shell: Shell, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Storefront:
    """A catalogue with acme 1.0.0, and a data folder. The first one of a process is made, each
    other one is its copy.
    """
    home.mkdir()
    made = tmp_path_factory.getbasetemp() / "shop"
    if made.exists():
        return Storefront.copied(shell, made)
    store = Storefront(shell).open()
    store.add()
    assert not any(home.iterdir())
    shutil.copytree(shell.folder, made)
    return store
