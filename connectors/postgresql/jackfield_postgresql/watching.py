"""The trigger ``newRows``: rows of a table with a column that grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import Field, Inputs, Output, Polled, Since, TriggerEvent
from jackfield_postgresql.client import PostgresClient
from jackfield_postgresql.connector import connector
from jackfield_postgresql.fields import column_field, schema_field, table_field
from jackfield_postgresql.rows import quoted

_PAGE = 200
_SETTLED = (
    " AND pg_catalog.age(t.xmin) >= "
    "pg_catalog.age((txid_snapshot_xmin(txid_current_snapshot()) % 4294967296)::text::xid)"
)
"""Condition for rows of transactions older than all running ones. A running transaction may still
commit a row with a smaller value than existing rows.
"""


class Watched(Inputs):
    """Table to watch."""

    db_schema: str = schema_field()
    table: str = table_field(
        "The table's name. A view has no order of commits: rows that are committed late are "
        "missed there."
    )
    column: str = column_field(
        "Growing Column",
        "A unique column whose values grow with each row, such as a serial ID. Its index is used.",
    )


class NewRow(Output):
    """Row that was inserted."""

    row: dict[str, Any] = Field(title="Row", description="The row, by column.")


@connector.poll("newRows", inputs=Watched, event=NewRow, every=60, types=("rowInserted",))
def new_rows(watched: Watched, client: PostgresClient, since: Since) -> Polled:
    """Report rows as they are inserted, in the order of a column that grows. Rows that exist when
    the subscription is added are not reported.
    """
    name, column = f"{quoted(watched.db_schema)}.{quoted(watched.table)}", quoted(watched.column)
    if "after" not in since.mark:
        found = client.read(f"SELECT max({column})::text AS last FROM {name}").rows
        return Polled([], {"after": found[0]["last"]})
    after = since.mark["after"]
    settled = _SETTLED if _is_table(watched, client) else ""
    where = "true" if after is None else f"t.{column} > $1"
    statement = (
        f"SELECT t.*, t.{column}::text AS jackfield_after FROM {name} t WHERE "
        f"{where}{settled} ORDER BY t.{column} LIMIT {_PAGE}"
    )
    rows = client.read(statement, [] if after is None else [after]).rows
    events = [TriggerEvent(NewRow(row=_without_mark(row)), _key(row)) for row in rows]
    return Polled(events, {"after": _key(rows[-1]) if rows else after}, more=len(rows) == _PAGE)


def _is_table(watched: Watched, client: PostgresClient) -> bool:
    rows = client.read(
        "SELECT c.relkind AS kind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
        "n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2",
        [watched.db_schema, watched.table],
    ).rows
    return bool(rows) and rows[0]["kind"] in {"r", "p"}


def _key(row: Mapping[str, Any]) -> str:
    return str(row["jackfield_after"])


def _without_mark(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "jackfield_after"}
