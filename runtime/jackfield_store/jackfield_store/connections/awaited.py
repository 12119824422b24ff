"""Connections that a connect session has stored before their person has approved them at the
provider.

An authorization needs a stored connection, so the connection comes first. Until its grant is
stored, it is in no list, and calls that name no connection ignore it. It is deleted with its
session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield_store.database.epoch import RAISE

if TYPE_CHECKING:
    from jackfield_store.database import Database, Transaction

LISTED = "session IS NULL"
"""SQL condition of connections that wait for no connect session's approval."""
_AWAIT = "UPDATE connections SET session = :session WHERE workspace = :workspace AND name = :name"
_APPROVED = (
    "UPDATE connections SET session = NULL WHERE workspace = :workspace AND id = :id AND "
    "session IS NOT NULL"
)
_AWAITED = (
    "SELECT name, session FROM connections WHERE workspace = :workspace AND session IS NOT "
    "NULL ORDER BY name"
)
_WORKSPACES = "SELECT DISTINCT workspace FROM connections WHERE session IS NOT NULL"


def await_approval(transaction: Transaction, workspace: str, name: str, session: str) -> None:
    """Mark a connection that this transaction stores as waiting for the approval of a session's
    person.
    """
    transaction.change(_AWAIT, {"workspace": workspace, "name": name, "session": session})


def note_approved(transaction: Transaction, workspace: str, identifier: str) -> None:
    """Record that a connection has a grant: from the next reading of the epoch on, calls that name
    no connection count it.
    """
    transaction.change(_APPROVED, {"workspace": workspace, "id": identifier})
    transaction.change(RAISE)


def awaited(database: Database, workspace: str) -> list[tuple[str, str]]:
    """Return the names of a workspace's connections that wait for an approval, each with its
    session.
    """
    with database.read(flush=False) as transaction:
        return [
            (str(row.name), str(row.session))
            for row in transaction.execute(_AWAITED, {"workspace": workspace})
        ]


def awaiting_workspaces(database: Database) -> set[str]:
    """Return the workspaces with connections that wait for an approval."""
    with database.read(flush=False) as transaction:
        return {str(row.workspace) for row in transaction.execute(_WORKSPACES)}
