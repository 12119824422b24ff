"""Seals of workspace settings: who can write to the database can widen no rules.

A workspace without a seal is refused. Those that predate seals get theirs in the transaction that adds the column, never later. A seal
missing after that was removed, or the row was written by somebody without the master key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield_store.database.faults import damaged_settings

if TYPE_CHECKING:
    from jackfield_store.database.statements import Row
    from jackfield_store.database.transaction import Transaction
    from jackfield_store.keys.vault import Vault

COLUMNS = "settings, seal"
"""Columns that ``checked_settings`` needs."""
_PAGE = 500


def settings_seal(vault: Vault, workspace: str, text: str) -> bytes:
    """Seal the settings of a workspace, as stored."""
    return vault.attest(workspace, settings_place(text))


def checked_settings(vault: Vault, workspace: str, row: Row | Any) -> str:
    """Return the stored settings of a workspace if nobody has changed them in the database.

    :raises RowDamaged: if they have no seal, or another one; nothing is allowed then.
    """
    if not vault.attests(workspace, settings_place(row.settings), row.seal):
        raise damaged_settings(workspace)
    found: str = row.settings
    return found


def seal_all_settings(transaction: Transaction, vault: Vault) -> None:
    """Seal the settings of all workspaces as they are."""
    after = ""
    while True:
        rows = transaction.execute(
            "SELECT name, settings FROM workspaces WHERE name > :after ORDER BY name LIMIT :page", {"after": after, "page": _PAGE}
        )
        for row in rows:
            values = {"name": row.name, "seal": settings_seal(vault, row.name, row.settings)}
            transaction.change("UPDATE workspaces SET seal = :seal WHERE name = :name", values)
        if len(rows) < _PAGE:
            return
        after = rows[-1].name


def settings_place(text: str) -> tuple[str, ...]:
    """Return the place that settings are sealed for."""
    return ("workspace", "settings", text)
