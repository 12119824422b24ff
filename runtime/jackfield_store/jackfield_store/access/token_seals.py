"""Seals of tokens: who can write to the database can neither make a token nor give one more rights.

A seal binds everything that decides access: the digest of the token's text, scope, rules, expiry and revocation, beside name and ID, and
who created it. A token without a seal is refused; those that predate seals get theirs in the transaction that
adds the column (``seal_all_tokens``).
"""

from __future__ import annotations

import json
from typing import Any

from jackfield_store.database import Row, Transaction
from jackfield_store.keys.vault import Vault

MIGRATION = "access_seals"
"""Migration in whose transaction tokens and settings are sealed."""
_PAGE = 500
_BOUND = ("digest", "name", "scope", "rules", "created_at", "expires_at", "revoked_at")
_ALL = f"""
SELECT workspace, id, {", ".join(_BOUND)} FROM tokens
WHERE workspace > :workspace OR (workspace = :workspace AND id > :id) ORDER BY workspace, id LIMIT :page
"""
SET_SEAL = "UPDATE tokens SET seal = :seal WHERE workspace = :workspace AND id = :id"


def token_seal(vault: Vault, workspace: str, identifier: str, row: Any) -> bytes:
    """Seal a token; ``row`` has its columns as attributes."""
    return vault.attest(workspace, _place(identifier, row))


def is_sealed(vault: Vault, row: Row) -> bool:
    """Return whether a token is as jackfield stored it."""
    return vault.attests(row.workspace, _place(row.id, row), row.seal)


def seal_all_tokens(transaction: Transaction, vault: Vault) -> None:
    """Seal all tokens as they are."""
    after = {"workspace": "", "id": ""}
    while True:
        rows = transaction.execute(_ALL, {**after, "page": _PAGE})
        for row in rows:
            after = {"workspace": row.workspace, "id": row.id}
            transaction.change(SET_SEAL, {**after, "seal": token_seal(vault, row.workspace, row.id, row)})
        if len(rows) < _PAGE:
            return


def _place(identifier: str, row: Any) -> tuple[str, ...]:
    creator = getattr(row, "created_by", None)  # no column when the migration seals what predates seals
    return (
        "token",
        identifier,
        *(json.dumps(getattr(row, name), default=str) for name in _BOUND),
        *(() if creator is None else (f"created by {creator}",)),
    )
