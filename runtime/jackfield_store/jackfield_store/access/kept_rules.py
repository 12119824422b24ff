"""Rules of workspaces that were deleted for good, by name. So a platform cannot remove rules by
deleting a workspace and creating it again.

They are sealed with the key of ``default``, since the workspace's key is deleted with it. The next
deletion of the workspace replaces them with the rules of that time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.callers.rules import Rules
from jackfield_store.database.faults import damaged_settings
from jackfield_store.keys.workspace_wrappers import HOME

if TYPE_CHECKING:
    from jackfield_store.database import Database, Transaction
    from jackfield_store.keys.vault import Vault

_FIND = "SELECT rules, seal FROM kept_rules WHERE name = :name"
_KEEP = """
INSERT INTO kept_rules (name, rules, seal) VALUES (:name, :rules, :seal)
ON CONFLICT (name) DO UPDATE SET rules = excluded.rules, seal = excluded.seal
"""
_FORGET = "DELETE FROM kept_rules WHERE name = :name"


def kept_rules(database: Database, vault: Vault, name: str) -> Rules:
    """Return the rules that a workspace of this name had when it was deleted; empty rules if none
    are stored.

    :raises RowDamaged: if they were changed in the database.
    """
    row = database.look_up(_FIND, {"name": name})
    if row is None:
        return Rules()
    if not vault.attests(HOME, _place(name, row.rules), row.seal):
        raise damaged_settings(name)
    return Rules.from_json(json.loads(row.rules))


def with_kept_rules(kept: Rules, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a new workspace, combined with the rules stored for its name. Given
    rules replace them, but ``approve`` patterns are added.
    """
    known = kept.to_json()
    if not any(known.values()):
        return changes
    given = changes.get("rules", {})
    approve = [
        *known.get("approve", ()),
        *(text for text in given.get("approve", ()) if text not in known.get("approve", ())),
    ]
    return {**changes, "rules": {**known, **given, "approve": approve}}


def keep_rules(transaction: Transaction, vault: Vault, name: str, rules: Rules) -> None:
    """Store the rules of a workspace that is to be deleted; if it has no rules, delete the stored
    rules.
    """
    text = json.dumps(rules.to_json())
    if rules == Rules():
        forget_rules(transaction, name)
    else:
        transaction.change(
            _KEEP, {"name": name, "rules": text, "seal": vault.attest(HOME, _place(name, text))}
        )


def forget_rules(transaction: Transaction, name: str) -> None:
    """Delete the rules stored for a name, as the operator may."""
    transaction.change(_FORGET, {"name": name})


def _place(name: str, text: str) -> tuple[str, ...]:
    return ("kept rules", name, text)
