"""Actions that run a statement of the caller's own."""

from __future__ import annotations

from typing import Any

from jackfield.connector import Field, Inputs
from jackfield_mysql import client
from jackfield_mysql.client import MysqlClient
from jackfield_mysql.connector import UNRECORDED, connector
from jackfield_sql.statements import FoundRows, found, max_rows_field, parameters_field, sql_field


class Statement(Inputs):
    """Statement to run."""

    sql: str = sql_field(
        "SELECT id, total FROM orders WHERE customer = ?",
        "One statement. Write ? for each value; never put values into the text.",
    )
    parameters: tuple[Any, ...] = parameters_field(
        "The values of each ?, in their order: JSON values. Lists and objects are JSON; bytes "
        'are {"base64": "…"}.'
    )
    max_rows: int = max_rows_field()


class Changed(FoundRows):
    """Outcome of a statement that was committed."""

    affected: int = Field(
        title="Affected",
        description="Rows that were inserted, deleted, returned or changed to other values.",
    )
    last_id: int | None = Field(
        None, title="Last ID", description="The first ID that was generated, if any."
    )


def changed(outcome: client.Committed) -> Changed:
    """Convert the outcome of a statement to an output."""
    return Changed(
        **found(outcome.rows), affected=outcome.rows.affected, last_id=outcome.last_id or None
    )


@connector.action(
    "runQuery",
    effect="read",
    examples=[
        (
            "Orders of a customer",
            {"sql": "SELECT id, total FROM orders WHERE customer = ?", "parameters": [7]},
            {"rows": [{"id": 1, "total": "19.90"}], "columns": ["id", "total"], "truncated": False},
        )
    ],
    keywords=("select", "read a table", "find rows"),
)
def run_query(statement: Statement, client: MysqlClient) -> FoundRows:
    """Run a statement in a transaction that cannot change data, and return its rows."""
    return FoundRows(**found(client.read(statement.sql, statement.parameters, statement.max_rows)))


@connector.action(
    "executeStatement",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[
        (
            "Cancel an order",
            {"sql": "UPDATE orders SET state = 'cancelled' WHERE id = ?", "parameters": [1]},
            {"rows": [], "columns": [], "truncated": False, "affected": 1},
        )
    ],
    keywords=("update rows", "delete rows", "call a procedure"),
)
def execute_statement(statement: Statement, client: MysqlClient) -> Changed:
    """Run a statement in a transaction of its own, and commit it."""
    return changed(client.change(statement.sql, statement.parameters, statement.max_rows))
