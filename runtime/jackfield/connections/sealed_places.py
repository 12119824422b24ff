"""The place that a stored connection's secret is sealed for: connection, field, version, and everything that says where it is sent.

Whoever can write the database could otherwise point a connection at a host of their own and have the secrets sent there. Bound are the
name, the type, the origin and all open values (``endpoint``, ``hostname``, …) rather than those that a schema marks as destinations: a
schema changes with its connector, and a value that was not marked before must not keep the secret from being opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from jackfield.connections.stored_row import COLUMNS, KeptConnection
from jackfield.database import Database, Row, SealBroken, Transaction

__all__ = ["OldSealing", "binding", "opened_secret", "rebound", "reseal", "sealed_place", "stored_secrets"]

_SECRETS = """
SELECT field, sealed FROM connection_secrets
WHERE workspace = :workspace AND connection_id = :id AND version = :version
"""
_RESEAL = """
UPDATE connection_secrets SET sealed = :sealed
WHERE workspace = :workspace AND connection_id = :id AND version = :version AND field = :field
"""
_PAGE = 200


class Sealing(Protocol):
    """What sealing asks of a vault."""

    def seal(self, workspace: str, aad_parts: tuple[str, ...], plaintext: bytes) -> bytes:
        """``plaintext`` for one place."""

    def open(self, workspace: str, aad_parts: tuple[str, ...], ciphertext: bytes) -> bytes:
        """What was sealed for this place."""


class OldSealing(Exception):
    """The secret is sealed in the form of before, which binds no destinations: ``text`` is what it holds."""

    def __init__(self, text: bytes) -> None:
        super().__init__("sealed in the old form")
        self.text = text

    def __reduce__(self) -> Any:  # noqa: ANN401 (never returns)
        raise TypeError("a secret is not pickled")


def binding(name: str, type: str, origin: str, public: Mapping[str, Any]) -> str:  # noqa: A002 (the contract's word)
    """Return a digest of what a connection's secrets are bound to besides their place."""
    text = json.dumps([name, type, origin, public], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sealed_place(identifier: str, field: str, version: int, bound: str) -> tuple[str, ...]:
    """Return the parts that a secret is sealed with; the workspace goes without saying."""
    return (*_old_place(identifier, field, version), bound)


def opened_secret(vault: Sealing, workspace: str, kept: KeptConnection, field: str, sealed: bytes) -> bytes:
    """Open one secret of a stored connection.

    :raises OldSealing: where it is sealed in the old form, and can be opened in it.
    :raises SealBroken: where it, or what it is bound to, was changed or moved in the database.
    """
    bound = binding(kept.name, kept.type, kept.origin, kept.public)
    try:
        return vault.open(workspace, sealed_place(kept.id, field, kept.version, bound), sealed)
    except SealBroken:
        text = vault.open(workspace, _old_place(kept.id, field, kept.version), sealed)
    raise OldSealing(text)


def stored_secrets(transaction: Transaction, workspace: str, kept: KeptConnection) -> dict[str, bytes]:
    """Read the sealed secrets of a connection, by field."""
    place = {"workspace": workspace, "id": kept.id, "version": kept.version}
    return {found.field: found.sealed for found in transaction.execute(_SECRETS, place)}


def rebound(transaction: Transaction, vault: Sealing, workspace: str, kept: KeptConnection, name: str) -> int:
    """Seal the secrets of a connection anew for ``name``, which may be the one that it has. Return how many there are.

    :raises SealBroken: where one cannot be opened.
    """
    bound = binding(name, kept.type, kept.origin, kept.public)
    found = stored_secrets(transaction, workspace, kept)
    for field, sealed in found.items():
        try:
            text = opened_secret(vault, workspace, kept, field, sealed)
        except OldSealing as old:
            text = old.text
        anew = vault.seal(workspace, sealed_place(kept.id, field, kept.version, bound), text)
        transaction.change(_RESEAL, {"workspace": workspace, "id": kept.id, "version": kept.version, "field": field, "sealed": anew})
    return len(found)


def reseal(database: Database, vault: Sealing) -> int:
    """Bind what was sealed in the old form to the values that stand there now. Return the number of connections; run again at will."""
    count, after = 0, ("", "")
    while True:
        with database.write() as transaction:
            rows = transaction.execute(
                f"SELECT workspace, {COLUMNS} FROM connections WHERE workspace > :workspace OR (workspace = :workspace AND id > :id) "  # noqa: S608 (constants)
                "ORDER BY workspace, id LIMIT :page",
                {"workspace": after[0], "id": after[1], "page": _PAGE},
            )
            count += sum(_resealed(transaction, vault, row) for row in rows)
        if len(rows) < _PAGE:
            return count
        after = (rows[-1].workspace, rows[-1].id)


def _resealed(transaction: Transaction, vault: Sealing, row: Row) -> bool:
    kept = KeptConnection.from_row(row)
    try:
        for field, sealed in stored_secrets(transaction, row.workspace, kept).items() if kept.damage is None else ():
            opened_secret(vault, row.workspace, kept, field, sealed)
    except OldSealing:
        try:
            return rebound(transaction, vault, row.workspace, kept, kept.name) > 0
        except SealBroken:
            return False
    except SealBroken:  # 'db check' names it
        return False
    return False


def _old_place(identifier: str, field: str, version: int) -> tuple[str, ...]:
    return ("connection", identifier, field, str(version))
