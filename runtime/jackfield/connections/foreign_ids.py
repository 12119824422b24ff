"""External IDs that are not stored in the database: those of connections from files, and those behind a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connections.external_ids import digest_of, generated_fields
from jackfield.errors import Detail, InvalidConnection

if TYPE_CHECKING:
    from jackfield.database import Database

__all__ = ["refuse_foreign_ids"]


def refuse_foreign_ids(database: Database, workspace: str, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Refuse ``values``, with resolved references, that contain an External ID of another workspace's stored connection.

    :raises InvalidConnection: if they do, since the role could not distinguish this workspace from the other.
    """
    for field in generated_fields(schema):
        value = values.get(field)
        if not isinstance(value, str):
            continue
        row = database.look_up("SELECT workspace FROM external_ids WHERE digest = :digest", {"digest": digest_of(value)})
        if row is not None and row.workspace != workspace:
            raise InvalidConnection(
                "the External ID is already in use",
                details=[Detail(f"/{field}", "another workspace uses this External ID")],
                hint="Store the connection without one to have one generated, or choose another long random value.",
            )
