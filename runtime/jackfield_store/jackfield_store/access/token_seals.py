"""Seals of tokens: write access to the database is not enough to make a token or widen its rights.

A seal binds everything that decides access: the digest of the token's text, scope, rules, expiry
and revocation, and its name, ID and creator. A token without a seal is refused.
"""

from __future__ import annotations

import json
from typing import Any

from jackfield_store.database import Row
from jackfield_store.keys.vault import Vault

_BOUND = ("digest", "name", "scope", "rules", "created_at", "expires_at", "revoked_at")
SET_SEAL = "UPDATE tokens SET seal = :seal WHERE workspace = :workspace AND id = :id"


def token_seal(vault: Vault, workspace: str, identifier: str, row: Any) -> bytes:
    """Seal a token; ``row`` has its columns as attributes."""
    return vault.attest(workspace, _place(identifier, row))


def is_sealed(vault: Vault, row: Row) -> bool:
    """Return whether a token is as jackfield stored it."""
    return vault.attests(row.workspace, _place(row.id, row), row.seal)


def _place(identifier: str, row: Any) -> tuple[str, ...]:
    return (
        "token",
        identifier,
        *(json.dumps(getattr(row, name), default=str) for name in _BOUND),
        *(() if row.created_by is None else (f"created by {row.created_by}",)),
    )
