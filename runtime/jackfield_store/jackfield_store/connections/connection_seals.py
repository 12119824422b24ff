"""Seals of stored connections, which bind secrets to their connection, field, version and
everything that determines their destination.

Without them, write access to the database would suffice to point a connection at another host and
have its secrets sent there. The seal binds the name, the type, the origin and all open values
(``endpoint``, ``hostname``, …), not only the destinations that a schema marks: a schema may change,
and a newly marked value must not prevent opening a secret.

Each connection also has a seal over its open values and the list of its secrets; otherwise nothing
would bind a connection without secrets, or reveal a removed secret. A connection without a seal is
refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jackfield_store.connections.connection_rows import ConnectionRow
from jackfield_store.database import SealBroken, Transaction
from jackfield_store.keys.vault import Vault

_SECRETS = """
SELECT field, sealed FROM connection_secrets
WHERE workspace = :workspace AND connection_id = :id AND version = :version
"""
_RESEAL = """
UPDATE connection_secrets SET sealed = :sealed
WHERE workspace = :workspace AND connection_id = :id AND version = :version AND field = :field
"""
_SET_SEAL = (
    "UPDATE connections SET seal = :seal WHERE workspace = :workspace AND id = :id AND "
    "version = :version"
)


def binding(
    name: str,
    type: str,
    origin: str,
    public: Mapping[str, Any],
    quotas: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return a digest of everything that binds a connection's secrets apart from their place."""
    text = json.dumps(
        [name, type, origin, public, *([quotas] if quotas else [])],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()


def sealed_place(identifier: str, field: str, version: int, bound: str) -> tuple[str, ...]:
    """Return the parts that a secret is sealed with; the vault adds the workspace."""
    return ("connection", identifier, field, str(version), bound)


def sealed_whole(
    vault: Vault, workspace: str, identifier: str, version: int, bound: str, fields: Iterable[str]
) -> bytes:
    """Seal a connection as a whole; ``bound`` is its ``binding``, ``fields`` are the places of its
    secrets.
    """
    return vault.attest(workspace, _whole(identifier, version, bound, fields))


def check_seal(vault: Vault, workspace: str, stored: ConnectionRow) -> None:
    """Verify that a connection was not changed since it was stored.

    :raises SealBroken: if it has no seal, or a value or the list of its secrets was changed in the
        database.
    """
    if stored.seal is None:
        raise SealBroken(f"the connection '{stored.name}' has no seal")
    bound = binding(stored.name, stored.type, stored.origin, stored.public, stored.quotas)
    vault.open(workspace, _whole(stored.id, stored.version, bound, stored.sealed), stored.seal)


def opened_secret(
    vault: Vault, workspace: str, stored: ConnectionRow, field: str, sealed: bytes
) -> bytes:
    """Open one secret of a stored connection.

    :raises SealBroken: if the secret, or a value that it is bound to, was changed or moved in the
        database.
    """
    bound = binding(stored.name, stored.type, stored.origin, stored.public, stored.quotas)
    return vault.open(workspace, sealed_place(stored.id, field, stored.version, bound), sealed)


def stored_secrets(
    transaction: Transaction, workspace: str, stored: ConnectionRow
) -> dict[str, bytes]:
    """Read the sealed secrets of a connection, by field."""
    place = {"workspace": workspace, "id": stored.id, "version": stored.version}
    return {found.field: found.sealed for found in transaction.execute(_SECRETS, place)}


def rebound(
    transaction: Transaction, vault: Vault, workspace: str, stored: ConnectionRow, name: str
) -> None:
    """Seal a connection and its secrets again for ``name``, which may be its current one.

    :raises SealBroken: if a secret is missing or cannot be opened.
    """
    bound = binding(name, stored.type, stored.origin, stored.public, stored.quotas)
    place = {"workspace": workspace, "id": stored.id, "version": stored.version}
    found = stored_secrets(transaction, workspace, stored)
    for field in stored.sealed:
        text = opened_secret(vault, workspace, stored, field, found.get(field, b""))
        anew = vault.seal(workspace, sealed_place(stored.id, field, stored.version, bound), text)
        transaction.change(_RESEAL, {**place, "field": field, "sealed": anew})
    transaction.change(
        _SET_SEAL,
        {
            **place,
            "seal": sealed_whole(vault, workspace, stored.id, stored.version, bound, stored.sealed),
        },
    )


def _whole(identifier: str, version: int, bound: str, fields: Iterable[str]) -> tuple[str, ...]:
    return (*sealed_place(identifier, "", version, bound), json.dumps(sorted(fields)))
