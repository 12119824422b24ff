"""Numbered changes of the tables: ``0001_first.sql``, one text for all dialects.

Placeholders ``{text}``, ``{double}``, ``{blob}``, … stand for the differences (``Dialect.types``). A statement that begins with the comment
``-- sqlite:`` or ``-- postgresql:`` is for that database only. Statements end with a semicolon. Never edit a released file: add a new one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from hashlib import sha256
from pathlib import Path

from jackfield.kernel.dataclass import dataclass
from jackfield_store.database.faults import SchemaUnfit
from jackfield_store.database.statements import split
from jackfield_store.database.transaction import Dialect, Mode, Transaction

__all__ = ["UNFINISHED", "Migration", "Migrations", "declared", "known_migrations"]

_FILE = re.compile(r"(\d{4})_(\w+)\.sql\Z")
_ONLY = re.compile(r"-- (sqlite|postgresql):\n")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_OBJECT = re.compile(r"(?P<verb>CREATE|DROP) +(?:UNIQUE +)?(?P<kind>TABLE|INDEX) +(?:IF (?:NOT )?EXISTS +)?(?P<name>\w+)")
_CONTINUE = "Run the same 'jackfield db move' again: it goes on where it stopped."
_UPGRADE = "Run 'jackfield db upgrade', or start 'jackfield serve' or 'jackfield worker' with --migrate."
UNFINISHED = "unfinished_move"
"""Table of a database to which another one is being moved (``moving``)."""
_TABLE = """CREATE TABLE schema_migrations (
    version {integer} NOT NULL PRIMARY KEY, name {text} NOT NULL, applied_at {double} NOT NULL, checksum {text} NOT NULL
) {table}"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered change. ``text`` still has its placeholders."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return sha256(self.text.encode()).hexdigest()


@cache
def known_migrations(folder: str = str(Path(__file__).parent)) -> tuple[Migration, ...]:
    """Return the migrations in ``folder``, by number."""
    found = []
    for path in sorted(Path(folder).iterdir()):
        match = _FILE.match(path.name)
        if match is not None:
            found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    return tuple(found)


class Migrations:
    """Known migrations, and those applied to one database. ``begin`` begins a transaction."""

    def __init__(
        self,
        dialect: Dialect,
        begin: Callable[[Mode], AbstractContextManager[Transaction]],
        known: Callable[[], tuple[Migration, ...]] = known_migrations,
    ) -> None:
        self._dialect = dialect
        self._begin = begin
        self._known = known

    def version(self) -> int:
        """Return the newest applied migration; 0 for an empty database."""
        with self._begin(Mode.READ) as transaction:
            return max(self._applied(transaction), default=0)

    def pending(self) -> list[Migration]:
        """Return the migrations still to be applied, in order.

        :raises SchemaUnfit: if a newer jackfield has migrated the database, or another one is being moved to it.
        """
        with self._begin(Mode.READ) as transaction:
            return self._pending(transaction)

    def require_none_pending(self) -> None:
        """Check that the tables are up to date.

        :raises SchemaUnfit: if they are older or newer.
        """
        pending = self.pending()
        if pending:
            count = "1 migration is" if len(pending) == 1 else f"{len(pending)} migrations are"
            raise SchemaUnfit(f"the database is not up to date: {count} pending", hint=_UPGRADE)

    def apply(self, then: Callable[[Transaction, list[str]], None] | None = None) -> list[int]:
        """Apply pending migrations, all or nothing, and return their versions. Concurrent processes wait for each other.

        ``then`` gets the names of the applied migrations within the same transaction: for changes that SQL alone cannot make.
        """
        if not self.pending():
            return []
        with self._begin(Mode.MIGRATE) as transaction:
            pending = self._pending(transaction)  # another process may have applied them meanwhile
            if pending and not self._applied(transaction):
                self._run(transaction, _TABLE)
            for migration in pending:
                for statement in split(migration.text):
                    self._run(transaction, statement)
                transaction.change(
                    "INSERT INTO schema_migrations (version, name, applied_at, checksum) VALUES (:version, :name, :now, :checksum)",
                    {"version": migration.version, "name": migration.name, "now": time.time(), "checksum": migration.checksum},
                )
            if then is not None:
                then(transaction, [migration.name for migration in pending])
        return [migration.version for migration in pending]

    def altered(self) -> list[int]:
        """Return the versions whose text has changed since they were applied."""
        with self._begin(Mode.READ) as transaction:
            applied = self._applied(transaction)
        return [one.version for one in self._known() if applied.get(one.version, one.checksum) != one.checksum]

    def _run(self, transaction: Transaction, statement: str) -> None:
        only = _ONLY.match(statement)
        if only is None or only[1] == self._dialect.name:
            transaction.execute(_filled(statement, self._dialect.types))

    def _pending(self, transaction: Transaction) -> list[Migration]:
        if UNFINISHED in self._tables(transaction):
            raise SchemaUnfit("the database is incomplete: moving another one to it has not ended", hint=_CONTINUE)
        applied, known = self._applied(transaction), self._known()
        newest, ours = max(applied, default=0), known[-1].version
        if newest > ours:
            raise SchemaUnfit(
                f"the database belongs to a newer jackfield: it has version {newest}; this jackfield supports {ours}",
                hint="Upgrade jackfield, or restore a backup that was made before the upgrade of the database.",
            )
        return [migration for migration in known if migration.version not in applied]

    def _tables(self, transaction: Transaction) -> set[str]:
        return {row.name for row in transaction.execute(self._dialect.tables)}

    def _applied(self, transaction: Transaction) -> Mapping[int, str]:
        """Return checksums by version."""
        if "schema_migrations" not in self._tables(transaction):
            return {}
        return {row.version: row.checksum for row in transaction.execute("SELECT version, checksum FROM schema_migrations")}


def _filled(text: str, types: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: types[found[1]], text)


def declared(kind: str, known: Iterable[Migration]) -> list[str]:
    """Return the names of all objects of one ``kind`` (``TABLE``, ``INDEX``) that exist after all migrations, in order of creation."""
    names: dict[str, None] = {}
    for migration in known:
        for statement in split(migration.text):
            match = _OBJECT.search(statement)
            if match is None or match["kind"] != kind:
                continue
            if match["verb"] == "DROP":
                names.pop(match["name"], None)
            else:
                names[match["name"]] = None
    return list(names)
