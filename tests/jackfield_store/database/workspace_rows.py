"""Rows of the smallest table, for tests of what a transaction does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield_store.database import Database, Transaction


def adding(name: str) -> Callable[[Transaction], str]:
    """A unit of work that inserts a workspace and gives its name."""

    def unit(transaction: Transaction) -> str:
        transaction.change(
            "INSERT INTO workspaces (name, created_at) VALUES (:name, 1)", {"name": name}
        )
        return name

    return unit


def names(database: Database) -> list[str]:
    """The names of all workspaces."""
    with database.read() as transaction:
        return [
            row.name for row in transaction.execute("SELECT name FROM workspaces ORDER BY name")
        ]


def session_kind(database: Database) -> Any:
    """The class of a database's sessions."""
    with database.read() as transaction:
        return type(transaction._session)


def rolled_back(session: Any) -> Any:
    """A session without its transaction."""
    session.rollback()
    return session
