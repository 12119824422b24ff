"""The console's audit log: what was done by whom, for visitors who may manage the whole workspace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_console.console_client import Place, placed

from clocks import FakeClock
from jackfield.callers.actor import Actor
from jackfield_store.access import Audit, Tokens


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


def test_who_what_target_and_reason_stand_apart(place: Place) -> None:
    """Each in a column of its own, the target as a link to its page, the details by name."""
    storage, clock = place.host.storage, place.host.clock
    ada = Actor("user", "https://login.example.com#0f3c", "Ada Lovelace")
    log = Audit(storage.database, lambda: storage.vault, "default", clock, ada)
    log.record("approval.declined", "invocation:0199", {"connector": "aws-ses", "why": "people outside of the company"})
    page = place.signed_in().get("/audit?event=approval.declined")
    row = page.text.partition("<tbody")[2].partition("</tr>")[0]
    cells = re.findall(r'data-label="(\w+)"[^>]*>(.*?)</t[dh]>', row, re.DOTALL)
    shown = {name: " ".join(re.sub("<[^>]*>", " ", cell).split()) for name, cell in cells}
    assert {name: shown[name] for name in ("Who", "What", "Target", "Reason", "Details")} == {
        "Who": "Ada Lovelace user:https://login.example.com#0f3c", "What": "approval.declined", "Target": "invocation:0199",
        "Reason": "people outside of the company", "Details": "connector aws-ses",
    }  # fmt: skip
    assert 'href="/invocations/0199"' in row


@pytest.mark.parametrize(
    "query", ["object=billing", "object=BILL", "event=created", "actor=The+web+shop", "event=connection.*", "actor=token:{id}"]
)
def test_entries_are_found_by_a_part_of_what_is_shown(place: Place, query: str) -> None:
    """By a name, a part of it in any case, or the whole key; by who has acted, as the column names him."""
    storage, clock = place.host.storage, place.host.clock
    made = Tokens(storage.database, storage.vault, "default", clock).create("manage", "The web shop").token
    log = Audit(storage.database, lambda: storage.vault, "default", clock, Actor("token", made.id, "The web shop"))
    log.record("connection.created", "connection:billing")
    client = place.signed_in()
    assert "connection:billing" in client.get(f"/audit?{query.format(id=made.id)}").words
    assert "connection:billing" not in client.get("/audit?object=nothing").words
    assert "connection:billing" not in client.get("/audit?actor=web").words
