"""Rows of tokens and settings as a process with the master key would write them, in states that no
call reaches.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jackfield_store.access.token_seals import SET_SEAL, token_seal
from jackfield_store.access.tokens import COLUMNS
from jackfield_store.keys.settings_seals import settings_seal

if TYPE_CHECKING:
    from jackfield_store.access.ports import SealedStorage
    from jackfield_store.database import Database
    from jackfield_store.keys import Vault


def set_token(storage: SealedStorage, identifier: str, assignment: str) -> None:
    """Change columns of a token of the workspace ``default``, and seal it again."""
    place = {"workspace": "default", "id": identifier}
    with storage.database.write() as transaction:
        transaction.change(
            f"UPDATE tokens SET {assignment} WHERE workspace = :workspace AND id = :id", place
        )
        row = transaction.find(
            f"SELECT {COLUMNS} FROM tokens WHERE workspace = :workspace AND id = :id", place
        )
        assert row is not None
        transaction.change(
            SET_SEAL, {**place, "seal": token_seal(storage.vault, "default", identifier, row)}
        )


def put_workspace(database: Database, vault: Vault, name: str, settings: Any) -> None:
    """Put a workspace with these settings into the database, sealed, in place of the one that is
    there.
    """
    values = {
        "name": name,
        "settings": json.dumps(settings),
        "seal": settings_seal(vault, name, json.dumps(settings)),
    }
    with database.write() as transaction:
        transaction.change("DELETE FROM workspaces WHERE name = :name", {"name": name})
        transaction.change(
            "INSERT INTO workspaces (name, created_at, settings, seal) VALUES (:name, 1, "
            ":settings, :seal)",
            values,
        )
