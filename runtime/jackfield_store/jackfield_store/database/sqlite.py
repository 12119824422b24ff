"""SQLite: a local file in WAL mode, with every commit synced to the disk."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from operator import methodcaller
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote

from jackfield.kernel.clock import monotonic, patience
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.errors import Unavailable
from jackfield.kernel.failures import OnFailure
from jackfield_store.database.epoch import NUMBER
from jackfield_store.database.epoch_file import EpochFile, announce, identity
from jackfield_store.database.faults import (
    ConstraintViolation,
    Contended,
    DatabaseUnfit,
    StatementInvalid,
    Trouble,
    UniqueViolation,
    unavailable,
)
from jackfield_store.database.statements import Row, positional, rows_from
from jackfield_store.database.transaction import Dialect, Mode, Pool, Step

_log = logging.getLogger("jackfield.database")
_ERRORS = (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError)
_OLDEST = (3, 37, 0)  # for STRICT tables (https://sqlite.org/stricttables.html)
_READERS = 10
_ROUND = 0.1
"""Seconds that SQLite itself waits for a lock. After each round jackfield checks the caller's
deadline and retries.
"""
_PAUSE = 0.005
_CHECKED_FOR = 0.1
"""Seconds for which a connection assumes that the file still exists: the check takes a tenth of a
small call.
"""
_LARGEST_WAL = 64 * 1024 * 1024
_CHECKPOINT = 1000
"""Number of pages in the WAL that triggers a checkpoint (SQLite's default)."""
_PAGE = 4096
_SHARE = 8
"""Divisor of a small disk's free space: the WAL may use one eighth before a checkpoint, since a WAL
that fills the disk could never be emptied.
"""
_INCREMENTAL = 2
_RESERVE, _RESERVED_SHARE = 2000, 50
"""Number of unused pages that stay in the file for new entries, 8 MB, and divisor of the file's
pages that stay in addition.
"""
_GIVEN_BACK = 20
"""Maximum number of pages that one commit returns to the file system: about 7 ms, since each moved
page changes others.
"""
_TROUBLES = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_CANTOPEN: Trouble.UNOPENED,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_IOERR: Trouble.FAILING,
    sqlite3.SQLITE_NOMEM: Trouble.FAILING,
    sqlite3.SQLITE_PROTOCOL: Trouble.LOCKED,
}
_UNIQUE = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)


class SqliteSession:
    """One connection to the file."""

    pool: Pool[Any]

    def __init__(self, path: str, *, wait: float, reads: bool, durable: bool = True) -> None:
        self.reads = reads
        self.holder: list[Any] | None = None
        self._file = identity(path)
        self._path = path
        self._wait = wait
        self._durable, self._syncs = durable, True
        self._gone = self._full = False
        self._check_at = 0.0
        self._raised: list[int] = []
        self._watches = reads
        self.connection = sqlite3.connect(
            f"file:{quote(path)}?mode=rw",
            uri=True,
            timeout=min(wait, _ROUND),
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        with OnFailure(self.close):
            self._prepare(durable)

    @property
    def usable(self) -> bool:
        """True if the connection is in no transaction and its file still exists."""
        return not self.connection.in_transaction and not self._gone

    @property
    def in_transaction(self) -> bool:
        """True if the transaction is open. A full disk ends it."""
        return self.connection.in_transaction

    def check(self) -> None:
        """Check that the file was not deleted or replaced: SQLite would go on writing to a deleted
        file.
        """
        if identity(self._path) != self._file:
            self._gone = True
            raise unavailable(Trouble.GONE)

    def check_now_and_then(self) -> None:
        """Run ``check``, unless it has just run."""
        now = monotonic()
        if now >= self._check_at:
            self.check()
            self._check_at = now + _CHECKED_FOR

    def begin(self, statement: str, *, syncs: bool = True) -> None:
        """Begin a transaction. Without ``syncs`` its commit does not wait for the disk; a later
        commit with ``syncs`` includes it.
        """
        if syncs:
            self.check()  # what is acknowledged as on the disk must not be in a deleted file
        else:
            self.check_now_and_then()
        if not self._watches:
            self._watch_epoch()
        self._raised.clear()
        try:
            if self._durable and syncs is not self._syncs:
                self._execute_until_deadline(
                    f"PRAGMA synchronous = {'FULL' if syncs else 'NORMAL'}", {}
                )
                self._syncs = syncs
            self._execute_until_deadline(statement, {})
        except _ERRORS as fault:
            self._refuse(fault)

    def begin_migration(self) -> None:
        """Begin a migration, alone. It may sort more than fits into memory, and its connection is
        not used again.
        """
        self.execute("PRAGMA temp_store = FILE", {})  # which drops the watch
        self._gone, self._watches = True, False
        self.begin("BEGIN EXCLUSIVE")

    def execute(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Run a statement and return its rows."""
        try:
            cursor = self._execute_until_deadline(sql, params)
            return rows_from(cursor.description, cursor.fetchall())
        except _ERRORS as fault:
            self._refuse(fault, sql)

    def change(self, sql: str, params: Mapping[str, Any]) -> int:
        """Run a statement and return the number of affected rows."""
        try:
            return max(0, self.connection.execute(sql, params).rowcount)
        except _ERRORS as fault:
            self._refuse(fault, sql)

    def change_all(self, steps: Sequence[Step]) -> list[int]:
        """Run statements, each with several sets of parameters; return the number of affected rows
        for each statement.
        """
        counts = []
        for sql, rows in steps:
            text, in_order = positional(sql)
            try:
                counts.append(
                    max(0, self.connection.executemany(text, map(in_order, rows)).rowcount)
                )
            except _ERRORS as fault:
                self._refuse(fault, sql)
        return counts

    def mark(self, *, again: bool) -> None:
        """Set the savepoint ``unit``. ``again`` replaces the present one."""
        if again:
            self.execute("RELEASE SAVEPOINT unit", {})
        self.execute("SAVEPOINT unit", {})

    def commit(self) -> None:
        """Commit and sync to the disk. Other processes see the number of a change of the epoch
        before they see the change.
        """
        try:
            if self._raised:
                self._announce()
            self.connection.execute("COMMIT")
        except _ERRORS as fault:
            # the commit may be in the WAL, unsynced
            if _code(fault) & 0xFF == sqlite3.SQLITE_IOERR:
                raise unavailable(
                    Trouble.FAILING,
                    "it is not known whether the last commit took effect",
                    CommitUnknown,
                ) from None
            self._refuse(fault)

    def rollback(self) -> None:
        """Roll back the transaction; raises nothing."""
        with suppress(*_ERRORS):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        if self._full:
            self._full = False
            self._empty_wal()

    def give_back_space(self) -> bool:
        """Move used pages from the end of the file to unused places, and truncate it; return
        whether there is more to do.
        """
        try:
            unused, pages, mode = (
                int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("freelist_count", "page_count", "auto_vacuum")
            )
            if mode != _INCREMENTAL or unused <= _RESERVE + pages // _RESERVED_SHARE:
                return False
            # execute() would give back a single page
            self.connection.executescript(f"PRAGMA incremental_vacuum({_GIVEN_BACK})")
        except _ERRORS:  # another process writes: the next time
            return False
        return True

    def checkpoint(self) -> None:
        """Copy the WAL's pages into the file, concurrently with readers and writers; raises
        nothing.
        """
        with suppress(*_ERRORS):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the connection; raises nothing."""
        with suppress(*_ERRORS):
            self.connection.close()

    def _execute_until_deadline(self, sql: str, params: Mapping[str, Any]) -> sqlite3.Cursor:
        """Run a statement, and retry until the deadline while the database is locked.

        Writers wait for their lock when the transaction begins, readers at its first statement.
        """
        until: float | None = None
        while True:
            try:
                return self.connection.execute(sql, params)
            except sqlite3.OperationalError as fault:
                now = monotonic()
                if until is None:  # SQLite has already waited for one round
                    until = now + patience(self._wait) - _ROUND
                if _code(fault) & 0xFF != sqlite3.SQLITE_BUSY or now >= until:
                    raise
            # SQLite does not wait at all if several processes switch a new file to WAL at once
            time.sleep(_PAUSE)

    def _prepare(self, durable: bool) -> None:
        if os.path.getsize(self._path) == 0:  # later only a VACUUM of the whole file changes it
            self.execute("PRAGMA auto_vacuum = INCREMENTAL", {})
        if self.execute("PRAGMA journal_mode = WAL", {})[0][0] != "wal":
            raise DatabaseUnfit(
                "the database cannot be opened: its file system has no shared memory",
                hint="Put the database file on a local disk, or use PostgreSQL.",
            )
        self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}", {})
        self.execute("PRAGMA foreign_keys = ON", {})
        self.execute(f"PRAGMA journal_size_limit = {_LARGEST_WAL}", {})
        if self.reads:
            self.execute("PRAGMA query_only = ON", {})
        else:
            # else a savepoint's copies of pages are written to a file from 64 KiB on
            self.execute("PRAGMA temp_store = MEMORY", {})
            self._bound_wal()

    def _watch_epoch(self) -> None:
        """Note in ``_raised`` when a transaction of this connection raises the epoch; a database
        without tables has none.
        """
        with suppress(sqlite3.OperationalError):
            # no method of this object, which would never be freed
            self.connection.create_function("note_epoch", 1, self._raised.append)
            self.connection.execute(_WATCH)
            self._watches = True

    def _announce(self) -> None:
        # a savepoint may have been rolled back since the number was noted
        row = self.connection.execute(NUMBER).fetchone()
        try:
            announce(self._path, row[0])
        except OSError as fault:
            trouble = Trouble.FULL if fault.errno == errno.ENOSPC else Trouble.READ_ONLY
            raise unavailable(
                trouble, f"'{fault.filename or self._path}': {fault.strerror}"
            ) from None

    def _bound_wal(self) -> None:
        """Make SQLite checkpoint the WAL before it fills a small disk."""
        free = _free_pages(self._path)
        self.execute(f"PRAGMA wal_autocheckpoint = {max(16, min(_CHECKPOINT, free // _SHARE))}", {})
        if free < _CHECKPOINT:
            self._empty_wal()

    def _empty_wal(self) -> None:
        # during another read, or if the file cannot grow either, a later checkpoint may succeed
        with suppress(*_ERRORS):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _refuse(self, fault: Exception, sql: str = "") -> NoReturn:
        code = _code(fault)
        if code & 0xFF == sqlite3.SQLITE_CONSTRAINT:
            raise self._violation(code, str(fault)) from None
        if code == sqlite3.SQLITE_READONLY and self.reads:  # its extended codes are about the file
            raise StatementInvalid("a transaction that reads cannot write") from None
        trouble = trouble_of(fault)
        if trouble is None:
            name = getattr(fault, "sqlite_errorname", type(fault).__name__)
            _log.error("the database refused a statement: %s: %s", name, sql)
            raise StatementInvalid(f"the database refused a statement ({name})") from None
        self._full = trouble is Trouble.FULL
        kind = Contended if trouble is Trouble.LOCKED else Unavailable
        raise unavailable(_refined_trouble(trouble, self._path), kind=kind) from None

    def _violation(self, code: int, message: str) -> ConstraintViolation:
        if code not in _UNIQUE:
            return ConstraintViolation(message.rpartition(": ")[2])
        columns = message.rpartition(": ")[2]
        if columns.startswith("index '"):
            return UniqueViolation(columns[7:-1])
        names = columns.split(", ")
        table = names[0].rpartition(".")[0]
        return UniqueViolation(self._index(table, [name.rpartition(".")[2] for name in names]))

    def _index(self, table: str, columns: list[str]) -> str:
        for index in self.execute(f'PRAGMA index_list("{table}")', {}):
            found = [row.name for row in self.execute(f'PRAGMA index_info("{index.name}")', {})]
            if index.unique and index.origin != "pk" and found == columns:
                return str(index.name)
        return f"{table}_pkey"


_WATCH = (
    "CREATE TEMP TRIGGER IF NOT EXISTS epoch_noted AFTER UPDATE ON main.epoch BEGIN SELECT "
    "note_epoch(NEW.number); END"
)
# Writers take the only write lock at once, so that they cannot fail later because of a stale read.
_BEGIN = {
    Mode.READ: methodcaller("begin", "BEGIN DEFERRED"),
    Mode.WRITE: methodcaller("begin", "BEGIN IMMEDIATE"),
    Mode.VOLATILE: methodcaller("begin", "BEGIN IMMEDIATE", syncs=False),
    Mode.MIGRATE: methodcaller("begin_migration"),
}


class SqliteDialect(Dialect):
    """SQLite file with its connections: one writer, ten readers."""

    name = "sqlite"
    types: ClassVar[Mapping[str, str]] = {
        "text": "TEXT",
        "integer": "INTEGER",
        "bigint": "INTEGER",
        "bigint_identity": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "boolean": "INTEGER",
        "double": "REAL",
        "blob": "BLOB",
        "table": "STRICT",
        "clustered": "STRICT, WITHOUT ROWID",
        "floor": "",
    }
    batch = 256
    indexed_by = " INDEXED BY {}"
    now = "((julianday('now') - 2440587.5) * 86400.0)"
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'"

    def __init__(self, path: str, *, wait: float) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise DatabaseUnfit(
                f"SQLite {sqlite3.sqlite_version} is too old: jackfield needs 3.37 or newer",
                hint="Use a newer Python, or PostgreSQL: JACKFIELD_DATABASE_URL=postgresql://…",
            )
        self.path = path or _temporary(self)
        self.location = f"sqlite:///{path}"
        self.wait = wait
        self._durable = bool(path)
        _make(self.path)
        self._writer = Pool(
            partial(self.connect, reads=False), limit=1, wait=wait, full=lambda: Trouble.SLOW
        )
        self._readers = Pool(partial(self.connect, reads=True), limit=_READERS, wait=wait)

    def begin(self, mode: Mode, held: list[Any] | None = None) -> SqliteSession:
        """Return a connection in a transaction."""
        pool = self._readers if mode is Mode.READ else self._writer
        return pool.take(_BEGIN[mode], held)

    def look_up(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Return the rows of a single reading statement, outside any transaction."""
        session = self._readers.take(SqliteSession.check_now_and_then)
        try:
            return session.execute(sql, params)
        finally:
            self._readers.give_back(session)

    def epoch(
        self, committed: Callable[[], int | None], settle: Callable[[], object], /
    ) -> EpochFile:
        """Return the readings of a file next to the database."""
        return EpochFile(self.path, committed, settle)

    def close(self) -> None:
        """Close all connections; an in-process database is deleted."""
        self._readers.close()
        self._writer.close()
        if not self._durable:
            _remove_folder(os.path.dirname(self.path), os.getpid())

    def give_back_space(self) -> bool:
        """Truncate the file by some unused pages, if many are unused. The file must have been made
        with incremental auto-vacuum.
        """
        session = self._writer.take(_nothing)
        try:
            return session.give_back_space()
        finally:
            self._writer.give_back(session)

    def sync(self) -> None:
        """Sync the WAL: otherwise a commit that did not wait for the disk may stay in the system's
        cache for half a minute.
        """
        if self._durable:
            # SQLite locks the other two files only
            with suppress(OSError), open(self.path + "-wal", "rb") as log:
                os.fsync(log.fileno())

    def relieve_writers(self) -> None:
        """Checkpoint on a connection for readers. Otherwise the commit that finds 1,000 pages in
        the WAL would checkpoint and block the only writer.
        """
        session = self._readers.take(_nothing)
        try:
            session.checkpoint()
        finally:
            self._readers.give_back(session)

    def withdraw(self, until: float) -> bool:
        """Close every connection before a fork.

        A child that inherits a connection treats its parent's file locks as its own: its commits
        are lost when the parent closes the file (https://sqlite.org/howtocorrupt.html, 2.6).
        """
        if not self._writer.withdraw(until):
            return False
        if not self._readers.withdraw(until):
            self._writer.resume()
            return False
        return True

    def resume(self) -> None:
        """Hand out connections again."""
        self._readers.resume()
        self._writer.resume()

    def connect(self, *, reads: bool) -> SqliteSession:
        """Open a new connection to the file."""
        try:
            return SqliteSession(self.path, wait=self.wait, reads=reads, durable=self._durable)
        except sqlite3.Error as fault:
            raise unavailable(
                _refined_trouble(trouble_of(fault) or Trouble.UNOPENED, self.path), f"'{self.path}'"
            ) from None


def _nothing(_session: SqliteSession) -> None:
    """Do nothing: a pragma needs no transaction."""


def trouble_of(fault: Exception) -> Trouble | None:
    """Return the database's trouble behind an error of SQLite; None if the error concerns a
    statement.
    """
    return _TROUBLES.get(_code(fault) & 0xFF)


def _refined_trouble(trouble: Trouble, path: str) -> Trouble:
    """Return ``trouble``, or ``MOUNTED`` if a read-only file system is the cause."""
    if trouble in (Trouble.READ_ONLY, Trouble.UNOPENED) and os.name == "posix":
        with suppress(OSError):
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                return Trouble.MOUNTED
    return trouble


def _code(fault: Exception) -> int:
    return getattr(fault, "sqlite_errorcode", 0)


def _free_pages(path: str) -> int:
    try:
        found = os.statvfs(path)
    except (OSError, AttributeError):  # not on Windows
        return _CHECKPOINT * _SHARE
    return found.f_bavail * found.f_frsize // _PAGE


def _make(path: str) -> None:
    """Create the file (mode 0600) and its missing folders (mode 0700)."""
    file = Path(path)
    try:
        _make_folder(file.parent)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as fault:
        raise unavailable(Trouble.UNOPENED, f"'{path}': {fault.strerror}") from None


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _temporary(owner: object) -> str:
    folder = mkdtemp(prefix="jackfield-")
    weakref.finalize(owner, _remove_folder, folder, os.getpid())
    return str(Path(folder, "memory.db"))


def _remove_folder(folder: str, pid: int) -> None:
    if os.getpid() == pid:  # a forked child must not delete its parent's folder
        rmtree(folder, ignore_errors=True)
