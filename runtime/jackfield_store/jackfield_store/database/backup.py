"""Backup of a database in use, and restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from psycopg.conninfo import make_conninfo

from jackfield.kernel.clock import within
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.durable import sync
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.signals import started_whole
from jackfield_store.database.check import CheckReport, check
from jackfield_store.database.engine import Database
from jackfield_store.database.faults import (
    DatabaseUnfit,
    NoAnswer,
    Trouble,
    UsageFault,
    unavailable,
)
from jackfield_store.database.hold import Hold, script
from jackfield_store.database.lost_numbers import note_place, noting
from jackfield_store.database.postgres import PostgresDialect
from jackfield_store.database.sqlite import SqliteDialect, trouble_of
from jackfield_store.database.transaction import Dialect

__all__ = ["Backup", "CheckReport", "backup", "check", "dump", "restore", "restore_dump"]

_PLACES = "dispatchers"
"""Table in which a copy is marked as a copy; the oldest databases lack it."""
_COPY = "Stop jackfield, copy the backup to the database's path, and start jackfield again."


@dataclass(frozen=True, slots=True)
class Backup:
    """Completed backup: path, size in bytes, and version of the tables."""

    path: str
    size: int
    version: int


def backup(database: Database, path: str | os.PathLike[str]) -> Backup:
    """Copy a consistent snapshot of the database to a new file (mode 0600), without blocking calls.

    A backup of SQLite is itself a database, checked before it gets its name: to restore it, copy it
    to the database's path. A backup of PostgreSQL is an archive of ``pg_dump``, for ``restore``.
    Neither contains the master key.

    :raises InvalidInvocation: if the path is not a file path.
    :raises UsageFault: if the file exists.
    :raises DatabaseUnfit: if PostgreSQL's ``pg_dump`` is not on the PATH.
    :raises Unavailable: if the file cannot be written, or the database cannot be read.
    """
    if not Path(path).name:
        raise InvalidInvocation(
            f"the backup's path '{path}' is not a file path",
            hint="Give a new file in a writable folder.",
        )
    version = database.version()
    with _new_file(Path(path)) as part:
        dialect = database.dialect
        if isinstance(dialect, SqliteDialect):
            _copy(dialect, part)
        else:
            dump(dialect, part, Path(path))
    return Backup(str(path), Path(path).stat().st_size, version)


def restore(
    database: Database,
    path: str | os.PathLike[str],
    migrate: Callable[[Database], list[int]] = Database.migrate,
    hold: Hold | None = None,
) -> list[int]:
    """Load a PostgreSQL backup into ``database``, which must have no tables, and migrate it. All or
    nothing.

    Return the migrations that ``migrate`` applied to an older backup. With ``hold``, the queue is
    held in the same transaction.

    :raises DatabaseUnfit: if the database is SQLite or not empty, the file is no backup, or
        ``pg_restore`` is not on the PATH.
    :raises Unavailable: if ``pg_restore`` fails.
    """
    dialect = database.dialect
    if isinstance(dialect, SqliteDialect):
        raise DatabaseUnfit("a backup of SQLite is itself a database", hint=_COPY)
    with database.read() as transaction:
        tables = transaction.execute(dialect.tables, {})
    if tables:
        raise DatabaseUnfit(
            f"the database is not empty: it has the table '{tables[0].name}'",
            hint="Restore into a new, empty database.",
        )
    if hold is None:
        restore_dump(dialect, Path(path))
    else:
        restore_held(dialect, Path(path), hold)
    applied = migrate(database)
    with database.write() as transaction:
        if any(row.name == _PLACES for row in transaction.execute(dialect.tables)):
            note_place(transaction, dialect)
    return applied


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Create a temporary file next to ``path`` and link it to ``path`` on success. Never overwrite
    a file.
    """
    part = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    if path.exists():
        raise _file_exists(path)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        sync(part)
        os.link(part, path)
        sync(path.parent)
    except FileExistsError:
        raise _file_exists(path) from None
    except OSError as fault:
        raise Unavailable(
            f"the backup '{path}' cannot be written: {fault.strerror}",
            hint="Give a new file in a writable folder.",
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()


def _file_exists(path: Path) -> UsageFault:
    return UsageFault(
        f"the backup '{path}' cannot be written: the file exists already",
        hint="Give the path of a new file.",
    )


def _copy(dialect: SqliteDialect, part: Path) -> None:
    source = dialect.connect(reads=True)
    target = sqlite3.connect(part, isolation_level=None)
    try:
        # in one step: it reads one snapshot and does not block writers
        source.connection.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # a single file without a WAL
        if target.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_PLACES,)).fetchone():
            target.execute(*noting(dialect))
        sound = [row[0] for row in target.execute("PRAGMA integrity_check(1)")] == ["ok"]
    except sqlite3.Error as fault:
        raise unavailable(trouble_of(fault) or Trouble.DAMAGED, "the backup was not made") from None
    finally:
        target.close()
        source.close()
    if not sound:
        raise unavailable(Trouble.DAMAGED, "the backup was not made")


_ARCHIVE = b"PGDMP"
_SQLITE = b"SQLite format 3\0"
_URL = '"$JACKFIELD_DATABASE_URL"'
# no list of live processes
_DUMP = ("--format=custom", "--exclude-table-data=instances", "--lock-wait-timeout=30s")
_SECRET = ("password", "sslpassword")
_HINT = "Read the program's message. The program must not be older than the server."
_STALLED = 60.0
"""Seconds without an answer after which a server counts as unavailable, even if it accepts new
connections.
"""
_BOUND = """import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    try:
        os.execv(sys.argv[2], sys.argv[2:])
    except OSError as fault:
        sys.exit(f"'{sys.argv[2]}' cannot be run: {fault.strerror}")
"""
"""Python program that replaces itself by another program, which the kernel kills with its parent
(Linux's PR_SET_PDEATHSIG). Python's own ``preexec_fn`` is not safe in a process with threads.
"""
_RESTORE = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")


def dump(dialect: Dialect, part: Path, path: Path) -> None:
    """Write an archive of a consistent snapshot to ``part``, which exists; messages name ``path``.

    :raises DatabaseUnfit: if ``pg_dump`` is not on the PATH.
    :raises Unavailable: if it fails.
    """
    program = _program("pg_dump", f"pg_dump --format=custom --file='{path}' --dbname={_URL}")
    _run(dialect, [program, *_DUMP, "--file", str(part)], failed="the backup was not made")


def restore_dump(dialect: Dialect, path: Path) -> None:
    """Load an archive written by ``dump`` into an empty database. All or nothing.

    :raises DatabaseUnfit: if ``pg_restore`` is not on the PATH, or the file is no archive.
    :raises Unavailable: if it fails.
    """
    _check_archive(path)
    program = _program("pg_restore", f"pg_restore {' '.join(_RESTORE)} --dbname={_URL} '{path}'")
    _run(dialect, [program, *_RESTORE, str(path)], failed="nothing was restored")


def restore_held(dialect: Dialect, path: Path, hold: Hold) -> None:
    """Load an archive, and hold its queue, in one transaction: no process that waits for the tables
    sees them before the hold.

    :raises DatabaseUnfit: if ``pg_restore`` or ``psql`` is not on the PATH, or the file is not an
        archive.
    :raises Unavailable: if one of them fails.
    """
    _check_archive(path)
    unpack = _program("pg_restore", "pg_restore --file=- …")
    load = _program("psql", f"psql --single-transaction --dbname={_URL}")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "restored.sql")
        _ran([unpack, *_RESTORE[:2], "--file", str(text), str(path)], None, "nothing was restored")
        with text.open("a", encoding="utf-8") as end:
            end.write(f"\nSET search_path = public;\n{script(hold)}")
        options = (
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set",
            "ON_ERROR_STOP=1",
            "--file",
            str(text),
        )
        _run(dialect, [load, *options], failed="nothing was restored")


def _check_archive(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as fault:
        raise DatabaseUnfit(f"the backup '{path}' cannot be read: {fault.strerror}") from None
    if head == _SQLITE:
        raise DatabaseUnfit(
            f"the backup '{path}' is a SQLite database",
            hint="Stop jackfield, copy it to the database's path, and start jackfield again.",
        )
    if not head.startswith(_ARCHIVE):
        raise DatabaseUnfit(
            f"the backup '{path}' is not a pg_dump archive",
            hint="Give a file written by 'jackfield db backup'.",
        )


def _program(name: str, command: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise DatabaseUnfit(
            f"a backup of PostgreSQL needs '{name}', which is not on the PATH",
            hint=(
                "Install PostgreSQL's client programs in the server's version or newer, or "
                f"run this where they are installed: {command}"
            ),
        )
    return found


def _run(dialect: Dialect, command: list[str], *, failed: str) -> None:
    if not isinstance(dialect, PostgresDialect):
        raise TypeError(dialect.name)
    place = make_conninfo(
        "", **{name: value for name, value in dialect.options.items() if name not in _SECRET}
    )
    _ran([*command, "--no-password", "--dbname", place], dialect, failed)


def _ran(command: list[str], dialect: PostgresDialect | None, failed: str) -> None:
    """Run a program of PostgreSQL to its end, for as long as its server answers; ``dialect`` is
    None if it uses no server.

    :raises Unavailable: if the program fails.
    """
    started: list[subprocess.Popen[str]] = []
    with OnFailure(_end, started):
        try:
            with started_whole():
                started.append(_started(command, {} if dialect is None else dialect.options))
        except OSError as fault:
            raise Unavailable(
                f"{failed}: '{command[0]}' cannot be run: {fault.strerror}",
                hint="Check the programs on the PATH.",
            ) from None
        told = _stderr_of(started[0], dialect, failed)
    if started[0].returncode != 0:
        line = _first_line(told, started[0].returncode)
        raise Unavailable(
            f"{failed}: {line if dialect is None else dialect.without_secrets(line)}", hint=_HINT
        )


def _stderr_of(program: subprocess.Popen[str], dialect: PostgresDialect | None, failed: str) -> str:
    """Wait for the end of a program, and return its stderr. The program would wait endlessly for a
    silent server; a busy server, such as one that builds an index, answers others meanwhile.

    :raises Unavailable: if the server does not answer.
    """
    if dialect is None:
        return program.communicate()[1]
    while True:
        try:
            return program.communicate(timeout=dialect.wait / 2)[1]
        except subprocess.TimeoutExpired:
            _ask(dialect, failed)


def _ask(dialect: PostgresDialect, failed: str) -> None:
    try:
        with within(_STALLED):
            dialect.look_up("SELECT 1 AS one", {})
    except NoAnswer as error:
        raise Unavailable(f"{failed}: {error.message}", hint=error.hint) from None
    except Unavailable:  # it did answer: what it refuses the program, too, that will tell
        pass


def _started(command: list[str], options: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*_bound(), *command],
        env=_environment(options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _bound() -> list[str]:
    """Return the start of a command whose program never outlives this process: a restore would
    otherwise continue alone.

    Return an empty list if the system has no way to do this, or ``sys.executable`` is not Python,
    as in a frozen application.
    """
    if sys.platform != "linux" or getattr(sys, "frozen", False) or not sys.executable:
        return []
    return [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid())]


def _end(started: list[subprocess.Popen[str]]) -> None:
    for program in started:
        program.kill()
        program.communicate()


def _first_line(stderr: str, code: int) -> str:
    """Return the first line of a program's stderr, which holds the cause; further lines give the
    place.
    """
    lines = [
        line.strip() for line in stderr.splitlines() if line.strip() and "warning:" not in line
    ]
    return lines[0][:300] if lines else f"exit code {code}"


def _environment(options: Mapping[str, str]) -> dict[str, str]:
    """Return the program's environment, without jackfield's variables.

    The password is passed in the environment because other users can read a process's arguments.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")
    }
    return environment | ({"PGPASSWORD": options["password"]} if "password" in options else {})
