"""Actions that insert rows without a line of SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from jackfield.connector import Detail, Field, Inputs
from jackfield_postgresql.client import PostgresClient
from jackfield_postgresql.connector import connector
from jackfield_postgresql.fields import schema_field, table_field
from jackfield_postgresql.statements import Changed
from jackfield_sql.inserting import ROWS, columns_of, lines_of, too_many
from jackfield_sql.statements import found

_OWN_COLUMNS = (
    "A marker would need a column of the caller's own table. A key of his own finds the rows again."
)
_NAMES: dict[str, Any] = {
    "uniqueItems": True,
    "maxItems": 1600,
    "items": {"type": "string", "minLength": 1, "maxLength": 63},
}


class NewRows(Inputs):
    """Rows to insert."""

    db_schema: str = schema_field()
    table: str = table_field()
    rows: tuple[dict[str, Any], ...] = Field(
        title="Rows",
        schema=ROWS,
        description=(
            "Objects with a value for each column; columns that a row lacks get their default."
        ),
    )
    returning: tuple[str, ...] = Field(
        (),
        title="Returning",
        schema=_NAMES,
        description="Columns to return, such as a generated ID.",
    )

    def rules(self) -> Iterable[Detail]:
        """Yield a fault if the rows have more values than one statement allows."""
        return too_many(self.rows)

    def statement(self, conflict: str = "") -> tuple[str, list[Any]]:
        """Return the statement and its parameters."""
        lines, values = lines_of(self.rows, lambda number: f"${number}")
        names = ", ".join(quoted(name) for name in columns_of(self.rows))
        text = (
            f"INSERT INTO {quoted(self.db_schema)}.{quoted(self.table)} ({names}) VALUES "
            f"{lines}{conflict}"
        )
        return text + (
            f" RETURNING {', '.join(quoted(name) for name in self.returning)}"
            if self.returning
            else ""
        ), values


class InsertRows(NewRows):
    """Rows to insert, and the rule for existing rows."""

    on_conflict: Literal["fail", "skip"] = Field(
        "fail",
        title="On Conflict",
        blank="absent",
        description="'fail' inserts all or none; 'skip' leaves out rows whose key exists.",
    )


class UpsertRows(NewRows):
    """Rows to insert, or to change where their key exists."""

    key_columns: tuple[str, ...] = Field(
        title="Key Columns",
        schema={**_NAMES, "minItems": 1},
        description="Columns of a primary key or a unique index, by which a row is known.",
    )


def quoted(name: str) -> str:
    """Quote an identifier ("Lexical Structure", 4.1.1)."""
    return '"' + name.replace('"', '""') + '"'


@connector.action(
    "insertRows",
    effect="write",
    no_evidence=_OWN_COLUMNS,
    examples=[
        (
            "Insert an order",
            {"table": "orders", "rows": [{"customer": 7, "total": "19.90"}], "returning": ["id"]},
            {"rows": [{"id": 1}], "columns": ["id"], "truncated": False, "affected": 1},
        )
    ],
    keywords=("add a row", "store a record"),
)
def insert_rows(asked: InsertRows, client: PostgresClient) -> Changed:
    """Insert rows, all of them or none."""
    statement, values = asked.statement(
        " ON CONFLICT DO NOTHING" if asked.on_conflict == "skip" else ""
    )
    rows = client.change(statement, values)
    return Changed(**found(rows), affected=rows.affected)


@connector.action(
    "upsertRows",
    effect="write",
    no_evidence=_OWN_COLUMNS,
    examples=[
        (
            "Store the newest price",
            {"table": "prices", "rows": [{"sku": "lamp", "price": "19.90"}], "keyColumns": ["sku"]},
            {"rows": [], "columns": [], "truncated": False, "affected": 1},
        )
    ],
    keywords=("insert or update", "merge rows"),
)
def upsert_rows(asked: UpsertRows, client: PostgresClient) -> Changed:
    """Insert rows, or change those whose key exists already."""
    statement, values = asked.statement(_replacing(asked.key_columns, columns_of(asked.rows)))
    rows = client.change(statement, values)
    return Changed(**found(rows), affected=rows.affected)


def _replacing(keys: Sequence[str], columns: Sequence[str]) -> str:
    changed = [f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in columns if name not in keys]
    outcome = f"DO UPDATE SET {', '.join(changed)}" if changed else "DO NOTHING"
    return f" ON CONFLICT ({', '.join(quoted(name) for name in keys)}) {outcome}"
