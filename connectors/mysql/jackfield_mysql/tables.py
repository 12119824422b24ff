"""Actions that describe a database's content."""

from __future__ import annotations

from jackfield.connector import Field, Inputs, Output, Pagination
from jackfield_mysql.catalogue import COLUMNS, TABLES
from jackfield_mysql.client import MysqlClient
from jackfield_mysql.connector import connector
from jackfield_mysql.fields import table_field
from jackfield_sql.tables import TableColumn, TableDescription, no_table

_PAGE = 100


class TableQuery(Inputs):
    """Part of the list to fetch."""

    next_token: str | None = Field(
        None,
        title="Next Token",
        description="Token of the page to fetch: the last name of the page before it.",
        blank="absent",
        schema={"maxLength": 64},
    )
    fetch_all: bool = Field(
        False, title="Fetch All", description="True to fetch every page.", blank="absent"
    )


class Table(Output):
    """Table or view."""

    name: str = Field(title="Name", description="Its name.")
    kind: str = Field(title="Kind", description="table, view or sequence.")


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
        ("All tables", {"fetchAll": True}, {"tables": [{"name": "orders", "kind": "table"}]})
    ],
)
def list_tables(query: TableQuery, client: MysqlClient) -> Tables:
    """List the tables and views of the connection's database that the user may use, by name."""
    found = client.read(TABLES, [query.next_token or ""], _PAGE)
    tables = tuple(Table(**row) for row in found.rows)
    return Tables(tables=tables, next_token=tables[-1].name if found.truncated else None)


class TableName(Inputs):
    """Table to describe."""

    table: str = table_field()


@connector.action(
    "describeTable",
    effect="read",
    examples=[
        (
            "Columns of a table",
            {"table": "orders"},
            {"columns": [{"name": "id", "type": "int(11)", "nullable": False, "key": True}]},
        )
    ],
)
def describe_table(asked: TableName, client: MysqlClient) -> TableDescription:
    """List the columns of a table or view with their types."""
    rows = client.read(COLUMNS, [asked.table]).rows
    if not rows:
        raise no_table(f"there is no table '{asked.table}' in the connection's database")
    return TableDescription(
        columns=tuple(
            TableColumn(**{**row, "nullable": bool(row["nullable"]), "key": bool(row["key"])})
            for row in rows
        )
    )
