"""Guard of a connection on its page, and the suppressed recipients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from jackfield.callers import Rules
from jackfield.connector import Outcome
from jackfield.invocation.provider_ids import reference_of
from jackfield.kernel.clock import iso
from jackfield_store.journal.outcomes import note, sealed_outcome


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with the connection ``hall``."""
    with placed(tmp_path) as found:
        found.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
        yield found


def test_a_paused_connection_is_resumed_by_the_operator(place: Place) -> None:
    """The connection's page shows its guard, since when it is paused and by how many bounces; only
    the operator gets the button that sets the guard again. A connection without a guard shows none,
    and a token with rules sees none.
    """
    operator, tenant = place.signed_in(), place.signed_in(token(place, "manage"))
    assert "Guard" not in operator.get("/connections/hall").words
    workspaces = place.host.runtime("default").access.workspaces
    paused = {"at": iso(place.host.clock.time()), "bounces": 7, "complaints": 0, "messages": 1000}
    workspaces.set("default", {"guards": {"hall": {"bounceRate": 0.005, "paused": paused}}})
    for client, may in ((operator, True), (tenant, False)):
        shown = client.get("/connections/hall")
        assert "7 bounces, 0 complaints, 1,000 messages" in shown.words
        assert "0.5 % bounces" in shown.words
        assert ("/connections/hall/guard" in shown.text) is may
    bound = place.signed_in(token(place, "manage", rules=Rules(block=("connection:cellar",))))
    assert "bounces" not in bound.get("/connections/hall").words
    assert tenant.change("/connections/hall", "/connections/hall/guard").status == 403
    assert (
        operator.change("/connections/hall", "/connections/hall/guard").headers["location"]
        == "/connections/hall?done=resumed"
    )
    guard = place.host.runtime("default").access.settings.guards["hall"]
    assert ("paused" in guard, guard["bounceRate"]) == (False, 0.005)
    assert "Paused" not in operator.get("/connections/hall").words.replace("Paused above", "")


def test_suppressed_recipients_are_listed_and_removed(place: Place) -> None:
    """The list names recipient, reason and time; a token that may change things removes one, one
    that reads does not.
    """
    storage, now = place.host.storage, place.host.clock.time()
    bounce = Outcome("failed", severity=50, part="ada@example.com", suppresses="bounce")
    made = sealed_outcome(storage.vault, "default", reference_of("echo", "m-1"), now, bounce)
    storage.database.record(lambda transaction: note(transaction, "default", made))
    client, reader = place.signed_in(token(place, "manage")), place.signed_in(token(place, "read"))
    assert "ada@example.com" in client.get("/suppressions").words
    assert "/suppressions/removal" not in reader.get("/suppressions").text
    gone = {"recipient": "ada@example.com"}
    assert (
        client.change("/suppressions", "/suppressions/removal", **gone).headers["location"]
        == "/suppressions?done=removed"
    )
    assert "Nobody is suppressed." in client.get("/suppressions").words
    assert (
        client.change("/connections", "/suppressions/removal", **gone).headers["location"]
        == "/suppressions?done=gone"
    )
    assert (
        place.signed_in(token(place, "manage", rules=Rules(block=("connection:cellar",))))
        .get("/suppressions")
        .status
        == 403
    )
