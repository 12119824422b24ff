"""External IDs: made where none is given, and never shared by two workspaces.

An External ID tells the owner of a role for whom the platform asks (AWS IAM user guide, "The confused deputy problem"). It protects only
while no other customer of the platform can have the same one used.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.database import Transaction
from jackfield.errors import Detail, InvalidConnection

__all__ = ["claim", "digest_of", "generate", "generated_fields", "release"]

_BYTES = 24
"""192 random bits."""
_HEIR = "SELECT digest FROM external_ids WHERE digest > :after AND digest < :before AND workspace = :workspace ORDER BY digest LIMIT 1"


def generate() -> str:
    """A new External ID; characters that AWS takes, 35 of them."""
    return "jf-" + secrets.token_urlsafe(_BYTES)


def generated_fields(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of a connection type that are External IDs: those that its schema marks ``"generated": "externalId"``."""
    fields = schema.get("properties", {})
    marks = {name: field.get("x-jackfield", {}) for name, field in fields.items() if isinstance(field, Mapping)}
    return tuple(name for name, mark in marks.items() if mark.get("generated") == "externalId")


def claim(transaction: Transaction, workspace: str, connection_id: str, external_ids: Mapping[str, str]) -> None:
    """Note that the connection uses ``external_ids`` (by the name of their field), and no others any more.

    The first connection that uses one has its digest as the key, the same workspace's further ones have the connection's id behind it:
    so the primary key decides between workspaces, also where two claim at the same time.

    :raises InvalidConnection: for one that another workspace uses.
    """
    release(transaction, workspace, connection_id)
    for field, value in external_ids.items():
        if not _claimed(transaction, workspace, connection_id, digest_of(value)):
            text = "another workspace uses this External ID"
            raise InvalidConnection(
                "the External ID is taken",
                details=[Detail(f"/{field}", text)],
                hint="Leave it out, and one is made for you; or make up another one that is long and random.",
            )


def _claimed(transaction: Transaction, workspace: str, connection_id: str, digest: str) -> bool:
    row = {"digest": digest, "workspace": workspace, "connection": connection_id}
    while True:
        if _insert(transaction, row):
            return True
        # the lock on the owner's row keeps it from being released before this one is there
        if transaction.change("UPDATE external_ids SET workspace = workspace WHERE digest = :digest AND workspace = :workspace", row):
            _insert(transaction, {**row, "digest": f"{digest}:{connection_id}"})
            return True
        if transaction.find("SELECT digest FROM external_ids WHERE digest = :digest", row) is not None:
            return False


def _insert(transaction: Transaction, row: Mapping[str, str]) -> int:
    return transaction.change(
        "INSERT INTO external_ids (digest, workspace, connection_id) VALUES (:digest, :workspace, :connection) ON CONFLICT DO NOTHING", row
    )


def release(transaction: Transaction, workspace: str, connection_id: str) -> None:
    """Forget which External IDs the connection uses; another connection of the workspace that shares one takes its place."""
    where = {"workspace": workspace, "connection": connection_id}
    gone = transaction.execute(
        "DELETE FROM external_ids WHERE workspace = :workspace AND connection_id = :connection RETURNING digest", where
    )
    for digest in _owned(row.digest for row in gone):
        heirs = {"after": f"{digest}:", "before": f"{digest};", "workspace": workspace}
        while (heir := transaction.find(_HEIR, heirs)) is not None:
            if transaction.change("UPDATE external_ids SET digest = :digest WHERE digest = :heir", {"digest": digest, "heir": heir.digest}):
                break


def _owned(digests: Iterable[str]) -> list[str]:
    return [digest for digest in digests if ":" not in digest]


def digest_of(value: str) -> str:
    """What stands for an External ID where all workspaces' are looked through: SHA-256, in hexadecimal."""
    return hashlib.sha256(b"jackfield external id\0" + value.encode("utf-8", "surrogatepass")).hexdigest()
