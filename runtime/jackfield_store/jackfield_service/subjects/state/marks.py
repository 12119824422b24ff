"""Marks of the objects that files have created in a workspace, with their label; objects created by
hand have none.
"""

from __future__ import annotations

from collections.abc import Iterable

from jackfield_store.database import Transaction

_ALL = "SELECT kind, name, label FROM applied WHERE workspace = :workspace"
_MARKED = "SELECT DISTINCT workspace FROM applied WHERE label = :label ORDER BY workspace"
_SET = """
INSERT INTO applied (workspace, kind, name, label) VALUES (:workspace, :kind, :name, :label)
ON CONFLICT (workspace, kind, name) DO UPDATE SET label = excluded.label
"""
_TAKE = "DELETE FROM applied WHERE workspace = :workspace AND kind = :kind AND name = :name"


def marks(transaction: Transaction, workspace: str) -> dict[tuple[str, str], str]:
    """Return the labels of the objects that files have created in a workspace, by kind and name."""
    return {
        (row.kind, row.name): row.label
        for row in transaction.execute(_ALL, {"workspace": workspace})
    }


def marked(transaction: Transaction, label: str) -> list[str]:
    """Return the workspaces in which files of a label have created objects."""
    return [row.workspace for row in transaction.execute(_MARKED, {"label": label})]


def set_marks(
    transaction: Transaction, workspace: str, label: str, things: Iterable[tuple[str, str]]
) -> None:
    """Mark objects as created by files of a label."""
    for kind, name in things:
        transaction.change(
            _SET, {"workspace": workspace, "kind": kind, "name": name, "label": label}
        )


def take_marks(transaction: Transaction, workspace: str, things: Iterable[tuple[str, str]]) -> None:
    """Remove the marks of objects that no longer exist."""
    for kind, name in things:
        transaction.change(_TAKE, {"workspace": workspace, "kind": kind, "name": name})
