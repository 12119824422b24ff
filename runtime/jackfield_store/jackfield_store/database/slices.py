"""Deletion of many rows in short commits, so that other writers take their turn in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield_store.database.engine import Database

SLICE = 500


def slice_of(table: str, key: str, where: str) -> str:
    """Return the statement that deletes up to ``SLICE`` rows of a table; ``key`` are the columns of
    its primary key.
    """
    return (
        f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {where} "
        f"LIMIT {SLICE})"
    )


def delete_in_slices(database: Database, statement: str, values: Mapping[str, Any]) -> int:
    """Run a statement of ``slice_of`` until no row matches, each time in a commit of its own;
    return the number of deleted rows.
    """
    count, deleted = SLICE, 0
    while count:
        with database.write() as transaction:
            count = transaction.change(statement, values)
        deleted += count
        if count == SLICE:
            database.dialect.relieve_writers()
    return deleted
