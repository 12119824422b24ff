"""Versions of the tables: the baseline, a text for each subject in the folder ``schema``, and
numbered changes in the same folder.

``schema/doubts.sql`` makes the tables of doubts, and ``schema/0067_doubts_note.sql`` would be the
change of version 67; one text for all dialects. Placeholders ``{text}``, ``{double}``, ``{blob}``,
… cover the differences (``Dialect.types``). A statement that begins with the comment ``-- sqlite:``
or ``-- postgresql:`` is for that database only. Statements end with a semicolon. Never change a
statement of a released file: add a change. ``schema/README.md`` lists which subjects refer to other
subjects' tables.
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
from jackfield_store.database.statements import split, without_comments
from jackfield_store.database.transaction import Dialect, Mode, Transaction

__all__ = ["BASELINE", "UNFINISHED", "Migration", "Migrations", "declared", "known_migrations"]

BASELINE = 66
"""Version of the baseline. Its tables equal the result of 65 earlier changes, which were never
released.
"""
_FIRST = "engine"
"""Subject whose tables the other texts of the baseline need."""
_CHANGE = re.compile(r"(\d{4})_(\w+)\Z")
_ONLY = re.compile(r"-- (sqlite|postgresql):\n")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_OBJECT = re.compile(
    r"(?P<verb>CREATE|DROP) +(?:UNIQUE +)?(?P<kind>TABLE|INDEX) +(?:IF (?:NOT )?EXISTS "
    r"+)?(?P<name>\w+)"
)
_CONTINUE = "Run the same 'jackfield db move' again: it goes on where it stopped."
_UPGRADE = (
    "Run 'jackfield db upgrade', or start 'jackfield serve' or 'jackfield worker' with --migrate."
)
_IN_TWO_STEPS = (
    "Install jackfield of the commit d8093255, run its 'jackfield db upgrade', and then that "
    "of this jackfield."
)
UNFINISHED = "unfinished_move"
"""Table of a database to which another one is being moved (``moving``)."""
_TABLE = """CREATE TABLE schema_migrations (
    version {integer} NOT NULL PRIMARY KEY, name {text} NOT NULL, applied_at {double} NOT NULL, checksum {text} NOT NULL
) {table}"""


@dataclass(frozen=True, slots=True)
class Migration:
    """The baseline, or one numbered change. ``text`` still has its placeholders."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements without comments, in hexadecimal."""
        return sha256("\n".join(map(without_comments, split(self.text))).encode()).hexdigest()


@cache
def known_migrations(
    folder: str = str(Path(__file__).with_name("schema")),
) -> tuple[Migration, ...]:
    """Return the baseline and the changes in ``folder``, by number."""
    texts = {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(folder).glob("*.sql"))
    }
    numbered = [
        (match, texts.pop(match[0]))
        for match in map(_CHANGE.match, list(texts))
        if match is not None
    ]
    baseline = "\n".join(
        texts[name] for name in sorted(texts, key=lambda name: (name != _FIRST, name))
    )
    return (
        Migration(BASELINE, "baseline", baseline),
        *(Migration(int(match[1]), match[2], text) for match, text in numbered),
    )


class Migrations:
    """Known versions, and the versions applied to one database. ``begin`` begins a transaction."""

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

        :raises SchemaUnfit: if a newer jackfield has migrated the database, it is too old to be
            upgraded, or another one is being moved to it.
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

    def apply(self) -> list[int]:
        """Apply pending migrations, all or nothing, and return their versions. Concurrent processes
        wait for each other.
        """
        if not self.pending():
            return []
        with self._begin(Mode.MIGRATE) as transaction:
            pending = self._pending(transaction)  # another process may have applied them meanwhile
            made = bool(self._applied(transaction))
            if not made:
                self._run(transaction, _TABLE)
            for migration in pending:
                # version 65 has its tables already
                if not (made and migration.version == BASELINE):
                    for statement in split(migration.text):
                        self._run(transaction, statement)
                transaction.change(
                    "INSERT INTO schema_migrations (version, name, applied_at, checksum) VALUES "
                    "(:version, :name, :now, :checksum)",
                    {
                        "version": migration.version,
                        "name": migration.name,
                        "now": time.time(),
                        "checksum": migration.checksum,
                    },
                )
        return [migration.version for migration in pending]

    def altered(self) -> list[int]:
        """Return the versions whose text has changed since they were applied."""
        with self._begin(Mode.READ) as transaction:
            applied = self._applied(transaction)
        return [
            one.version
            for one in self._known()
            if applied.get(one.version, one.checksum) != one.checksum
        ]

    def _run(self, transaction: Transaction, statement: str) -> None:
        only = _ONLY.match(statement)
        if only is None or only[1] == self._dialect.name:
            transaction.execute(_filled(statement, self._dialect.types))

    def _pending(self, transaction: Transaction) -> list[Migration]:
        if UNFINISHED in self._tables(transaction):
            raise SchemaUnfit(
                "the database is incomplete: moving another one to it has not ended", hint=_CONTINUE
            )
        applied, known = self._applied(transaction), self._known()
        newest, ours = max(applied, default=0), known[-1].version
        if newest > ours:
            raise SchemaUnfit(
                f"the database belongs to a newer jackfield: it has version {newest}; this "
                f"jackfield supports {ours}",
                hint=(
                    "Upgrade jackfield, or restore a backup that was made before the upgrade "
                    "of the database."
                ),
            )
        if 0 < newest < BASELINE - 1:
            raise SchemaUnfit(
                f"the database belongs to an older jackfield: it has version {newest}; this "
                f"jackfield upgrades {BASELINE - 1} or later",
                hint=_IN_TWO_STEPS,
            )
        return [migration for migration in known if migration.version not in applied]

    def _tables(self, transaction: Transaction) -> set[str]:
        return {row.name for row in transaction.execute(self._dialect.tables)}

    def _applied(self, transaction: Transaction) -> Mapping[int, str]:
        """Return checksums by version."""
        if "schema_migrations" not in self._tables(transaction):
            return {}
        return {
            row.version: row.checksum
            for row in transaction.execute("SELECT version, checksum FROM schema_migrations")
        }


def _filled(text: str, types: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: types[found[1]], text)


def declared(kind: str, known: Iterable[Migration]) -> list[str]:
    """Return the names of all objects of one ``kind`` (``TABLE``, ``INDEX``) that exist after all
    migrations, in order of creation.
    """
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
