"""Tokens and settings of an older jackfield: sealed once, in the transaction of the migration, and never later."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from clocks import FakeClock
from jackfield.callers import Rules
from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.access.tokens import new_text
from jackfield_store.database import open_database
from jackfield_store.database.faults import RowDamaged
from jackfield_store.database.migrations import Migrations, known_migrations
from jackfield_store.keys.sealing import digest
from jackfield_store.resources.storage import Storage
from jackfield_store.resources.verify import Contents

_BEFORE = 22
_TOKEN = """
INSERT INTO tokens (workspace, id, name, scope, digest, rules, created_at, expires_at)
VALUES ('default', :id, 'the shop', 'invoke', :digest, :rules, 1.5, NULL)
"""


def old(url: str) -> str:
    """A database as the version before has it, with a token and a workspace; returns the token's text."""
    text = new_text()
    with open_database(url, migrate=None) as database:
        Migrations(database.dialect, database.migrations._begin, lambda: known_migrations()[:_BEFORE]).apply()
        with database.write() as transaction:
            transaction.change(_TOKEN, {"id": "old", "digest": digest(text), "rules": json.dumps(Rules(("echo/*",)).to_json())})
            settings = json.dumps({"rules": {"allow": [], "block": ["effect:write"]}})
            transaction.change("INSERT INTO workspaces (name, created_at, settings) VALUES ('acme', 1, :s)", {"s": settings})
    return text


def test_old_rows_are_sealed_and_served(tmp_path: Path, clock: FakeClock) -> None:
    """After the upgrade, the token and the settings mean what they meant; the check of the database finds nothing."""
    database_url = f"sqlite:///{tmp_path / 'old.db'}"
    text = old(database_url)
    storage = Storage(database_url, {**os.environ, "JACKFIELD_HOME": str(tmp_path)}, SystemClock())
    with storage.opened(migrate=True) as database:
        assert database.pending() == []
    found = Tokens.authenticate(storage.database, storage.vault, clock, text)
    assert found is not None
    assert (found.scope, found.rules.allow) == ("invoke", ("echo/*",))
    assert Workspaces(storage.database, storage.vault, clock).find("acme").settings.rules.block == ("effect:write",)
    assert list(Contents(storage.database, lambda: storage.vault).problems()) == []
    storage.close()


def test_what_an_old_process_writes_beside_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    """A process of the version before that still runs makes tokens and settings without seals: they are refused, and the check names them.

    What it reads is what it was before, so it serves its callers, and nobody is misled.
    """
    database_url = f"sqlite:///{tmp_path / 'old.db'}"
    old(database_url)
    storage = Storage(database_url, {**os.environ, "JACKFIELD_HOME": str(tmp_path)}, SystemClock())
    storage.opened(migrate=True).close()
    text = new_text()
    with storage.database.write() as transaction:
        transaction.change(_TOKEN, {"id": "beside", "digest": digest(text), "rules": json.dumps(Rules().to_json())})
        transaction.change("UPDATE workspaces SET settings = '{}' WHERE name = 'acme'")
    with pytest.raises(RowDamaged):
        Tokens.authenticate(storage.database, storage.vault, clock, text)
    with pytest.raises(RowDamaged):
        Workspaces(storage.database, storage.vault, clock).find("acme")
    assert list(Contents(storage.database, lambda: storage.vault).problems()) == [
        "damaged: the settings of the workspace 'acme'",
        "damaged: the token beside of the workspace 'default'",
    ]
    storage.close()
