"""The connector ``postgresql``: its connection type, option sources, and the list of its actions'
modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector import Connector, Option
from jackfield_postgresql.catalogue import COLUMNS
from jackfield_postgresql.connection_type import Password

if TYPE_CHECKING:
    from jackfield_postgresql.client import PostgresClient

_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='4' fill='%23336791'/>"
    "<text x='12' y='17' font-family='sans-serif' font-size='13' text-anchor='middle' "
    "fill='white'>P</text></svg>"
)
_MOST_OFFERED = 1000

connector = Connector(
    "postgresql",
    title="PostgreSQL",
    version="0.1.0",
    description="Query, change and watch the tables of a PostgreSQL database.",
    connections=[Password],
    icon=_ICON,
    categories=["database"],
    documentation_url="https://www.postgresql.org/docs/current/",
    license="Apache-2.0",
    modules={
        f"{__package__}.statements": ("runQuery", "executeStatement"),
        f"{__package__}.rows": ("insertRows", "upsertRows"),
        f"{__package__}.tables": ("listTables", "describeTable"),
    },
    trigger_modules={f"{__package__}.watching": ("newRows",)},
)


@connector.options("schemas", title="Schemas")
def schemas(client: PostgresClient) -> Iterable[Option]:
    """The schemas that the user may use, without the server's own."""
    rows = client.read(
        "SELECT nspname AS name FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname "
        "<> 'information_schema' "
        "AND has_schema_privilege(oid, 'USAGE') ORDER BY nspname",
        most=_MOST_OFFERED,
    ).rows
    return [Option(row["name"], row["name"]) for row in rows]


@connector.options("tables", title="Tables", depends_on=["schema"])
def tables(client: PostgresClient, inputs: Mapping[str, Any]) -> Iterable[Option]:
    """The tables and views of the form's schema, or of 'public'."""
    rows = client.read(
        "SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
        "n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY c.relname",
        [str(inputs.get("schema") or "public")],
        _MOST_OFFERED,
    ).rows
    return [Option(row["name"], row["name"]) for row in rows]


@connector.options("columns", title="Columns", depends_on=["schema", "table"])
def columns(client: PostgresClient, inputs: Mapping[str, Any]) -> Iterable[Option]:
    """The columns of the form's table."""
    rows = client.read(
        COLUMNS,
        [str(inputs.get("schema") or "public"), str(inputs.get("table") or "")],
        _MOST_OFFERED,
    ).rows
    return [Option(row["name"], f"{row['name']} ({row['type']})") for row in rows]
