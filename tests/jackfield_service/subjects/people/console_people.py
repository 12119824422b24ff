"""The fixtures ``provider`` and ``place``: a console whose people sign in at a provider on
loopback, for modules that say ``pytest_plugins =
["tests.jackfield_service.subjects.people.console_people"]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed
from tests.jackfield_service.shell.pages.identity_provider import (
    CLIENT,
    SECRET,
    Provider,
    grant,
    providing,
)

from clocks import FakeClock
from jackfield_service.shell.identity.identity_providers import Oidc


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider on loopback."""
    with providing() as found:
        yield found


@pytest.fixture
def place(tmp_path: Path, clock: FakeClock, provider: Provider) -> Iterator[Place]:
    """A console with that provider, whose support may operate."""
    with placed(tmp_path, clock, oidc=Oidc(provider.issuer, CLIENT, SECRET)) as found:
        grant(found, "operator", group="support")
        yield found
