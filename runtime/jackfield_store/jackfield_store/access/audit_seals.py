"""Seals of the heads of audit logs: without the key, write access to the database is not enough to
cut a log or extend it unnoticed.

A head is sealed with the key of ``default``, so that a log continues while the key service of its
own workspace refuses. An entry that follows an unsealed head is marked for ever (``unsealed``).
Then somebody changed the log in the database, an older jackfield wrote to it, or the key of
``default`` was unavailable. A head that was stored outside of the database vouches for all entries
before it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jackfield_store.database.faults import DataKeyDamaged, KeyServiceRefused, KeyServiceUnavailable
from jackfield_store.keys.workspace_wrappers import HOME

if TYPE_CHECKING:
    from jackfield_store.database import Row, Transaction
    from jackfield_store.keys.vault import Vault

FIRST = "0" * 64
"""Predecessor digest of the first entry."""
BEGUN = "workspace.created"
"""First event of a workspace's log; the log of ``default`` may begin with any event."""
_TROUBLE = (DataKeyDamaged, KeyServiceRefused, KeyServiceUnavailable)
_EXISTS = """
SELECT 1 AS one FROM workspaces WHERE name = :workspace UNION SELECT 1 FROM tokens WHERE workspace = :workspace LIMIT 1
"""


def prepare_seals(vault: Vault) -> None:
    """Get the key of the seals before a transaction needs it; ignore a key service that fails."""
    with suppress(*_TROUBLE):
        vault.prepare(HOME)


def head_seal(vault: Vault, workspace: str, sequence: int, digest: str) -> bytes | None:
    """Seal the head of a workspace's log; return None if the key is unavailable, so that acts in
    other workspaces go on, marked as unsealed.
    """
    try:
        return vault.attest(HOME, _place(workspace, sequence, digest))
    except _TROUBLE:
        return None


def is_sealed(vault: Vault, workspace: str, sequence: int, digest: str, seal: bytes | None) -> bool:
    """Return whether a head is as jackfield stored it.

    :raises DataKeyDamaged: and the other errors of ``Vault.open``.
    """
    return vault.attests(HOME, _place(workspace, sequence, digest), seal)


def follows_a_seal(vault: Vault, workspace: str, row: Row | Any, event: str) -> bool:
    """Return whether a new entry follows a sealed head; ``row`` has the entry's number, and the
    digest and seal of the head before it.
    """
    if row.sequence == 1 and row.seal is None:
        return workspace == HOME or event == BEGUN
    try:
        return is_sealed(vault, workspace, row.sequence - 1, row.digest, row.seal)
    except _TROUBLE:
        return False


def must_have_a_head(transaction: Transaction, workspace: str) -> bool:
    """Return whether a workspace has objects that cannot exist without an entry in its log."""
    return transaction.find(_EXISTS, {"workspace": workspace}) is not None


def _place(workspace: str, sequence: int, digest: str) -> tuple[str, ...]:
    return ("audit", workspace, str(sequence), digest)
