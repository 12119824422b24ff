"""External IDs of connections that the database does not keep as they are: those of files, and those behind a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connections.external_ids import digest_of, generated_fields
from jackfield.errors import Detail, InvalidConnection

if TYPE_CHECKING:
    from jackfield.database import Database

__all__ = ["refuse_foreign_ids"]


def refuse_foreign_ids(database: Database, workspace: str, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Do nothing where no other workspace's stored connection uses an External ID that is among ``values``, whose references are resolved.

    :raises InvalidConnection: where one does: its role would take this workspace for the other.
    """
    for field in generated_fields(schema):
        value = values.get(field)
        if not isinstance(value, str):
            continue
        row = database.look_up("SELECT workspace FROM external_ids WHERE digest = :digest", {"digest": digest_of(value)})
        if row is not None and row.workspace != workspace:
            raise InvalidConnection(
                "the External ID is taken",
                details=[Detail(f"/{field}", "another workspace uses this External ID")],
                hint="Store the connection without one, and one is made for you; or make up another one that is long and random.",
            )
