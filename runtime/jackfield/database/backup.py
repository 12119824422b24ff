"""A copy of the whole database while it is in use."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jackfield.database.check import Report, check
from jackfield.database.durable import sync
from jackfield.database.engine import Database
from jackfield.database.faults import DatabaseUnfit, Trouble, UsageFault, unavailable
from jackfield.database.sqlite import SqliteDialect, trouble_of
from jackfield.errors import InvalidInvocation, Unavailable

__all__ = ["Backup", "Report", "backup", "check", "restore"]

_COPY = "Stop jackfield, copy the backup to the place of the database, and start again."


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made: where, how many bytes, and of which version of the tables."""

    path: str
    size: int
    version: int


def backup(database: Database, path: str | os.PathLike[str]) -> Backup:
    """Copy the database, as it is at one moment, to a new file (mode 0600) while calls go on.

    Of SQLite the file is a database in itself, checked before it gets its name: copied to the database's place it is the restore. Of
    PostgreSQL it is an archive of ``pg_dump``, for ``restore``. The master key is in neither.

    :raises InvalidInvocation: where the path names no file.
    :raises UsageFault: where the file is there already.
    :raises DatabaseUnfit: where PostgreSQL's ``pg_dump`` is not on the PATH.
    :raises Unavailable: where the file cannot be written, or the database cannot be read.
    """
    if not Path(path).name:
        raise InvalidInvocation(f"the backup's path '{path}' names no file", hint="Name a new file in a folder that can be written.")
    version = database.version()
    with _new_file(Path(path)) as part:
        dialect = database.dialect
        if isinstance(dialect, SqliteDialect):
            _copy(dialect, part)
        else:
            from jackfield.database.postgres_programs import dump

            dump(dialect, part, Path(path))
    return Backup(str(path), Path(path).stat().st_size, version)


def restore(database: Database, path: str | os.PathLike[str], migrate: Callable[[Database], list[int]] = Database.migrate) -> list[int]:
    """Read a backup of PostgreSQL into ``database``, which must have no tables, and bring it up to date; all of it or nothing.

    Return the migrations that an older backup needed, which ``migrate`` applies.

    :raises DatabaseUnfit: where the database is SQLite or not empty, the file is no backup, or ``pg_restore`` is not on the PATH.
    :raises Unavailable: where ``pg_restore`` fails.
    """
    dialect = database.dialect
    if isinstance(dialect, SqliteDialect):
        raise DatabaseUnfit("a backup of SQLite is a database in itself", hint=_COPY)
    from jackfield.database.postgres_programs import restore_dump

    with database.read() as transaction:
        tables = transaction.execute(dialect.tables, {})
    if tables:
        raise DatabaseUnfit(f"the database is not empty: it has the table '{tables[0].name}'", hint="Restore into a new database.")
    restore_dump(dialect, Path(path))
    return migrate(database)


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that gets the name ``path`` when the block ends well; nothing that is there is ever overwritten."""
    part = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    if path.exists():
        raise _taken(path)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        sync(part)
        os.link(part, path)
        sync(path.parent)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as fault:
        raise Unavailable(
            f"the backup '{path}' cannot be written: {fault.strerror}", hint="Name a new file in a folder that can be written."
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()


def _taken(path: Path) -> UsageFault:
    return UsageFault(f"the backup '{path}' cannot be written: the file is there already", hint="Name a new file.")


def _copy(dialect: SqliteDialect, part: Path) -> None:
    source = dialect.connect(reads=True)
    target = sqlite3.connect(part, isolation_level=None)
    try:
        source.connection.backup(target)  # in one step: it reads one state, and writers are not held up
        target.execute("PRAGMA journal_mode = DELETE")  # one file, without a WAL beside it
        sound = [row[0] for row in target.execute("PRAGMA integrity_check(1)")] == ["ok"]
    except sqlite3.Error as fault:
        raise unavailable(trouble_of(fault) or Trouble.DAMAGED, "the backup was not made") from None
    finally:
        target.close()
        source.close()
    if not sound:
        raise unavailable(Trouble.DAMAGED, "the backup was not made")
