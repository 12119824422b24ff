"""Seals of the console's sessions and one-time links: who can write to the database cannot sign in;
on SQLite and PostgreSQL.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from clocks import FakeClock
from jackfield_store.access import Workspaces
from jackfield_store.access.sessions import Sessions
from jackfield_store.database import Database
from jackfield_store.keys import Vault

pytest_plugins = ["postgres"]

_INSERT = """
INSERT INTO console_sessions (workspace, digest, kind, identity, created_at, seen_at, expires_at)
VALUES (:workspace, :digest, :kind, :identity, :now, :now, :until)
"""


@pytest.fixture
def sessions(database: Database, vault: Vault, clock: FakeClock) -> Sessions:
    """The sessions of the default workspace."""
    return Sessions(database, lambda: vault, "default", clock)


def change(database: Database, statement: str, **values: Any) -> None:
    """Write to the database without the master key, or as the version before does, which knows no
    seal of a session.
    """
    with database.write() as transaction:
        transaction.change(statement, values)


def forged(database: Database, clock: FakeClock, kind: str, identity: dict[str, str]) -> str:
    """Insert a row of one's own; returns its secret."""
    secret, now = "a-secret-of-my-own", clock.time()
    values = {
        "workspace": "default",
        "digest": hashlib.sha256(secret.encode()).hexdigest(),
        "kind": kind,
        "now": now,
        "until": now + 500,
    }
    change(database, _INSERT, **values, identity=json.dumps(identity))
    return secret


@pytest.mark.parametrize(
    "identity",
    [
        {"by": "link"},
        {"by": "jwt", "id": "u", "scope": "manage", "name": "me"},
        {"by": "token", "id": "t"},
    ],
)
def test_a_session_that_somebody_inserts_signs_nobody_in(
    sessions: Sessions, database: Database, clock: FakeClock, identity: dict[str, str]
) -> None:
    """A row of one's own in ``console_sessions`` was a session with the scope ``manage``; so is one
    that a process of the version before writes beside, whose visitor signs in again here.
    """
    assert sessions.find(forged(database, clock, "session", identity)) is None


def test_a_link_that_somebody_inserts_signs_nobody_in(
    sessions: Sessions, database: Database, clock: FakeClock
) -> None:
    """A row of one's own was a one-time link to the scope ``manage``."""
    assert not sessions.spend_link(forged(database, clock, "link", {}))


@pytest.mark.parametrize(
    "assignment",
    [
        """identity = '{"by": "link"}'""",
        "expires_at = 99999999999.0",
        "created_at = 1.0",
        "seal = NULL",
        "workspace = 'acme'",
        "seal = (SELECT seal FROM console_sessions WHERE kind = 'link')",
    ],
)
def test_a_changed_session_is_over(
    sessions: Sessions,
    workspaces: Workspaces,
    database: Database,
    vault: Vault,
    clock: FakeClock,
    assignment: str,
) -> None:
    """A session of a token with few rights cannot be made one of the operator, last longer, or move
    to another workspace.
    """
    workspaces.create("acme")
    sessions.make_link()
    secret = sessions.begin({"by": "token", "id": "t-1"})
    change(database, f"UPDATE console_sessions SET {assignment} WHERE kind = 'session'")
    workspace = "acme" if assignment.startswith("workspace") else "default"
    assert Sessions(database, lambda: vault, workspace, clock).find(secret) is None


def test_a_link_is_not_made_of_a_session_nor_lives_longer(
    sessions: Sessions, database: Database, clock: FakeClock
) -> None:
    """Whoever has a session cannot turn its row into a link, which signs in as the operator; nor
    can an expired link be used again.
    """
    secret, late = sessions.begin({"by": "token", "id": "t-1"}), sessions.make_link()
    change(database, "UPDATE console_sessions SET kind = 'link' WHERE kind = 'session'")
    assert not sessions.spend_link(secret)
    clock.advance(3600)
    change(database, "UPDATE console_sessions SET expires_at = :until", until=clock.time() + 3600)
    assert not sessions.spend_link(late)


def test_a_session_outlives_the_rotation_of_keys(sessions: Sessions, vault: Vault) -> None:
    """After ``keys rotate`` with new data keys, who is signed in stays so."""
    secret = sessions.begin({"by": "link"})
    vault.rotate(data_keys=True)
    assert sessions.find(secret) is not None
