"""Seals of workspace settings: write access to the database is not enough to widen rules.

A workspace without a seal is refused: the seal was removed, or the row was written without the
master key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield_store.database.faults import damaged_settings

if TYPE_CHECKING:
    from jackfield_store.database.statements import Row
    from jackfield_store.keys.vault import Vault

COLUMNS = "settings, seal"
"""Columns that ``checked_settings`` needs."""


def settings_seal(vault: Vault, workspace: str, text: str) -> bytes:
    """Seal the settings of a workspace, as stored."""
    return vault.attest(workspace, settings_place(text))


def checked_settings(vault: Vault, workspace: str, row: Row | Any) -> str:
    """Return the stored settings of a workspace if they were not changed in the database.

    :raises RowDamaged: if their seal is missing or does not match; nothing is allowed then.
    """
    if not vault.attests(workspace, settings_place(row.settings), row.seal):
        raise damaged_settings(workspace)
    found: str = row.settings
    return found


def settings_place(text: str) -> tuple[str, ...]:
    """Return the place that settings are sealed for."""
    return ("workspace", "settings", text)
