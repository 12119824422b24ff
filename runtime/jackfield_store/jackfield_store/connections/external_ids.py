"""External IDs, generated unless given, and never shared by two workspaces.

With an External ID, the owner of a role verifies on whose behalf the platform calls (AWS IAM user
guide, "The confused deputy problem"). It protects only while no other customer of the platform can
use it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connections.host_access import generated_fields, refused

if TYPE_CHECKING:
    from jackfield_store.database import Database, Transaction
    from jackfield_store.keys.vault import Vault

_BYTES = 24
"""Length of a derived External ID in bytes: 192 bits, as in a generated one."""
_KEYS_OF = "default"
"""Workspace whose key makes the digests: the digests of all workspaces must be comparable."""
_HEIR = (
    "SELECT digest FROM external_ids WHERE digest > :after AND digest < :before AND "
    "workspace = :workspace ORDER BY digest LIMIT 1"
)


def derived(vault: Vault, workspace: str, connection: str, field: str) -> str:
    """Derive an External ID from the name of a connection, before the connection exists. The result
    is stable. It can be computed only with the keys of the workspace, and not from other External
    IDs.
    """
    digest = vault.hmac(
        workspace, b"external id of a connection\0" + json.dumps([connection, field]).encode()
    )
    return "jf-" + base64.urlsafe_b64encode(bytes.fromhex(digest)[:_BYTES]).decode()


def claim(
    vault: Callable[[], Vault],
    transaction: Transaction,
    workspace: str,
    connection_id: str,
    external_ids: Mapping[str, str],
) -> None:
    """Record that the connection uses ``external_ids`` (by field name), and no others.

    The first connection with an External ID is stored under its digest; further connections of the
    same workspace append their own id to that key. The primary key thus decides between workspaces,
    even if two claim at the same time.

    :raises InvalidConnection: if another workspace uses one of the External IDs (``refused``).
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
        if transaction.change(
            "UPDATE external_ids SET workspace = workspace WHERE digest = :digest AND workspace "
            "= :workspace",
            row,
        ):
            _insert(transaction, {**row, "digest": f"{digest}:{connection_id}"})
            return True
        if (
            transaction.find("SELECT digest FROM external_ids WHERE digest = :digest", row)
            is not None
        ):
            return False


def _insert(transaction: Transaction, row: Mapping[str, str]) -> int:
    return transaction.change(
        "INSERT INTO external_ids (digest, workspace, connection_id) VALUES (:digest, "
        ":workspace, :connection) ON CONFLICT DO NOTHING",
        row,
    )


def release(transaction: Transaction, workspace: str, connection_id: str) -> None:
    """Release the External IDs of a connection; each passes to another connection of the workspace
    that uses it.
    """
    where = {"workspace": workspace, "connection": connection_id}
    gone = transaction.execute(
        "DELETE FROM external_ids WHERE workspace = :workspace AND connection_id = :connection "
        "RETURNING digest",
        where,
    )
    for digest in _owned(row.digest for row in gone):
        heirs = {"after": f"{digest}:", "before": f"{digest};", "workspace": workspace}
        while (heir := transaction.find(_HEIR, heirs)) is not None:
            if transaction.change(
                "UPDATE external_ids SET digest = :digest WHERE digest = :heir",
                {"digest": digest, "heir": heir.digest},
            ):
                break


def _owned(digests: Iterable[str]) -> list[str]:
    return [digest for digest in digests if ":" not in digest]


def _digest(vault: Vault, value: str) -> str:
    """Return the keyed digest of an External ID, for searches across workspaces."""
    return _keyed(
        vault,
        hashlib.sha256(
            b"jackfield external id\0" + value.encode("utf-8", "surrogatepass")
        ).hexdigest(),
    )


def _keyed(vault: Vault, plain: str) -> str:
    return vault.hmac(_KEYS_OF, b"jackfield external id\0" + plain.encode())


def refuse_foreign_ids(
    database: Database,
    vault: Callable[[], Vault],
    workspace: str,
    schema: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    """Refuse ``values``, with resolved references, that contain an External ID of another
    workspace's stored connection.

    :raises InvalidConnection: if such an ID is found: the role could not distinguish this workspace
        from the other.
    """
    for field in generated_fields(schema):
        value = values.get(field)
        if (
            not isinstance(value, str)
            or database.look_up("SELECT 1 AS one FROM external_ids LIMIT 1", {}) is None
        ):
            # a key is made with the first External ID that is stored, and not in order to look for
            # one
            continue
        row = database.look_up(
            "SELECT workspace FROM external_ids WHERE digest = :digest",
            {"digest": _digest(vault(), value)},
        )
        if row is not None and row.workspace != workspace:
            raise refused([field])
