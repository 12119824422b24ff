"""Actions that run a statement of the caller's own."""

from __future__ import annotations

from typing import Any

from jackfield.connector import Field, Inputs, Output
from jackfield_postgresql.client import MOST_ROWS, PostgresClient, Rows
from jackfield_postgresql.connector import connector
from jackfield_postgresql.examples import example

_SQL = {"minLength": 1, "maxLength": 1_000_000}
_PARAMETERS: dict[str, Any] = {"maxItems": 65_535}


class Statement(Inputs):
    """Statement to run."""

    sql: str = Field(
        title="SQL", multiline=True, language="sql", examples=["SELECT id, total FROM orders WHERE customer = $1"], schema=_SQL,
        description="One statement. Write $1, $2 and so on for values; never put values into the text.",
    )  # fmt: skip
    parameters: tuple[Any, ...] = Field(
        (), title="Parameters", schema=_PARAMETERS,
        description="The values of $1, $2 and so on: JSON values. Lists are arrays, or JSON where the column is; bytes are base64.",
    )  # fmt: skip
    max_rows: int = Field(
        1000, title="Max Rows", description="Rows to return at most.", blank="absent", schema={"minimum": 1, "maximum": MOST_ROWS}
    )


class Found(Output):
    """Rows that a statement returned."""

    rows: tuple[dict[str, Any], ...] = Field(
        title="Rows", description="The rows, by column. Numerics are text, times are ISO 8601, bytes are base64, json is JSON."
    )
    columns: tuple[str, ...] = Field(title="Columns", description="Names of the columns, in their order. One that comes again is numbered.")
    truncated: bool = Field(title="Truncated", description="True if there are more rows than were asked for, or than 4 MiB hold.")


class Changed(Found):
    """Outcome of a statement that was committed."""

    affected: int = Field(title="Affected", description="Rows that were inserted, changed, deleted or returned.")


def found(rows: Rows) -> dict[str, Any]:
    """Return the members of ``Found``."""
    return {"rows": tuple(dict(row) for row in rows.rows), "columns": tuple(one.name for one in rows.columns), "truncated": rows.truncated}


@connector.action(
    "runQuery",
    effect="read",
    examples=example(
        "runQuery",
        "Orders of a customer",
        {"sql": "SELECT id, total FROM orders WHERE customer = $1", "parameters": [7]},
        {"rows": [{"id": 1, "total": "19.90"}], "columns": ["id", "total"], "truncated": False},
    ),
    keywords=("select", "read a table", "find rows"),
)
def run_query(statement: Statement, client: PostgresClient) -> Found:
    """Run a statement in a transaction that cannot change data, and return its rows."""
    return Found(**found(client.read(statement.sql, statement.parameters, statement.max_rows)))


@connector.action(
    "executeStatement",
    effect="write",
    no_evidence="What a statement changes is the caller's own text: jackfield does not know where a marker would go.",
    examples=example(
        "executeStatement",
        "Cancel an order",
        {"sql": "UPDATE orders SET state = 'cancelled' WHERE id = $1 RETURNING id, state", "parameters": [1]},
        {"rows": [{"id": 1, "state": "cancelled"}], "columns": ["id", "state"], "truncated": False, "affected": 1},
    ),
    keywords=("update rows", "delete rows", "call a procedure"),
)
def execute_statement(statement: Statement, client: PostgresClient) -> Changed:
    """Run a statement in a transaction of its own, and commit it. RETURNING returns rows."""
    rows = client.change(statement.sql, statement.parameters, statement.max_rows)
    return Changed(**found(rows), affected=rows.affected)
