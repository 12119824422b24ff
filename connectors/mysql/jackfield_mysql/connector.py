"""The connector ``mysql``: its connection type, option sources, and the list of its actions'
modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.connector import Connector, Option
from jackfield_mysql.catalogue import COLUMNS, TABLES
from jackfield_mysql.client import MysqlClient
from jackfield_mysql.connection_type import Password

_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='4' fill='%2300546b'/>"
    "<text x='12' y='17' font-family='sans-serif' font-size='13' text-anchor='middle' "
    "fill='white'>M</text></svg>"
)
_MOST_OFFERED = 1000
UNRECORDED = (
    "The server tells nobody what became of a transaction, and a marker would need a column "
    "of the caller's own table."
)
"""Reason why writes have no evidence."""

connector = Connector(
    "mysql",
    title="MySQL and MariaDB",
    version="0.1.0",
    description="Query and change the tables of a MySQL or MariaDB database.",
    connections=[Password],
    icon=_ICON,
    categories=["database"],
    documentation_url="https://mariadb.com/kb/en/sql-statements/",
    license="Apache-2.0",
    modules={
        f"{__package__}.statements": ("runQuery", "executeStatement"),
        f"{__package__}.rows": ("insertRows", "upsertRows"),
        f"{__package__}.tables": ("listTables", "describeTable"),
    },
)


@connector.options("tables", title="Tables")
def tables(client: MysqlClient) -> Iterable[Option]:
    """The tables and views of the connection's database."""
    return [
        Option(row["name"], row["name"]) for row in client.read(TABLES, [""], _MOST_OFFERED).rows
    ]


@connector.options("columns", title="Columns", depends_on=["table"])
def columns(client: MysqlClient, inputs: Mapping[str, Any]) -> Iterable[Option]:
    """The columns of the form's table."""
    rows = client.read(COLUMNS, [str(inputs.get("table") or "")], _MOST_OFFERED).rows
    return [Option(row["name"], f"{row['name']} ({row['type']})") for row in rows]
