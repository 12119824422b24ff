"""The database that the stores use: transactions, group commit, migrations."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from jackfield.database.batches import Batches
from jackfield.database.dialect import Dialect
from jackfield.database.faults import DatabaseUnfit, StatementInvalid, Trouble, UsageFault, unavailable
from jackfield.database.migrations import Migrations
from jackfield.database.transaction import Mode, Transaction
from jackfield.errors import Unavailable
from jackfield.fork import at_fork

if TYPE_CHECKING:
    from jackfield.database.rows import Row

__all__ = ["Database", "open_database"]


class _Attached(Protocol):
    def close(self) -> None:
        """Let go of the database."""


T = TypeVar("T")
A = TypeVar("A", bound=_Attached)

_FOR_FORK = 5.0
"""Seconds for which a fork waits for transactions of other threads."""
_FORMS = "Write it as sqlite:///relative.db, sqlite:////absolute/path.db or postgresql://user:password@host:5432/name."


def open_database(url: str, *, migrate: bool | None = True, wait: float = 30.0) -> Database:
    """Open the database at ``url``.

    ``sqlite:///relative.db`` and ``sqlite:////absolute/path.db`` name a file (made with mode 0600 where there is none, its folder with
    0700), ``sqlite://`` is a database for this process only, ``postgresql://…`` is any URL that libpq takes (extra ``postgres``).
    ``migrate``: true brings the tables up to date, false refuses a database that is not, ``None`` does not look. ``wait`` is how many
    seconds a call waits at most for a lock or a free connection: in a block of ``jackfield.clock.within`` as long as that says.

    :raises DatabaseUnfit: where the URL is not one of these, migrations are pending, or the database is of a newer jackfield.
    :raises Unavailable: where it cannot be reached, opened or written.
    """
    database = Database(lambda: _dialect(url, wait))
    try:
        if migrate:
            database.migrate()
        elif migrate is not None:
            database.migrations.require_none_pending()
    except BaseException:
        database.close()
        raise
    return database


class _Process:
    """What belongs to one process: a fork must not use the connections and locks of its parent."""

    def __init__(self, connect: Callable[[], Dialect]) -> None:
        self.dialect = connect()
        self.batches = Batches(partial(self.begin, Mode.WRITE), self.dialect.batch, self.dialect.wait)
        self.migrations = Migrations(self.dialect, self.begin)
        self.attached: dict[type[Any], Any] = {}
        self.lock = threading.Lock()
        self._thread = threading.local()

    @property
    def current(self) -> Transaction | None:
        """The transaction that this thread is in."""
        return getattr(self._thread, "transaction", None)

    @contextmanager
    def begin(self, mode: Mode) -> Iterator[Transaction]:
        """A transaction of this thread's; one that a swallowed failure spoiled is refused at its end."""
        session = self.dialect.begin(mode)
        transaction = Transaction(session, mode)
        outer, self._thread.transaction = self.current, transaction
        try:
            yield transaction
            transaction.check()
        except BaseException:
            self.dialect.rollback(session)
            raise
        else:
            self.dialect.commit(session)
        finally:
            transaction.end()
            self._thread.transaction = outer


class Database:
    """One database, for all threads of a process; after a fork each process has its own connections. ``open_database`` makes it."""

    def __init__(self, connect: Callable[[], Dialect]) -> None:
        self._connect = connect
        self._process = _Process(connect)
        self._inherited: list[_Process] = []
        self._lock = threading.Lock()
        self._forked = self._withdrawn = self._unsound = False
        at_fork(self, before=Database._withdraw, parent=Database._resume, child=Database._leave_to_parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Database {self.location}>"

    @property
    def dialect(self) -> Dialect:
        """What differs between the databases."""
        return self._live().dialect

    @property
    def location(self) -> str:
        """Where the database is, without password."""
        return self._process.dialect.location

    @property
    def writing(self) -> bool:
        """Whether this thread is inside a transaction that writes, so that what it reads may yet be undone."""
        current = self._live().current
        return current is not None and current.mode is not Mode.READ

    @contextmanager
    def read(self, *, settled: bool = True) -> Iterator[Transaction]:
        """A transaction that reads one unchanging state of the database. Inside another transaction of this thread it is that one;
        otherwise it sees what this process has put off, which is committed first; with ``settled=False`` a reader of other tables does
        not wait for that.

        :raises Unavailable: where the database cannot be read.
        """
        process = self._live()
        outer = process.current
        if outer is not None:
            yield outer
            return
        if settled:
            process.batches.flush()
        with process.begin(Mode.READ) as transaction:
            yield transaction

    def look_up(self, sql: str, params: Mapping[str, Any]) -> Row | None:
        """The first row of a single statement that reads; ``None`` where it has none. Inside a transaction of this thread it is part of
        that; otherwise it stands for itself, does not see what this process has put off, and costs less than a transaction.

        :raises Unavailable: where the database cannot be read.
        """
        process = self._live()
        outer = process.current
        if outer is not None:
            return outer.find(sql, params)
        rows = process.dialect.look_up(sql, params)
        return rows[0] if rows else None

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that is committed when the block ends, and rolled back where it raises. Inside another one that writes it is a
        savepoint of that; inside one that reads it stands for itself.

        :raises CommitInDoubt: where the commit may have been done.
        :raises Unavailable: where nothing was done.
        """
        process = self._live()
        outer = process.current
        if outer is not None and outer.mode is not Mode.READ:
            with outer.savepoint():
                yield outer
            return
        with process.begin(Mode.WRITE) as transaction:
            yield transaction

    def record(self, unit: Callable[[Transaction], T]) -> T:
        """Run ``unit`` in a transaction and return what it gave, once that is on the disk. Threads that record at the same time share
        one commit: the cheap way to write for calls that run side by side.

        ``unit`` may run in another thread than its caller's, and again where another process stood in its way (only its last run
        counts): it is short, and touches nothing but its transaction. What it raises is raised here, and undoes its own work only.

        :raises CommitInDoubt: where the commit may have been done.
        :raises Unavailable: where nothing was done.
        """
        process = self._live()
        if process.current is not None:
            raise StatementInvalid("record() inside a transaction: nothing could be on the disk when it returns")
        return process.batches.record(unit)

    def submit(self, unit: Callable[[Transaction], T], done: Callable[[T | None, Exception | None], None]) -> Callable[[], bool]:
        """The same for an event loop: return at once. ``done`` is called with the unit's value, or with the error, after the commit and
        from the writer thread: it is short and passes on (``loop.call_soon_threadsafe``). What is returned takes the unit back: true
        where nothing of it was done nor will be, and nobody is told.

        :raises Unavailable: where the database is closed.
        """
        return self._live().batches.submit(unit, done)

    def defer(self, unit: Callable[[Transaction], T], done: Callable[[T | None, Exception | None], None]) -> Callable[[], bool]:
        """The same, but at leisure: the unit goes with the next commit of anybody, at the latest after 50 ms. For what may be lost with
        the process and is then found out otherwise.

        :raises Unavailable: where the database is closed.
        """
        return self._live().batches.defer(unit, done)

    @property
    def is_behind(self) -> bool:
        """Whether so much was put off that who defers more should wait for a commit first."""
        return self._live().batches.is_behind

    def migrate(self, then: Callable[[Transaction, list[str]], None] | None = None) -> list[int]:
        """Bring the tables up to date, also when several processes do so at once; the versions that were applied. ``then`` is called
        within the transaction, with the names of what was applied.

        :raises DatabaseUnfit: where the database is of a newer jackfield.
        """
        return self.migrations.apply(then)

    def version(self) -> int:
        """The newest migration that was applied; 0 for an empty database."""
        return self.migrations.version()

    def pending(self) -> list[int]:
        """The migrations that are still to be applied.

        :raises DatabaseUnfit: where the database is of a newer jackfield.
        """
        return [migration.version for migration in self.migrations.pending()]

    @property
    def migrations(self) -> Migrations:
        """The migrations, known and applied."""
        return self._live().migrations

    def attached(self, kind: type[A], make: Callable[[], A]) -> A:
        """Return the one ``kind`` that belongs to this database in this process; make it on first use. A fork starts without any.
        It is closed before the database is."""
        process = self._live()
        found: A | None = process.attached.get(kind)
        if found is None:
            with process.lock:
                found = process.attached.get(kind)
                if found is None:
                    found = process.attached[kind] = make()
        return found

    def close(self) -> None:
        """Close what is attached, commit what was submitted, then close all connections."""
        process = self._live()
        for attached in list(process.attached.values()):
            with suppress(Unavailable):
                attached.close()
        process.batches.close()
        process.dialect.close()

    def _live(self) -> _Process:
        return self._renewed() if self._forked else self._process

    def _renewed(self) -> _Process:
        """Give a forked child connections of its own."""
        with self._lock:
            if self._unsound:
                raise unavailable(Trouble.UNOPENED, "this process was forked during a transaction: fork when none is under way")
            if self._forked:
                self._inherited.append(self._process)  # kept: closing them would end the parent's connections
                self._process = _Process(self._connect)
                self._forked = False
            return self._process

    def _withdraw(self) -> None:
        self._withdrawn = not self._forked and self._process.dialect.withdraw(time.monotonic() + _FOR_FORK)

    def _resume(self) -> None:
        if self._withdrawn:
            self._process.dialect.resume()
            self._withdrawn = False

    def _leave_to_parent(self) -> None:
        self._unsound = not self._forked and not self._withdrawn
        self._forked, self._withdrawn = True, False
        self._lock = threading.Lock()


def _dialect(url: str, wait: float) -> Dialect:
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        from jackfield.database.sqlite import SqliteDialect

        return SqliteDialect(_path(rest), wait=wait)
    if separator and scheme in {"postgresql", "postgres"}:
        try:
            from jackfield.database.postgres import PostgresDialect
        except ImportError:
            raise DatabaseUnfit("PostgreSQL needs the extra 'postgres'", hint="Install it: pip install 'jackfield[postgres]'.") from None
        return PostgresDialect(url, wait=wait)
    raise UsageFault("the database's URL is of no known kind", hint=_FORMS)


def _path(rest: str) -> str:
    """The path in what follows ``sqlite://``; empty for a database of this process only."""
    if not rest:
        return ""
    path = rest[1:]
    if not rest.startswith("/") or not path or "?" in path or "\0" in path:
        raise DatabaseUnfit("the database's URL names no file: after 'sqlite:///' stands a path, and no options", hint=_FORMS)
    if path == ":memory:":
        raise DatabaseUnfit("the database's URL names a file ':memory:'", hint="Write 'sqlite://' for a database of this process only.")
    folder = os.path.dirname(path)
    if folder.strip("/") and not path.startswith("/") and not os.path.lexists(folder) and os.path.isdir("/" + folder):
        raise DatabaseUnfit(f"'sqlite:///{path}' is a relative path, and '{folder}' is not there", hint=f"Write 'sqlite:////{path}'.")
    return os.path.abspath(path)
