"""What is on the ``database`` of the plugin ``postgres``: a vault, workspaces and tokens, with a
clock that tests move.
"""

from __future__ import annotations

import pytest

from clocks import FakeClock
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.database import Database
from jackfield_store.keys import MasterKey, Vault


@pytest.fixture
def vault(database: Database, clock: FakeClock) -> Vault:
    """Its vault."""
    return Vault(database, MasterKey.generate(), clock)


@pytest.fixture
def workspaces(database: Database, vault: Vault, clock: FakeClock) -> Workspaces:
    """Its workspaces."""
    return Workspaces(database, vault, clock)


@pytest.fixture
def tokens(database: Database, vault: Vault, clock: FakeClock) -> Tokens:
    """The tokens of the default workspace."""
    return Tokens(database, vault, "default", clock)
