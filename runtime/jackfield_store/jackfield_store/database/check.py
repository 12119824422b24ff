"""Consistency check of a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import JackfieldError
from jackfield_store.database.engine import Database
from jackfield_store.database.migrations import declared, known_migrations
from jackfield_store.database.transaction import Transaction

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Result of ``check``. ``problems`` are sentences, empty for a sound database; ``not_checked``
    lists skipped parts.
    """

    kind: str
    location: str
    version: int
    problems: tuple[str, ...]
    not_checked: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """True if no problem was found."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "database": self.location,
            "kind": self.kind,
            "version": self.version,
            "ok": self.sound,
            "problems": list(self.problems),
            **({"notChecked": list(self.not_checked)} if self.not_checked else {}),
        }

    def and_more(self, problems: Iterable[str], not_checked: Iterable[str] = ()) -> CheckReport:
        """Add the findings of another check, up to twenty problems in total."""
        more = tuple(islice(problems, max(0, _SHOWN - len(self.problems))))
        return replace(
            self, problems=(*self.problems, *more), not_checked=(*self.not_checked, *not_checked)
        )


def check(database: Database) -> CheckReport:
    """Check the database's version, tables and indexes, and on SQLite every page and reference.

    Changes nothing, and reports faults of the database instead of raising them.
    """
    version = 0
    problems: list[str] = []
    try:
        version = database.version()
    except JackfieldError as fault:
        problems.append(fault.message)
    if not problems:
        for look in (_migrations, _missing, _inside):
            problems += _problems(look, database)
    return CheckReport(
        database.dialect.name, database.location, version, tuple(dict.fromkeys(problems))[:_SHOWN]
    )


def _problems(look: Callable[[Database], Iterable[str]], database: Database) -> list[str]:
    try:
        return list(look(database))
    except JackfieldError as fault:
        return [fault.message]


def _migrations(database: Database) -> Iterator[str]:
    pending = database.pending()
    if pending:
        yield f"not up to date: version {pending[0]} is pending; run 'jackfield db upgrade'"
    for version in database.migrations.altered():
        yield f"version {version} was applied with different SQL than this jackfield contains"


def _missing(database: Database) -> Iterator[str]:
    pending = set(database.pending())
    known = [migration for migration in known_migrations() if migration.version not in pending]
    with database.read() as transaction:
        for kind, statement in (
            ("table", database.dialect.tables),
            ("index", database.dialect.indexes),
        ):
            present = {row.name for row in transaction.execute(statement)}
            yield from (
                f"the {kind} '{name}' is missing"
                for name in declared(kind.upper(), known)
                if name not in present
            )


def _inside(database: Database) -> list[str]:
    with database.read() as transaction:
        return _sqlite(transaction) if database.dialect.name == "sqlite" else _postgres(transaction)


def _sqlite(transaction: Transaction) -> list[str]:
    pages = [row[0] for row in transaction.execute(f"PRAGMA integrity_check({_SHOWN})")]
    orphans = transaction.execute("PRAGMA foreign_key_check")
    return [f"damaged: {text}" for text in pages if text != "ok"] + [
        f"a row of '{row.table}' refers to a row of '{row.parent}' that does not exist"
        for row in orphans
    ]


def _postgres(transaction: Transaction) -> list[str]:
    rows = transaction.execute(
        "SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN "
        "pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema() AND NOT i.indisvalid"
    )
    return [f"the index '{row.name}' is not valid" for row in rows]
