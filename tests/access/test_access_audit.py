"""The audit log: what is recorded, by whom, and how a change of the log is found; on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import threading
from contextlib import suppress

import pytest

from clocks import FakeClock
from jackfield.access import Actor, Audit, Rules, Tokens, Workspaces
from jackfield.database import Database, Vault
from jackfield.errors import InvalidInvocation, Unavailable

pytest_plugins = ["postgres"]

ADA = Actor("cli", "ada")


@pytest.fixture
def audit(database: Database, clock: FakeClock) -> Audit:
    """The audit log of the default workspace."""
    return Audit(database, "default", clock, ADA)


def _events(audit: Audit) -> list[str]:
    return [entry.about["event"] for entry in audit.all()]


def test_entries_are_listed_newest_first_and_filtered(audit: Audit, database: Database, clock: FakeClock) -> None:
    """A list has the newest entry first, goes on at its cursor, and filters by actor, object and event."""
    for number in range(5):
        audit.record("connection.created", f"connection:c{number}", {"type": "echo/key"})
    Audit(database, "default", clock, Actor("token", "t1", "shop")).record("connection.removed", "connection:c1")
    page, cursor = audit.list(limit=4)
    assert [entry.sequence for entry in page] == [6, 5, 4, 3]
    rest, end = audit.list(limit=4, cursor=cursor)
    assert ([entry.sequence for entry in rest], end) == ([2, 1], None)
    assert [entry.sequence for entry in audit.list(actor="token:t1")[0]] == [6]
    assert [entry.sequence for entry in audit.list(target="connection:c1")[0]] == [6, 2]
    assert [entry.sequence for entry in audit.list(event="connection.rem*")[0]] == [6]
    assert audit.list(event="connection%*")[0] == []
    assert page[0].to_json()["actor"] == {"kind": "token", "id": "t1", "name": "shop"}


def test_an_untouched_log_is_whole(audit: Audit) -> None:
    """Verification of an untouched log finds no fault, empty or not, and a kept head still fits later."""
    assert audit.verify().to_json() == {"whole": True, "entries": 0, "head": "0:" + "0" * 64}
    audit.record("token.created", "token:1")
    head = audit.verify().head
    for _ in range(3):
        audit.record("token.revoked", "token:1")
    assert audit.verify(head).fault is None
    assert audit.verify().entries == 4


FORGED = """INSERT INTO audit_entries (workspace, sequence, actor, event, object, entry, digest)
VALUES ('default', {sequence}, 'cli:root', 'connection.removed', 'connection:forged', '{{}}', 'ffff')"""
TAMPERING = [
    ("UPDATE audit_entries SET entry = REPLACE(entry, 'ada', 'bob') WHERE sequence = 2", "entry 2 was changed"),
    ("UPDATE audit_entries SET actor = 'cli:bob' WHERE sequence = 2", "entry 2 has columns that differ"),
    ("UPDATE audit_entries SET digest = 'x' WHERE sequence = 2", "entry 2 was changed"),
    ("DELETE FROM audit_entries WHERE sequence = 2", "entry 2 is missing"),
    ("DELETE FROM audit_entries WHERE sequence = 1", "entry 1 is missing"),
    ("DELETE FROM audit_entries WHERE sequence >= 4", "entries at the end were removed"),
    ("DELETE FROM audit_entries", "entries at the end were removed"),
    ("DELETE FROM audit_heads", "its head is entry 0"),
    (FORGED.format(sequence=5), "entry 5 was changed"),
    (FORGED.format(sequence=9), "entry 9 was inserted"),
    (FORGED.format(sequence=0), "entry 0 was inserted"),
    (FORGED.format(sequence=-7), "entry -7 was inserted"),
]


@pytest.mark.parametrize(("statement", "fault"), TAMPERING)
def test_tampering_is_found(audit: Audit, database: Database, statement: str, fault: str) -> None:
    """Verification names the first entry that was changed or removed."""
    for number in range(4):
        audit.record("connection.created", f"connection:c{number}")
    with database.write() as transaction:
        transaction.change(statement)
    assert fault in str(audit.verify().fault)


def test_a_forged_entry_in_the_way_is_named(audit: Audit, database: Database) -> None:
    """An inserted entry that has the next number stops further changes with words that name it."""
    audit.record("connection.created", "connection:c")
    with database.write() as transaction:
        transaction.change(FORGED.format(sequence=2))
    with pytest.raises(Unavailable, match="entry 2 exists already"):
        audit.record("connection.created", "connection:d")


def test_a_rewritten_log_is_found_by_a_kept_head(audit: Audit, database: Database, clock: FakeClock) -> None:
    """A chain that was recomputed from the start fits itself, and not the head that was kept elsewhere."""
    for number in range(3):
        audit.record("connection.created", f"connection:c{number}")
    head = audit.verify().head
    with database.write() as transaction:
        transaction.change("DELETE FROM audit_entries")
        transaction.change("DELETE FROM audit_heads")
    forger = Audit(database, "default", clock, Actor("cli", "mallory"))
    for number in range(3):
        forger.record("connection.created", f"connection:c{number}")
    assert audit.verify().fault is None
    assert "rewritten" in str(audit.verify(head).fault)
    with pytest.raises(InvalidInvocation):
        audit.verify("yesterday")


def test_writers_at_once_make_one_chain(database: Database, clock: FakeClock) -> None:
    """Entries of many threads at once form one chain without gaps, and each workspace has its own."""

    def write(number: int) -> None:
        Audit(database, f"w{number % 2}", clock, Actor("token", str(number))).record("connection.tested", "connection:c")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for workspace in ("w0", "w1"):
        state = Audit(database, workspace, clock).verify()
        assert (state.fault, state.entries) == (None, 8)


def test_a_change_that_fails_leaves_no_entry(audit: Audit, database: Database) -> None:
    """The entry is part of the transaction of its change: undone with it."""
    with suppress(RuntimeError), database.write() as transaction:
        audit.append(transaction, "connection.created", "connection:c")
        raise RuntimeError
    assert _events(audit) == []
    audit.record("connection.created", "connection:d")
    assert audit.verify().entries == 1


def test_tokens_are_recorded(audit: Audit, database: Database, vault: Vault, clock: FakeClock) -> None:
    """Creating and revoking a token is recorded with its scope and rules, never with its text; revoking it again is not."""
    tokens = Tokens(database, vault, "default", clock, ADA)
    made = tokens.create("invoke", "the shop", Rules((), ("effect:write",)))
    tokens.revoke(made.token.id)
    tokens.revoke(made.token.id)
    assert _events(audit) == ["token.created", "token.revoked"]
    text = json.dumps([entry.to_json() for entry in audit.all()])
    assert "the shop" in text
    assert "effect:write" in text
    assert made.text not in text
    assert next(audit.all()).about["actor"] == {"kind": "cli", "id": "ada"}


def test_workspaces_are_recorded(database: Database, vault: Vault, clock: FakeClock) -> None:
    """Creating a workspace, and a change of its settings, are recorded in its own log with the values before and after."""
    workspaces = Workspaces(database, vault, clock, ADA)
    workspaces.create("acme")
    workspaces.acting_as(Actor("token", "t1")).set("acme", {"keepInputs": True, "rules": {"block": ["effect:write"]}})
    created, changed = Audit(database, "acme", clock).all()
    assert created.about["event"] == "workspace.created"
    assert changed.about["actor"] == {"kind": "token", "id": "t1"}
    assert changed.about["details"]["before"]["keepInputs"] is False
    assert changed.about["details"]["after"]["keepInputs"] is True
    assert changed.about["details"]["after"]["rules"]["block"] == ["effect:write"]
