"""Seals of tokens and settings: who can write to the database makes no token and widens no rule; on
SQLite and PostgreSQL.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clocks import FakeClock
from jackfield.callers import Rules
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.access.tokens import new_text
from jackfield_store.connections.connection_table import ConnectionTable
from jackfield_store.database import Database
from jackfield_store.database.faults import RowDamaged
from jackfield_store.keys import Vault
from jackfield_store.keys.sealing import digest

pytest_plugins = ["postgres"]

WIDE = json.dumps({"allow": [], "block": []})


def change(database: Database, statement: str, **values: Any) -> None:
    """Write to the database without the master key."""
    with database.write() as transaction:
        transaction.change(statement, values)


@pytest.mark.parametrize(
    "assignment",
    [
        "scope = 'manage'",
        f"rules = '{WIDE}'",
        "expires_at = NULL",
        "expires_at = 99999999999.0",
        "seal = NULL",
        "name = 'the operator'",
        "created_at = 1.0",
        "workspace = 'acme'",
        "id = 'another'",
    ],
)
def test_a_changed_token_is_refused(
    tokens: Tokens,
    workspaces: Workspaces,
    database: Database,
    vault: Vault,
    clock: FakeClock,
    assignment: str,
) -> None:
    """Whoever writes to the database cannot give a token another scope, other rules, a longer life
    or another workspace.
    """
    workspaces.create("acme")
    made = tokens.create("read", "the shop", Rules(block=("effect:write",)), clock.time() + 60)
    change(database, f"UPDATE tokens SET {assignment}")
    with pytest.raises(RowDamaged, match="was changed, or cannot be read"):
        Tokens.authenticate(database, vault, clock, made.text)
    workspace = "acme" if assignment.startswith("workspace") else "default"
    (listed,), _ = Tokens(database, vault, workspace, clock).list()
    assert (listed.damage is not None, listed.rules.block) == (True, ("*",))


def test_a_token_that_somebody_inserts_is_refused(
    tokens: Tokens, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A row of one's own has no seal; that of another token does not fit."""
    tokens.create("manage")
    for seal in ("NULL", "seal"):
        text = new_text()
        statement = (
            "INSERT INTO tokens (workspace, id, name, scope, digest, rules, created_at, seal)"
            f" SELECT workspace, :id, name, 'manage', :digest, rules, created_at, {seal} FROM "
            "tokens LIMIT 1"
        )
        change(database, statement, id=f"forged-{seal}", digest=digest(text))
        with pytest.raises(RowDamaged):
            Tokens.authenticate(database, vault, clock, text)


def test_a_revoked_token_stays_revoked(
    tokens: Tokens, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """The revocation is sealed, too; revoking does not heal what somebody has changed."""
    made, other = tokens.create("manage"), tokens.create("read")
    tokens.revoke(made.token.id)
    change(database, "UPDATE tokens SET revoked_at = NULL WHERE id = :id", id=made.token.id)
    with pytest.raises(RowDamaged):
        Tokens.authenticate(database, vault, clock, made.text)
    change(database, "UPDATE tokens SET scope = 'manage' WHERE id = :id", id=other.token.id)
    tokens.revoke(other.token.id)
    change(database, "UPDATE tokens SET revoked_at = NULL WHERE id = :id", id=other.token.id)
    with pytest.raises(RowDamaged):
        Tokens.authenticate(database, vault, clock, other.text)


@pytest.mark.parametrize(
    "settings", ["{}", '{"allowAmbient": true}', '{"rules": {"allow": [], "block": []}}']
)
@pytest.mark.parametrize(
    "seal", ["seal", "NULL", "(SELECT seal FROM workspaces WHERE name = 'other')"]
)
def test_changed_settings_allow_nothing(
    workspaces: Workspaces,
    database: Database,
    vault: Vault,
    clock: FakeClock,
    settings: str,
    seal: str,
) -> None:
    """Whoever writes to the database cannot widen a workspace's rules, nor let its connections use
    the server's identity.
    """
    workspaces.create("other")
    workspaces.create("acme", {"rules": {"block": ["effect:write"]}})
    change(
        database,
        f"UPDATE workspaces SET settings = :settings, seal = {seal} WHERE name = 'acme'",
        settings=settings,
    )
    with pytest.raises(RowDamaged, match="the settings of the workspace 'acme'"):
        workspaces.find("acme")
    with pytest.raises(RowDamaged):
        workspaces.set("acme", {"keepInputs": True})
    with pytest.raises(RowDamaged):
        ConnectionTable(database, lambda: vault, "acme", clock).access()
    made = Tokens(database, vault, "acme", clock).create("invoke")
    from jackfield.callers import Request

    with pytest.raises(RowDamaged):
        Tokens(database, vault, "acme", clock).explain(
            made.token.id, Request("echo", "say", "write")
        )
    damaged = next(found for found in workspaces.list() if found.name == "acme")
    assert (damaged.damage is not None, damaged.settings.rules.block) == (True, ("*",))


def test_rotated_keys_open_the_seals(
    tokens: Tokens, workspaces: Workspaces, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """After ``keys rotate`` with new data keys, tokens and settings are read as before, and changed
    ones are sealed with the new key.
    """
    workspaces.create("acme", {"rules": {"block": ["effect:write"]}})
    made = tokens.create("read")
    vault.rotate(data_keys=True)
    assert Tokens.authenticate(database, vault, clock, made.text) == made.token
    assert workspaces.set("acme", {"keepInputs": True}).settings.rules.block == ("effect:write",)
    tokens.revoke(made.token.id)
    assert Tokens.authenticate(database, vault, clock, made.text) is None
