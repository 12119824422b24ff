"""The inputs that an entry keeps: those of a queued invocation, and all where the workspace has them kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.database import Database

__all__ = ["sealed_inputs"]


def sealed_inputs(database: Database, workspace: str, identifier: str) -> bytes | None:
    """What ``Journal.sealed_inputs`` sealed for an entry; None where it keeps nothing, or is not there."""
    with database.read() as transaction:
        row = transaction.find(
            "SELECT inputs FROM invocations WHERE workspace = :workspace AND id = :id", {"workspace": workspace, "id": identifier}
        )
    return row.inputs if row is not None else None
