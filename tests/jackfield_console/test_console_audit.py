"""The console's audit log: what was done by whom, for visitors who may manage the whole workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_console.console_client import Place, placed

from clocks import FakeClock


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a clock that stands still."""
    with placed(tmp_path, FakeClock()) as found:
        yield found


def test_sign_ins_are_shown(place: Place) -> None:
    """Whoever signs in by the one-time link finds their own sign-in in the audit log, and can filter for it."""
    client = place.client()
    client.get(place.link())
    shown = client.get("/audit")
    assert shown.status == 200
    assert "session.started" in shown.words
    assert "one-time link" in shown.words
    assert "session.started" not in client.get("/audit?event=token.created").words
    assert "Audit log" in client.get("/").words
