"""External IDs, generated unless given, and never shared by two workspaces.

With an External ID, the owner of a role verifies on whose behalf the platform calls (AWS IAM user guide, "The confused deputy
problem"). It protects only as long as no other customer of the platform can use the same one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jackfield.database import Database, Transaction, Vault
from jackfield.errors import Detail, InvalidConnection

MIGRATION = "keyed_external_ids"
"""Migration after which digests are keyed."""
_KEYS_OF = "default"
"""Workspace whose key digests are made with: those of all workspaces must be comparable."""
_BYTES = 24
"""Entropy of an External ID: 192 random bits."""
_HEIR = "SELECT digest FROM external_ids WHERE digest > :after AND digest < :before AND workspace = :workspace ORDER BY digest LIMIT 1"


def generate() -> str:
    """Generate an External ID of 35 characters that AWS accepts."""
    return "jf-" + secrets.token_urlsafe(_BYTES)


def generated_fields(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values of a connection type that are External IDs, which its schema marks ``"generated": "externalId"``."""
    fields = schema.get("properties", {})
    marks = {name: field.get("x-jackfield", {}) for name, field in fields.items() if isinstance(field, Mapping)}
    return tuple(name for name, mark in marks.items() if mark.get("generated") == "externalId")


def refused(fields: Iterable[str]) -> InvalidConnection:
    """Return the error for External IDs that a caller may not choose, or that another workspace has.

    Its text is the same for both, so that nobody learns which External IDs others use.
    """
    return InvalidConnection(
        "the External ID cannot be used",
        details=[Detail(f"/{field}", "is not one that this workspace may use") for field in fields],
        hint="Store the connection without it: jackfield generates one and shows it. To keep the one that a role demands already, ask "
        "the operator or the platform, who can store the connection with it or let the workspace choose ('allowOwnExternalId').",
    )


def claim(
    vault: Callable[[], Vault], transaction: Transaction, workspace: str, connection_id: str, external_ids: Mapping[str, str]
) -> None:
    """Record that the connection uses ``external_ids`` (by field name), and no others.

    The first connection with an External ID is stored under its digest; further connections of the same workspace append their own id
    to that key. The primary key thus decides between workspaces, even if two claim concurrently.

    :raises InvalidConnection: if another workspace uses one of them (``refused``).
    """
    release(transaction, workspace, connection_id)
    for field, value in external_ids.items():
        if not _claimed(transaction, workspace, connection_id, _digest(vault(), value)):
            raise refused([field])


def _claimed(transaction: Transaction, workspace: str, connection_id: str, digest: str) -> bool:
    row = {"digest": digest, "workspace": workspace, "connection": connection_id}
    while True:
        if _insert(transaction, row):
            return True
        # The lock on the owner's row prevents its release before this row exists.
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
    """Release the External IDs of a connection; each passes to another connection of the workspace that uses it."""
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


def key_all(transaction: Transaction, vault: Vault) -> None:
    """Replace the digests of an older jackfield, which had no key."""
    for row in transaction.execute("SELECT digest FROM external_ids ORDER BY digest"):
        plain, separator, connection_id = row.digest.partition(":")
        keyed = _keyed(vault, plain) + separator + connection_id
        transaction.change("UPDATE external_ids SET digest = :keyed WHERE digest = :plain", {"keyed": keyed, "plain": row.digest})


def _digest(vault: Vault, value: str) -> str:
    """Return the keyed digest of an External ID, by which it is searched for across workspaces."""
    return _keyed(vault, hashlib.sha256(b"jackfield external id\0" + value.encode("utf-8", "surrogatepass")).hexdigest())


def _keyed(vault: Vault, plain: str) -> str:
    return vault.hmac(_KEYS_OF, b"jackfield external id\0" + plain.encode())


def refuse_foreign_ids(
    database: Database, vault: Callable[[], Vault], workspace: str, schema: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Refuse ``values``, with resolved references, that contain an External ID of another workspace's stored connection.

    :raises InvalidConnection: if they do, since the role could not distinguish this workspace from the other.
    """
    for field in generated_fields(schema):
        value = values.get(field)
        if not isinstance(value, str) or database.look_up("SELECT 1 AS one FROM external_ids LIMIT 1", {}) is None:
            continue  # a key is made with the first External ID that is stored, and not in order to look for one
        row = database.look_up("SELECT workspace FROM external_ids WHERE digest = :digest", {"digest": _digest(vault(), value)})
        if row is not None and row.workspace != workspace:
            raise refused([field])
