"""Actions that insert rows without a line of SQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from jackfield.connector import Detail, Field, Inputs
from jackfield_mysql.client import MysqlClient
from jackfield_mysql.connector import UNRECORDED, connector
from jackfield_mysql.fields import table_field
from jackfield_mysql.statements import Changed, changed
from jackfield_sql.inserting import ROWS, columns_of, lines_of, too_many


class UpsertRows(Inputs):
    """Rows to insert, or to change where their key exists."""

    table: str = table_field()
    rows: tuple[dict[str, Any], ...] = Field(
        title="Rows",
        schema=ROWS,
        description=(
            "Objects with a value for each column; columns that a row lacks get their default."
        ),
    )

    def rules(self) -> Iterable[Detail]:
        """Yield a fault if the rows have more values than one statement allows."""
        return too_many(self.rows)

    def statement(self, conflict: str) -> tuple[str, list[Any]]:
        """Return the statement and its parameters."""
        lines, values = lines_of(self.rows, lambda _number: "?")
        names = ", ".join(quoted(name) for name in columns_of(self.rows))
        return f"INSERT INTO {quoted(self.table)} ({names}) VALUES {lines}{conflict}", values


class InsertRows(UpsertRows):
    """Rows to insert, and the rule for existing rows."""

    on_conflict: Literal["fail", "skip"] = Field(
        "fail",
        title="On Conflict",
        blank="absent",
        description="'fail' inserts all or none; 'skip' leaves out rows whose key exists.",
    )


def quoted(name: str) -> str:
    """Quote an identifier (MariaDB's documentation, "Identifier Names")."""
    return "`" + name.replace("`", "``") + "`"


@connector.action(
    "insertRows",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[
        (
            "Insert an order",
            {"table": "orders", "rows": [{"customer": 7, "total": "19.90"}]},
            {"rows": [], "columns": [], "truncated": False, "affected": 1, "lastId": 1},
        )
    ],
    keywords=("add a row", "store a record"),
)
def insert_rows(asked: InsertRows, client: MysqlClient) -> Changed:
    """Insert rows, all of them or none where the table knows transactions (InnoDB)."""
    first = quoted(columns_of(asked.rows)[0])
    return changed(
        client.change(
            *asked.statement(
                f" ON DUPLICATE KEY UPDATE {first} = {first}" if asked.on_conflict == "skip" else ""
            )
        )
    )


@connector.action(
    "upsertRows",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[
        (
            "Store the newest price",
            {"table": "prices", "rows": [{"sku": "lamp", "price": "19.90"}]},
            {"rows": [], "columns": [], "truncated": False, "affected": 1},
        )
    ],
    keywords=("insert or update", "merge rows"),
)
def upsert_rows(asked: UpsertRows, client: MysqlClient) -> Changed:
    """Insert rows, or change those whose primary or unique key exists already. A changed row counts
    twice.
    """
    given = ", ".join(f"{quoted(name)} = VALUES({quoted(name)})" for name in columns_of(asked.rows))
    return changed(client.change(*asked.statement(f" ON DUPLICATE KEY UPDATE {given}")))
