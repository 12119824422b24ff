"""The database as stores use it: transactions, group commit, migrations."""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from jackfield.kernel.clock import monotonic, within
from jackfield.kernel.ends import at_end, is_ending
from jackfield.kernel.errors import Unavailable
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.fork import at_fork, was_forked, without_fork
from jackfield_store.database.batches import Batches, Unit
from jackfield_store.database.epoch import NUMBER, RAISE, Epoch, unlike
from jackfield_store.database.faults import (
    DatabaseUnfit,
    StatementInvalid,
    Trouble,
    UsageFault,
    unavailable,
)
from jackfield_store.database.migrations import Migrations
from jackfield_store.database.transaction import Dialect, Mode, ThreadState, Transaction

if TYPE_CHECKING:
    from jackfield_store.database.later_sync import LaterSync
    from jackfield_store.database.statements import Row


class _Attached(Protocol):
    def close(self) -> None:
        """Release the database."""


T = TypeVar("T")
A = TypeVar("A", bound=_Attached)

_AT_END = _FOR_FORK = 5.0
"""Seconds for which the end of a process waits for a locked database, and a fork for transactions
of other threads.
"""
_FORMS = (
    "Write it as sqlite:///relative.db, sqlite:////absolute/path.db or "
    "postgresql://user:password@host:5432/name."
)


def open_database(
    url: str,
    *,
    migrate: bool | None = True,
    wait: float = 30.0,
    most: float = 0.0,
    syncs: bool = True,
    connections: int = 4,
) -> Database:
    """Open the database at ``url``.

    ``sqlite:///relative.db`` and ``sqlite:////absolute/path.db`` name a file (created with mode
    0600, its folder with 0700), ``sqlite://`` is a private in-process database, ``postgresql://…``
    is any URL that libpq accepts (extra ``postgres``). ``migrate``: True brings the tables up to
    date, False refuses a database with older tables, None skips the check. A call waits at most
    ``wait`` seconds for a lock, for one of the ``connections`` to a server, or for a silent server;
    ``jackfield.kernel.clock.within`` can only shorten that time. With a larger ``most``, a
    statement and a lock of SQLite may take ``most`` seconds. Without ``syncs``, group commits do
    not wait for the disk (``Batches``).

    :raises DatabaseUnfit: if the URL has another form, migrations are pending, or a newer jackfield
        has migrated the database.
    :raises Unavailable: if it cannot be reached, opened or written.
    """
    database = Database(lambda: _dialect(url, wait, most, connections), syncs=syncs)
    with OnFailure(database.close):
        if migrate:
            database.migrate()
        elif migrate is not None:
            database.migrations.require_none_pending()
    return database


class _Process:
    """State of one process: after a fork, a child must not use its parent's connections and
    locks.
    """

    def __init__(self, connect: Callable[[], Dialect], *, syncs: bool) -> None:
        self.dialect = connect()
        self.was_forked = was_forked()
        self.thread = ThreadState()
        self.later = None if syncs else _later_sync(self.dialect)
        # a transaction of this thread, for a mode
        self.begin = partial(Transaction, self.dialect, self.thread)
        quick = partial(
            self.begin, Mode.VOLATILE, *(() if self.later is None else (self.later.note,))
        )
        grouped = partial(self.begin, Mode.WRITE) if self.later is None else quick
        self.batches = Batches(
            grouped,
            quick,
            self.dialect.batch,
            self.dialect.wait,
            bounds_each=self.dialect.bounds_each,
        )
        self.migrations = Migrations(self.dialect, self.begin)
        self.highest_epoch = self.servers = 0
        self.epoch = self.dialect.epoch(self._committed, self._settle)

    def _committed(self) -> int | None:
        rows = self.dialect.look_up(NUMBER, {})
        number = rows[0].number if rows else None
        known, (self.servers, _) = self.servers, self.dialect.timeline
        if self.servers != known:
            return None  # another server: what it may lack may have had this number
        if number is not None and number < self.highest_epoch:
            # the database went back: nothing that was read before holds, until the epoch is above
            # all that was seen
            return None
        self.highest_epoch = self.highest_epoch if number is None else number
        return number

    def _settle(self) -> None:
        self.batches.defer(lambda transaction: transaction.change(RAISE))

    def close(self) -> None:
        """Commit waiting units, then end the threads and close the connections."""
        self.batches.close()
        if self.later is not None:
            self.later.close()
        self.epoch.close()
        with without_fork():
            self.dialect.close()


class Database:
    """One database, shared by all threads of a process. ``open_database`` creates it.

    After a fork, each process has its own connections.
    """

    def __init__(self, connect: Callable[[], Dialect], *, syncs: bool = True) -> None:
        self._connect = connect
        self._syncs = syncs
        self._inherited: list[_Process] = []
        self._attached: dict[type[Any], Any] = {}
        self._lock, self._attaching = threading.Lock(), threading.Lock()
        self._forked = self._withdrawn = self._unsound = False
        with without_fork():
            self._process = _Process(connect, syncs=syncs)
            at_fork(
                self,
                before=Database._withdraw,
                parent=Database._resume,
                child=Database._leave_to_parent,
            )
        at_end(self, Database._flush)
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Database {self.location}>"

    @property
    def dialect(self) -> Dialect:
        """Dialect of the database."""
        return self._live().dialect

    @property
    def location(self) -> str:
        """Location of the database, without password."""
        return self._process.dialect.location

    @property
    def writing(self) -> bool:
        """True in a write transaction of this thread, whose reads may include uncommitted data."""
        current = self._live().thread.transaction
        return current is not None and current.mode is not Mode.READ

    @contextmanager
    def read(self, *, flush: bool = True) -> Iterator[Transaction]:
        """Open a transaction that reads a snapshot, or join this thread's current transaction.

        A new transaction sees this process's deferred units, because they are committed first; pass
        ``flush=False`` to skip that wait when reading other tables.

        :raises Unavailable: if the database cannot be read.
        """
        process = self._live()
        outer = process.thread.transaction
        if outer is not None:
            yield outer
            return
        if flush:
            process.batches.flush()
        with process.begin(Mode.READ) as transaction:
            yield transaction

    def look_up(self, sql: str, params: Mapping[str, Any], *, flush: bool = False) -> Row | None:
        """Return the first row of a single reading statement, or None.

        Inside a transaction of this thread, the statement is part of the transaction. Otherwise it
        runs on its own and sees this process's deferred units only with ``flush``. It then waits
        for a server once, a transaction three times.

        :raises Unavailable: if the database cannot be read.
        """
        process = self._live()
        outer = process.thread.transaction
        if outer is not None:
            return outer.find(sql, params)
        if flush:
            process.batches.flush()
        return next(iter(process.dialect.look_up(sql, params)), None)

    def epoch(self) -> int:
        """Return a reading of the epoch: as long as it equals an earlier one, no data that decides
        calls has changed in between.

        These data are connections, tokens and the settings of workspaces. Read it first, then the
        state, which is never older; keep the state as long as readings are equal (``EpochCache``).
        A reading in a transaction of this thread differs from all others, since the transaction may
        see an older state, or be rolled back. On SQLite it takes half a microsecond, on PostgreSQL
        a query that callers share.
        """
        process = self._renewed() if self._forked else self._process
        return process.epoch.read() if process.thread.transaction is None else unlike()

    @property
    def epochs(self) -> Epoch:
        """Source of the readings of the epoch."""
        return self._live().epoch

    @property
    def highest_epoch(self) -> int:
        """Highest committed number of the epoch that this process has seen: a lower one comes from
        an older copy of the database.
        """
        return self._live().highest_epoch

    @property
    def timeline(self) -> tuple[int, str | None]:
        """Number of times that this process has found another server in place of the database's,
        and the possible effect of the last such change on commits.
        """
        return self._live().dialect.timeline

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction that commits at the end of the block, and rolls back if the block
        raises.

        Inside a writing transaction it becomes a savepoint; inside a reading one it is independent.

        :raises CommitUnknown: if the commit may have been done.
        :raises Unavailable: if nothing was done.
        """
        process = self._live()
        outer = process.thread.transaction
        if outer is not None and outer.mode is not Mode.READ:
            with outer.savepoint():
                yield outer
            return
        with process.begin(Mode.WRITE) as transaction:
            yield transaction

    @contextmanager
    def gather(self) -> Iterator[Transaction]:
        """Open a transaction as ``write`` does; everything that this thread writes in the block is
        part of it, also by ``record``.
        """
        with self.write() as transaction:
            transaction.gathers = True
            yield transaction

    def record(self, unit: Callable[[Transaction], T], *, ahead: bool = False) -> T:
        """Run ``unit`` in a transaction and return its value once the transaction is on the disk,
        or committed if the database was opened without ``syncs``. Concurrent callers share one
        commit. A unit that goes ``ahead`` only waits for the running commit, and has a commit of
        its own.

        ``unit`` may run in another thread, and repeatedly if another process interferes (only the
        last run counts). Keep it short, and let it touch nothing but its transaction. Its
        exceptions are raised here, and undo only its own work.

        :raises CommitUnknown: if the commit may have been done.
        :raises Unavailable: if nothing was done.
        """
        process = self._renewed() if self._forked else self._process
        outer = process.thread.transaction
        if outer is not None:
            if not outer.gathers:
                raise StatementInvalid(
                    "record() inside a transaction: nothing could be on the disk when it returns"
                )
            with outer.savepoint():
                return unit(outer)
        return process.batches.record(unit, ahead=ahead)

    def adjust(self, unit: Callable[[Transaction], T]) -> T:
        """Run ``unit`` in a transaction of its own that does not wait for the disk, and return its
        value.

        All processes see the change at once; only a crash of the machine may lose it. Use it for
        state that is not worth a disk sync.

        :raises Unavailable: if nothing was done, or the outcome is unknown.
        """
        with self._live().begin(Mode.VOLATILE) as transaction:
            return unit(transaction)

    def submit(
        self, unit: Callable[[Transaction], T], done: Callable[[T | None, Exception | None], None]
    ) -> Callable[[], bool]:
        """Queue ``unit`` for the next commit and return at once: ``record`` for event loops.

        After the commit, the writer thread calls ``done`` with the unit's value or the error; keep
        it short (``loop.call_soon_threadsafe``). The returned function cancels the unit: True if
        nothing of it was or will be done, and ``done`` will not be called.

        :raises Unavailable: if the database is closed.
        """
        return self._live().batches.submit(unit, done)

    def defer(
        self,
        unit: Callable[[Transaction], T],
        done: Callable[[T | None, Exception | None], None] | None = None,
        *,
        wait: float | None = None,
    ) -> Unit:
        """Run ``unit`` with the next commit of any caller, at the latest after 50 ms; ``done`` is
        as for ``submit``.

        For data that may be lost with the process because it can be recovered otherwise. The unit
        waits for a lock as long as its caller would, or for ``wait`` seconds. ``replace`` accepts
        the returned unit.

        :raises Unavailable: if the database is closed.
        """
        return (self._renewed() if self._forked else self._process).batches.defer(
            unit, done, wait=wait
        )

    def replace(
        self,
        deferred: Unit,
        unit: Callable[[Transaction], T],
        done: Callable[[T | None, Exception | None], None],
    ) -> bool:
        """Replace a ``deferred`` unit by ``unit``; return False if a commit has taken the deferred
        unit already.
        """
        return self._process.batches.replace(deferred, unit, done)

    def settle(self, seconds: float) -> None:
        """Commit deferred units now, without waiting for the disk; if a lock takes longer than
        ``seconds``, they stay deferred.
        """
        (self._renewed() if self._forked else self._process).batches.settle(seconds)

    @property
    def may_vanish(self) -> bool:
        """True if this process may end without its exit handlers, because it was forked."""
        return (self._renewed() if self._forked else self._process).was_forked

    @property
    def defers(self) -> bool:
        """True if anything is deferred that the end of the process might lose."""
        return (self._renewed() if self._forked else self._process).batches.defers

    @property
    def is_behind(self) -> bool:
        """True if so much is deferred that callers should wait for a commit before they defer
        more.
        """
        return (self._renewed() if self._forked else self._process).batches.is_behind

    def migrate(self) -> list[int]:
        """Bring the tables up to date and return the applied versions. Safe to run in several
        processes at once.

        :raises DatabaseUnfit: if a newer jackfield has migrated the database, or it is too old to
            be upgraded.
        """
        return self.migrations.apply()

    def version(self) -> int:
        """Return the newest applied migration; 0 for an empty database."""
        return self.migrations.version()

    def pending(self) -> list[int]:
        """Return the migrations still to be applied.

        :raises DatabaseUnfit: if a newer jackfield has migrated the database.
        """
        return [migration.version for migration in self.migrations.pending()]

    @property
    def migrations(self) -> Migrations:
        """Known and applied migrations."""
        return self._live().migrations

    def attached(self, kind: type[A], make: Callable[[], A]) -> A:
        """Return this process's instance of ``kind`` for this database, made on first use.

        The instance is closed before the database, and must not keep it alive (``Part``). A forked
        process starts without instances.
        """
        self._live()
        found: A | None = self._attached.get(kind)
        if found is None:
            with self._attaching:
                found = self._attached.get(kind)
                if found is None:
                    found = self._attached[kind] = make()
        return found

    def renewed(self, url: str) -> Callable[[], None]:
        """Check that ``url`` opens this database, as ``Dialect.renewed`` does; return a function
        that makes new connections use it.
        """
        dialect, use = self.dialect, self.dialect.renewed(url)

        def renew() -> None:
            self._connect = partial(_dialect, url, dialect.wait)
            use()

        return renew

    def close(self) -> None:
        """Close attached objects, commit submitted units, then close all connections."""
        process = self._live()
        for attached in list(self._attached.values()):
            with suppress(Unavailable):
                attached.close()
        self._is_closed = True
        process.close()

    def __del__(self) -> None:
        """Close an unreferenced database. This may run between any two lines of any thread, so
        another thread does the work that takes locks, and refers to the database meanwhile.
        """
        if not getattr(self, "_is_closed", True) and not self._forked and not is_ending():
            with suppress(RuntimeError):  # Python ends
                _thread.start_new_thread(_apart, (self.close,))

    def _flush(self) -> None:
        """Commit deferred units at the end of the process; a forked child that has not used the
        database has none.
        """
        if not self._forked:
            with within(_AT_END):
                self._process.batches.flush()

    def _live(self) -> _Process:
        return self._renewed() if self._forked else self._process

    def _renewed(self) -> _Process:
        """Give a forked child its own connections."""
        with self._lock:
            if self._unsound:
                raise unavailable(
                    Trouble.UNOPENED,
                    "this process was forked during a transaction: fork when none is under way",
                )
            if self._forked:
                # keep a reference: closing them would end the parent's connections
                self._inherited.append(self._process)
                self._process, self._attached = _Process(self._connect, syncs=self._syncs), {}
                self._forked = False
                at_end(self, Database._flush)
            return self._process

    def _withdraw(self) -> None:
        self._withdrawn = not self._forked and self._process.dialect.withdraw(
            monotonic() + _FOR_FORK
        )

    def _resume(self) -> None:
        if self._withdrawn:
            self._process.dialect.resume()
            self._withdrawn = False

    def _leave_to_parent(self) -> None:
        self._unsound = not self._forked and not self._withdrawn
        self._forked, self._withdrawn = True, False
        self._lock, self._attaching = threading.Lock(), threading.Lock()


def _apart(step: Callable[[], None]) -> None:
    """Run a step in a thread started by Python: a foreign thread would stay listed."""
    threading.Thread(target=step, name="jackfield-closing", daemon=True).start()


def _dialect(url: str, wait: float, most: float, connections: int) -> Dialect:
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        from jackfield_store.database.sqlite import SqliteDialect

        return SqliteDialect(_path(rest), wait=max(wait, most))
    if separator and scheme in {"postgresql", "postgres"}:
        try:
            from jackfield_store.database.postgres import PostgresDialect
        except ImportError:
            raise DatabaseUnfit(
                "PostgreSQL needs the extra 'postgres'",
                hint="Install it: pip install 'jackfield[postgres]'.",
            ) from None
        return PostgresDialect(url, wait=wait, most=most, connections=connections)
    raise UsageFault("unsupported database URL", hint=_FORMS)


def _later_sync(dialect: Dialect) -> LaterSync:
    from jackfield_store.database.later_sync import LaterSync  # most processes need none

    return LaterSync(dialect.sync)


def _path(rest: str) -> str:
    """Return the path after ``sqlite://``; empty for an in-process database."""
    if not rest:
        return ""
    path = rest[1:]
    if not rest.startswith("/") or not path or "?" in path or "\0" in path:
        raise DatabaseUnfit(
            "the database's URL is invalid: after 'sqlite:///', give a path without options",
            hint=_FORMS,
        )
    if path == ":memory:":
        raise DatabaseUnfit(
            "the database's URL names a file ':memory:'",
            hint=("Write 'sqlite://' for an in-memory database of this process."),
        )
    folder = os.path.dirname(path)
    if (
        folder.strip("/")
        and not path.startswith("/")
        and not os.path.lexists(folder)
        and os.path.isdir("/" + folder)
    ):
        raise DatabaseUnfit(
            f"'sqlite:///{path}' is a relative path, and the folder '{folder}' does not exist",
            hint=f"Write 'sqlite:////{path}'.",
        )
    return os.path.abspath(path)
