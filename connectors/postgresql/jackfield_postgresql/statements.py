"""Actions that run a statement of the caller's own."""

from __future__ import annotations

from typing import Any

from jackfield.connector import Field, Inputs
from jackfield_postgresql.client import PostgresClient
from jackfield_postgresql.connector import connector
from jackfield_sql.statements import (
    FoundRows,
    found,
    max_rows_field,
    parameters_field,
    rows_output,
    sql_field,
)


class Statement(Inputs):
    """Statement to run."""

    sql: str = sql_field(
        "SELECT id, total FROM orders WHERE customer = $1",
        "One statement. Write $1, $2 and so on for values; never put values into the text.",
    )
    parameters: tuple[Any, ...] = parameters_field(
        "The values of $1, $2 and so on: JSON values. Lists are arrays, or JSON where the column "
        "is; bytes are base64."
    )
    max_rows: int = max_rows_field()


class Found(FoundRows):
    """Rows that a statement returned."""

    rows: tuple[dict[str, Any], ...] = rows_output(
        "The rows, by column. Numerics are text, times are ISO 8601, bytes are base64, json is "
        "JSON."
    )


class Changed(Found):
    """Outcome of a statement that was committed."""

    affected: int = Field(
        title="Affected", description="Rows that were inserted, changed, deleted or returned."
    )


@connector.action(
    "runQuery",
    effect="read",
    examples=[
        (
            "Orders of a customer",
            {"sql": "SELECT id, total FROM orders WHERE customer = $1", "parameters": [7]},
            {"rows": [{"id": 1, "total": "19.90"}], "columns": ["id", "total"], "truncated": False},
        )
    ],
    keywords=("select", "read a table", "find rows"),
)
def run_query(statement: Statement, client: PostgresClient) -> Found:
    """Run a statement in a transaction that cannot change data, and return its rows."""
    return Found(**found(client.read(statement.sql, statement.parameters, statement.max_rows)))


@connector.action(
    "executeStatement",
    effect="write",
    no_evidence=(
        "What a statement changes is the caller's own text: jackfield does not know where a "
        "marker would go."
    ),
    examples=[
        (
            "Cancel an order",
            {
                "sql": "UPDATE orders SET state = 'cancelled' WHERE id = $1 RETURNING id, state",
                "parameters": [1],
            },
            {
                "rows": [{"id": 1, "state": "cancelled"}],
                "columns": ["id", "state"],
                "truncated": False,
                "affected": 1,
            },
        )
    ],
    keywords=("update rows", "delete rows", "call a procedure"),
)
def execute_statement(statement: Statement, client: PostgresClient) -> Changed:
    """Run a statement in a transaction of its own, and commit it. RETURNING returns rows."""
    rows = client.change(statement.sql, statement.parameters, statement.max_rows)
    return Changed(**found(rows), affected=rows.affected)
