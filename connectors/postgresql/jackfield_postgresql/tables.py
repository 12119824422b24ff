"""Actions that describe a database's content."""

from __future__ import annotations

import json

from jackfield.connector import Field, Inputs, Output, Pagination
from jackfield_postgresql.catalogue import COLUMNS, TABLES
from jackfield_postgresql.client import PostgresClient
from jackfield_postgresql.connector import connector
from jackfield_postgresql.fields import schema_field, table_field
from jackfield_sql.tables import TableColumn, TableDescription, bad_token, no_table

_PAGE = 100


class TableQuery(Inputs):
    """Part of the list to fetch."""

    next_token: str | None = Field(
        None,
        title="Next Token",
        description="Token of the page to fetch.",
        blank="absent",
        schema={"maxLength": 400},
    )
    fetch_all: bool = Field(
        False, title="Fetch All", description="True to fetch every page.", blank="absent"
    )


class Table(Output):
    """Table or view."""

    schema_name: str = Field(alias="schema", title="Schema", description="Its schema.")
    name: str = Field(title="Name", description="Its name.")
    kind: str = Field(title="Kind", description="table, view, materializedView or foreignTable.")


class Tables(Output):
    """Page of the list."""

    tables: tuple[Table, ...] = Field(title="Tables", description="Tables and views.")
    next_token: str | None = Field(
        None, title="Next Token", description="Token of the next page, if there is one."
    )


@connector.action(
    "listTables",
    effect="read",
    pagination=Pagination("nextToken", "nextToken", "tables", all_input="fetchAll"),
    examples=[
        (
            "All tables",
            {"fetchAll": True},
            {"tables": [{"schema": "public", "name": "orders", "kind": "table"}]},
        )
    ],
)
def list_tables(query: TableQuery, client: PostgresClient) -> Tables:
    """List the tables and views in schemas that the user may use, by name."""
    rows = client.read(TABLES, _after(query.next_token), _PAGE)
    last = rows.rows[-1] if rows.truncated else None
    token = json.dumps([last["schema"], last["name"]]) if last else None
    return Tables(tables=tuple(Table(**row) for row in rows.rows), next_token=token)


def _after(token: str | None) -> list[str]:
    if not token:
        return ["", ""]
    try:
        schema, name = json.loads(token)
        return [str(schema), str(name)]
    except (ValueError, TypeError, RecursionError):
        raise bad_token() from None


class TableName(Inputs):
    """Table to describe."""

    db_schema: str = schema_field()
    table: str = table_field()


@connector.action(
    "describeTable",
    effect="read",
    examples=[
        (
            "Columns of a table",
            {"table": "orders"},
            {"columns": [{"name": "id", "type": "integer", "nullable": False, "key": True}]},
        )
    ],
)
def describe_table(asked: TableName, client: PostgresClient) -> TableDescription:
    """List the columns of a table or view with their types."""
    rows = client.read(COLUMNS, [asked.db_schema, asked.table]).rows
    if not rows:
        raise no_table(f"there is no table '{asked.table}' in the schema '{asked.db_schema}'")
    return TableDescription(columns=tuple(TableColumn(**row) for row in rows))
