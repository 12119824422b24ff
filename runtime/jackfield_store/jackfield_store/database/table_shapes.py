"""Columns and keys of tables as the database has them, and the statements that read and write all
rows in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield_store.database.engine import Database
from jackfield_store.database.migrations import declared, known_migrations
from jackfield_store.database.statements import Row
from jackfield_store.database.transaction import Dialect, Transaction

_COLUMNS = {
    "sqlite": (
        "SELECT name, LOWER(type) AS kind, pk AS place, 0 AS numbered FROM "
        "pragma_table_info(:table)"
    ),
    "postgresql": """SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS kind, COALESCE(k.place, 0)::int AS place,
 CASE WHEN a.attidentity = '' THEN 0 ELSE 1 END AS numbered
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
LEFT JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) ON k.attnum = a.attnum
WHERE a.attrelid = to_regclass(:table) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""",
}
_SIZED = {"text", "blob", "bytea"}


@dataclass(frozen=True, slots=True)
class TableShape:
    """Columns of a table, the columns of its primary key in order, and its columns of variable
    size.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    sized: tuple[str, ...]

    @property
    def last(self) -> str:
        """Statement that returns the key of the last row."""
        return (
            f"SELECT {self._key} FROM {self.name} ORDER BY "
            f"{', '.join(f'{name} DESC' for name in self.key)} LIMIT 1"
        )

    @property
    def insert(self) -> str:
        """Statement that adds a row."""
        return (
            f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES "
            f"({', '.join(f':{name}' for name in self.columns)})"
        )

    def sizes(self, after: Row | None, upto: Row | None) -> str:
        """Return the statement for keys and ``bytes_in_row`` of at most ``page`` rows after one key
        and up to another.
        """
        size = " + ".join(f"COALESCE(LENGTH({name}), 0)" for name in self.sized) or "0"
        return (
            f"SELECT {self._key}, {size} AS bytes_in_row FROM "
            f"{self.name}{self._within(after, upto)} ORDER BY {self._key} LIMIT :page"
        )

    def rows(self, after: Row | None, upto: Row | None) -> str:
        """Return the statement for all columns of the rows after one key and up to another."""
        return (
            f"SELECT {', '.join(self.columns)} FROM {self.name}{self._within(after, upto)} "
            f"ORDER BY {self._key}"
        )

    def bounds(self, after: Row | None, upto: Row | None) -> dict[str, Any]:
        """Return the keys as parameters of ``sizes`` and ``rows``."""
        return {
            f"{prefix}_{name}": getattr(row, name)
            for prefix, row in (("after", after), ("upto", upto))
            if row is not None
            for name in self.key
        }

    @property
    def _key(self) -> str:
        return ", ".join(self.key)

    def _within(self, after: Row | None, upto: Row | None) -> str:
        limits = [
            (prefix, sign)
            for prefix, sign, row in (("after", ">", after), ("upto", "<=", upto))
            if row is not None
        ]
        terms = [
            f"({self._key}) {sign} ({', '.join(f':{prefix}_{name}' for name in self.key)})"
            for prefix, sign in limits
        ]
        return f" WHERE {' AND '.join(terms)}" if terms else ""


def shape_of(transaction: Transaction, dialect: Dialect, table: str) -> TableShape:
    """Return the shape of a table, which has a primary key."""
    columns = _columns(transaction, dialect, table)
    key = sorted((row for row in columns if row.place), key=lambda row: row.place)
    return TableShape(
        table,
        tuple(row.name for row in columns),
        tuple(row.name for row in key),
        tuple(row.name for row in columns if row.kind in _SIZED),
    )


def tables_of_workspaces(database: Database) -> list[TableShape]:
    """Return the shapes of all tables whose rows belong to workspaces."""
    with database.read() as transaction:
        shapes = [
            shape_of(transaction, database.dialect, table)
            for table in declared("TABLE", known_migrations())
        ]
    return [shape for shape in shapes if "workspace" in shape.columns]


def continue_numbers(transaction: Transaction, dialect: Dialect, table: str) -> None:
    """Continue PostgreSQL's numbers of rows above the highest one; SQLite does so by itself."""
    for row in _columns(transaction, dialect, table):
        if row.numbered:
            transaction.execute(
                f"SELECT setval(pg_get_serial_sequence(:table, :column), MAX({row.name})) FROM "
                f"{table} HAVING MAX({row.name}) IS NOT NULL",
                {"table": table, "column": row.name},
            )


@contextmanager
def without_triggers(transaction: Transaction, dialect: Dialect, table: str) -> Iterator[None]:
    """Disable a table's triggers in the block; foreign keys are checked. A rollback brings the
    triggers back, too.
    """
    if dialect.name == "sqlite":
        triggers = transaction.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table",
            {"table": table},
        )
        off, on = [f"DROP TRIGGER {row.name}" for row in triggers], [row.sql for row in triggers]
    else:
        off, on = (
            [f"ALTER TABLE {table} DISABLE TRIGGER USER"],
            [f"ALTER TABLE {table} ENABLE TRIGGER USER"],
        )
    for statement in off:
        transaction.execute(statement)
    yield
    for statement in on:
        transaction.execute(statement)


def _columns(transaction: Transaction, dialect: Dialect, table: str) -> list[Row]:
    return transaction.execute(_COLUMNS[dialect.name], {"table": table})
