"""The audit log: what is recorded, by whom, and how a change of the log is found; on SQLite and
PostgreSQL.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress

import pytest

from clocks import FakeClock
from jackfield.callers import Rules
from jackfield.callers.actor import Actor
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield_store.access import Audit, Tokens, Workspaces
from jackfield_store.database import Database, WrongMasterKey
from jackfield_store.keys import MasterKey, Vault

pytest_plugins = ["postgres"]

ADA = Actor("cli", "ada")


@pytest.fixture
def audit(database: Database, vault: Vault, clock: FakeClock) -> Audit:
    """The audit log of the default workspace."""
    return Audit(database, lambda: vault, "default", clock, ADA)


def _events(audit: Audit) -> list[str]:
    return [entry.about["event"] for entry in audit.all()]


def test_entries_are_listed_newest_first_and_filtered(
    audit: Audit, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A list has the newest entry first, goes on at its cursor, and filters by actor, object and
    event.
    """
    for number in range(5):
        audit.record("connection.created", f"connection:c{number}", {"type": "echo/key"})
    Audit(database, lambda: vault, "default", clock, Actor("token", "t1", "shop")).record(
        "connection.removed", "connection:c1"
    )
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
    """Verification of an untouched log finds no fault, empty or not, and a kept head still fits
    later.
    """
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
    (
        "UPDATE audit_entries SET entry = REPLACE(entry, 'ada', 'bob') WHERE sequence = 2",
        "entry 2 was changed",
    ),
    (
        "UPDATE audit_entries SET actor = 'cli:bob' WHERE sequence = 2",
        "entry 2 has columns that differ",
    ),
    ("UPDATE audit_entries SET digest = 'x' WHERE sequence = 2", "entry 2 was changed"),
    ("DELETE FROM audit_entries WHERE sequence = 2", "entry 2 is missing"),
    ("DELETE FROM audit_entries WHERE sequence = 1", "entry 1 is missing"),
    ("DELETE FROM audit_entries WHERE sequence >= 4", "entries at the end were removed"),
    ("DELETE FROM audit_entries", "entries at the end were removed"),
    ("DELETE FROM audit_heads", "its head is entry 0"),
    ("UPDATE audit_heads SET seal = NULL", "its head, entry 4, is not sealed"),
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


def test_a_rewritten_log_is_found_by_a_kept_head(
    audit: Audit, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A chain that was recomputed from the start fits itself, and not the head that was kept
    elsewhere.
    """
    for number in range(3):
        audit.record("connection.created", f"connection:c{number}")
    head = audit.verify().head
    with database.write() as transaction:
        transaction.change("DELETE FROM audit_entries")
        transaction.change("DELETE FROM audit_heads")
    forger = Audit(database, lambda: vault, "default", clock, Actor("cli", "mallory"))
    for number in range(3):
        forger.record("connection.created", f"connection:c{number}")
    assert audit.verify().fault is None  # by a jackfield that had the master key
    assert "rewritten" in str(audit.verify(head).fault)
    with pytest.raises(InvalidInvocation):
        audit.verify("yesterday")


def test_writers_at_once_make_one_chain(database: Database, vault: Vault, clock: FakeClock) -> None:
    """Entries of many threads at once form one chain without gaps, and each workspace has its
    own.
    """

    def write(number: int) -> None:
        Audit(database, lambda: vault, f"w{number % 2}", clock, Actor("token", str(number))).record(
            "connection.tested", "connection:c"
        )

    for name in ("w0", "w1"):
        Workspaces(database, vault, clock).create(name)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for workspace in ("w0", "w1"):
        state = Audit(database, lambda: vault, workspace, clock).verify()
        assert (state.fault, state.entries) == (None, 9)


def _log(database: Database, vault: Vault, clock: FakeClock, name: str = "acme") -> Audit:
    """A log of three entries, of a workspace of its own."""
    Workspaces(database, vault, clock).create(name)
    log = Audit(database, lambda: vault, name, clock, ADA)
    for number in range(2):
        log.record("connection.created", f"connection:c{number}")
    return log


def _cut(database: Database, workspace: str, last: int) -> None:
    """Cut a log as somebody does who can write to the database: its head fits."""
    with database.write() as transaction:
        of = {"workspace": workspace, "last": last}
        transaction.change(
            "DELETE FROM audit_entries WHERE workspace = :workspace AND sequence > :last", of
        )
        digest = (
            "(SELECT digest FROM audit_entries WHERE workspace = :workspace AND sequence = :last)"
        )
        transaction.change(
            f"UPDATE audit_heads SET sequence = :last, digest = {digest} WHERE workspace = "
            ":workspace",
            of,
        )


def test_a_cut_log_is_found_without_a_kept_head(
    database: Database, vault: Vault, clock: FakeClock
) -> None:
    """Who has no master key cannot seal the head of a log that he has cut. What is recorded later
    does not heal it, and says where.
    """
    log = _log(database, vault, clock)
    _cut(database, "acme", 2)
    assert "its head, entry 2, is not sealed" in str(log.verify().fault)
    log.record("connection.created", "connection:later")
    log.record("connection.created", "connection:later still")
    assert "entry 3 follows a head that was not sealed" in str(log.verify().fault)
    assert [entry.to_json().get("unsealed") for entry in log.all()] == [None, None, True, None]


def test_a_log_that_was_taken_away_is_missed(
    database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A workspace without any log is not one with an empty log, also once something was recorded
    again.
    """
    log = _log(database, vault, clock)
    with database.write() as transaction:
        transaction.change("DELETE FROM audit_entries")
        transaction.change("DELETE FROM audit_heads")
    assert "the log has no head" in str(log.verify().fault)
    log.record("connection.created", "connection:later")
    assert "entry 1 follows a head that was not sealed" in str(log.verify().fault)


def test_an_added_entry_is_not_sealed(database: Database, vault: Vault, clock: FakeClock) -> None:
    """An entry that fits the chain, and a head that fits the entry, are found where somebody
    without the master key has written them.
    """
    log = _log(database, vault, clock)
    forger = Vault(database, MasterKey.generate(), clock)
    with pytest.raises(WrongMasterKey):
        Audit(database, lambda: forger, "acme", clock).record("connection.removed", "connection:c1")
    values = log.values(
        (4, log.head().partition(":")[2]), "connection.removed", "connection:c1", None
    )
    with database.write() as transaction:
        columns = ("workspace", "sequence", "actor", "event", "object", "entry", "digest")
        places = ", ".join(f":{column}" for column in columns)
        transaction.change(
            f"INSERT INTO audit_entries ({', '.join(columns)}) VALUES ({places})", values
        )
        transaction.change(
            "UPDATE audit_heads SET sequence = 4, digest = :digest WHERE workspace = 'acme'", values
        )
    assert "its head, entry 4, is not sealed" in str(log.verify().fault)


def test_the_head_of_another_log_does_not_fit(
    database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A seal holds for one workspace: that of another cannot be moved."""
    log, other = (_log(database, vault, clock, name) for name in ("acme", "beta"))
    with database.write() as transaction:
        transaction.change(
            "UPDATE audit_heads SET seal = (SELECT seal FROM audit_heads WHERE workspace = "
            "'beta') WHERE workspace = 'acme'"
        )
    assert "is not sealed" in str(log.verify().fault)
    assert other.verify().fault is None


def test_a_kept_head_vouches_for_what_is_before_it(
    database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A head that was kept outside takes the place of the seals up to it, so that a settled fault
    is not reported for ever; later ones still are.
    """
    log = _log(database, vault, clock)
    _cut(database, "acme", 2)
    with pytest.raises(
        Unavailable, match="cannot be vouched for: its head, entry 2, is not sealed"
    ):
        log.head()
    assert log.verify(log.verify().head).fault is None
    log.record("connection.created", "connection:later")
    kept = log.head()
    assert log.verify(kept).fault is None
    log.record("connection.created", "connection:last")
    assert log.verify(kept).fault is None
    assert "entry 3 follows" in str(log.verify(f"2:{[*log.all()][1].digest}").fault)
    _cut(database, "acme", 3)
    log.record("connection.created", "connection:after the cut")
    assert "entry 4 follows" in str(log.verify(kept).fault)


def test_a_log_is_verified_without_the_master_key_as_far_as_it_goes(
    database: Database, vault: Vault, clock: FakeClock
) -> None:
    """``db check`` without the master key judges the chain, and leaves the seals."""
    _log(database, vault, clock)
    blind = Audit(database, lambda: Vault(database, MasterKey.generate(), clock), "acme", clock)
    assert blind.verify(seals=False).fault is None
    with pytest.raises(WrongMasterKey):
        blind.verify()


def test_a_change_that_fails_leaves_no_entry(audit: Audit, database: Database) -> None:
    """The entry is part of the transaction of its change: undone with it."""
    with suppress(RuntimeError), database.write() as transaction:
        audit.append(transaction, "connection.created", "connection:c")
        raise RuntimeError
    assert _events(audit) == []
    audit.record("connection.created", "connection:d")
    assert audit.verify().entries == 1


def test_tokens_are_recorded(
    audit: Audit, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """Creating and revoking a token is recorded with its scope and rules, never with its text;
    revoking it again is not.
    """
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
    """Creating a workspace, and a change of its settings, are recorded in its own log with the
    values before and after.
    """
    workspaces = Workspaces(database, vault, clock, ADA)
    workspaces.create("acme")
    workspaces.acting_as(Actor("token", "t1")).set(
        "acme", {"keepInputs": True, "rules": {"block": ["effect:write"]}}
    )
    created, changed = Audit(database, lambda: vault, "acme", clock).all()
    assert created.about["event"] == "workspace.created"
    assert changed.about["actor"] == {"kind": "token", "id": "t1"}
    assert changed.about["details"]["before"]["keepInputs"] is False
    assert changed.about["details"]["after"]["keepInputs"] is True
    assert changed.about["details"]["after"]["rules"]["block"] == ["effect:write"]


def test_a_damaged_key_of_the_operator_stops_no_other_workspace(
    database: Database, vault: Vault, clock: FakeClock
) -> None:
    """Acts elsewhere are recorded while nobody has the key of the seals, and count as unsealed."""
    log = _log(database, vault, clock)
    with database.write() as transaction:
        transaction.change(
            "UPDATE data_keys SET wrapped = :wrapped WHERE workspace = 'default'",
            {"wrapped": b"x" * 60},
        )
    later = Audit(database, lambda: Vault(database, vault.ring, clock), "acme", clock, ADA)
    assert "the seal of its head cannot be judged: the data key" in str(later.verify().fault)
    later.record("connection.created", "connection:later")
    assert "entry 4 follows a head that was not sealed" in str(later.verify().fault)
    assert log.verify(seals=False).fault is None
