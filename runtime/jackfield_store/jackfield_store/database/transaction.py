"""A transaction as stores use it: statements that are committed together. The module also has the
session that a transaction runs on, the pool that hands out sessions to one thread each, and the
differences between the databases.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, Generic, Protocol, Self, TypeAlias, TypeVar

from jackfield.kernel.clock import monotonic, patience
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import OnFailure
from jackfield_store.database.epoch import Epoch
from jackfield_store.database.faults import StatementInvalid, Trouble, other_database, unavailable
from jackfield_store.database.statements import Row

Step: TypeAlias = tuple[str, Sequence[Mapping[str, Any]]]
"""Statement, and the sets of parameters to run it with."""
_NOTHING: Mapping[str, Any] = {}


class Mode(Enum):
    """Purpose of a transaction."""

    READ = "read"
    WRITE = "write"
    VOLATILE = "volatile"
    """Writes without waiting for the disk: a crash of the machine may lose the last ones."""
    MIGRATE = "migrate"
    """Exclusive, even if several processes start at once."""


class Pooled(Protocol):
    """Connection that a pool can hand out."""

    holder: list[Any] | None
    """List of the caller that holds the connection; None while it is idle."""
    pool: Pool[Any]
    """Pool that hands out the connection."""

    @property
    def usable(self) -> bool:
        """True if the connection is open and in no transaction."""

    def close(self) -> None:
        """Close the connection; raises nothing."""


class DatabaseSession(Pooled, Protocol):
    """One connection, used by one thread at a time. Its methods raise this package's errors, never
    a driver's.
    """

    @property
    def in_transaction(self) -> bool:
        """True if the transaction is open, even if it has failed."""

    def execute(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Run a statement and return its rows."""

    def change(self, sql: str, params: Mapping[str, Any]) -> int:
        """Run a statement and return the number of affected rows."""

    def change_all(self, steps: Sequence[Step]) -> list[int]:
        """Run statements, each with several sets of parameters; return the number of affected rows
        for each statement.
        """

    def mark(self, *, again: bool) -> None:
        """Set the savepoint ``unit``. ``again`` replaces the present one."""

    def commit(self) -> None:
        """Commit, and wait until the commit is on the disk."""

    def rollback(self) -> None:
        """Roll back the transaction; raises nothing."""


P = TypeVar("P", bound=Pooled)


class Pool(Generic[P]):
    """Pool of at most ``limit`` connections.

    If all are in use, ``take`` blocks for up to ``wait`` seconds, or until the caller's deadline;
    ``full`` then returns the reason for the error.
    """

    def __init__(
        self,
        connect: Callable[[], P],
        *,
        limit: int,
        wait: float,
        full: Callable[[], Trouble] = lambda: Trouble.BUSY,
    ) -> None:
        self._connect = connect
        # a semaphore is Python code around a lock: Ctrl-C in it can leave that held
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(limit):
            self._free.put(None)
        self._limit = limit
        self._wait = wait
        self._full = full
        self._idle: list[P] = []
        self._closed = False

    def take(self, begin: Callable[[P], None], held: list[Any] | None = None) -> P:
        """Hand out an idle or new connection, on which ``begin`` has been run, until ``give_back``.

        The connection is put into ``held``, an empty list, before it is returned: the caller may be
        interrupted in between.

        :raises Unavailable: if none is available.
        """
        slots: list[None] = []
        held = [] if held is None else held
        has_begun = False
        try:
            try:
                # without a step in between: no interrupt loses a slot
                slots.extend(map(self._free.get, (False,)))
            except Empty:
                self._wait_for(slots)
            try:
                item = self._idle.pop()
            except IndexError:  # checking first would race with other threads
                item = self._new()
            item.holder = held
            held.append(item)
            begin(item)
            has_begun = True
        finally:
            if not has_begun:
                self._undo(slots, held)
        return item

    def give_back(self, item: P) -> None:
        """Return a connection to the pool, unless it is there already; close it if it is not usable
        any more.
        """
        if item.holder is None:
            return
        try:
            item.holder = None
            if item.usable and not self._closed:
                self._idle.append(item)
            else:
                item.close()
            if self._closed:  # meanwhile, perhaps, by another thread, which did not find it
                self.drop_idle()
        finally:
            self._free.put(None)

    def drop_idle(self) -> None:
        """Close idle connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def withdraw(self, until: float) -> bool:
        """Close all connections and hand out none before ``resume``; return False if one is still
        in use at ``until`` (``time.monotonic``).
        """
        for taken in range(self._limit):
            try:
                self._free.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                self._release(taken)
                return False
        self.drop_idle()
        return True

    def resume(self) -> None:
        """Hand out connections again."""
        self._release(self._limit)

    def close(self) -> None:
        """Close idle connections now, and the others when they are returned."""
        self._closed = True
        self.drop_idle()

    def _undo(self, slots: list[None], held: list[P]) -> None:
        if held:
            self.give_back(held[0])
        elif slots:
            self._free.put(None)

    def _wait_for(self, slots: list[None]) -> None:
        try:
            slots.extend(map(self._free.get, (True,), (patience(self._wait),)))
        except Empty:
            raise unavailable(self._full()) from None

    def _new(self) -> P:
        if self._closed:
            raise unavailable(Trouble.CLOSED) from None
        item = self._connect()
        item.pool = self
        return item

    def _release(self, count: int) -> None:
        for _ in range(count):
            self._free.put(None)


class Dialect(ABC):
    """One kind of database, at one location."""

    name: ClassVar[str]
    """``sqlite`` or ``postgresql``."""
    types: ClassVar[Mapping[str, str]]
    """Values of the placeholders in migrations."""
    batch: ClassVar[int]
    """Maximum units of work per commit."""
    tables: ClassVar[str]
    """Statement that lists the names of all tables, as ``name``."""
    barred: ClassVar[str] = ""
    """Statement that lists the tables that this account may not read and change; empty if file
    permissions decide.
    """
    indexes: ClassVar[str]
    """Statement that lists the names of all indexes, as ``name``."""
    locks: ClassVar[str] = ""
    """Clause that makes a SELECT lock its rows; empty if only one transaction writes at a time."""
    shares: ClassVar[str] = ""
    """Clause that makes a SELECT lock its rows only against transactions that use ``locks``."""
    skips_locked: ClassVar[str] = ""
    """Clause that makes a SELECT lock its rows and skip rows locked by others."""
    indexed_by: ClassVar[str] = ""
    """Clause after a table that names the index to use, ``{}``; empty if the planner knows the
    distribution of the values.
    """
    lateral: ClassVar[bool] = False
    """True if a subquery in FROM may refer to the rows before it."""
    now: ClassVar[str]
    """Expression for the seconds since 1970 by the database's own clock."""
    place: str = "''"
    """Expression whose text changes once another server, or another of its databases, has taken
    this one's place; empty if that cannot be known.
    """
    wait: float
    """Maximum seconds that a call waits for a lock, a free connection, or an answer of a server."""
    bounds_each: ClassVar[bool] = False
    """True if ``wait`` limits each statement and commit, so that a shared commit needs no limit of
    its own.
    """
    location: str
    """Location for display, without password."""

    @abstractmethod
    def begin(self, mode: Mode, held: list[Any] | None = None) -> DatabaseSession:
        """Return a connection in a transaction. ``held`` is as for ``Pool.take``.

        :raises Unavailable: if no connection is available.
        """

    @abstractmethod
    def look_up(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Return the rows of a single reading statement, outside any transaction.

        :raises Unavailable: if the database cannot be read.
        """

    @abstractmethod
    def epoch(self, committed: Callable[[], int | None], settle: Callable[[], object], /) -> Epoch:
        """Return the readings of the epoch. ``committed`` queries its number; ``settle`` makes a
        later commit raise it.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    @property
    def timeline(self) -> tuple[int, str | None]:
        """Number of times that another server has been found in place of this one, and the possible
        effect of the last change on commits.
        """
        return 0, None

    def renewed(self, _url: str, /) -> Callable[[], None]:
        """Check that another URL opens this database, and return a function that makes new
        connections use it.

        :raises DatabaseUnfit: if the URL names another database.
        :raises Unavailable: if it does not open this one.
        """
        raise other_database()

    def withdraw(self, until: float) -> bool:  # noqa: ARG002 (nothing to do if children may inherit connections)
        """Close every connection before a fork, if a child must not inherit them, and hand out none
        before ``resume``.

        Return False if a connection is still in use at ``until`` (``time.monotonic``).
        """
        return True

    def resume(self) -> None:  # noqa: B027 (nothing to do by default)
        """Hand out connections again after a successful ``withdraw``."""

    def give_back_space(self) -> bool:
        """Return a small part of the file's unused space to the file system, in a commit of its
        own; return True if more can be returned.
        """
        return False

    def sync(self) -> None:  # noqa: B027 (a server does it by itself)
        """Write earlier commits to the disk that did not wait for it, unless the database server
        does so within a second. Raise nothing.
        """

    def relieve_writers(self) -> None:  # noqa: B027 (nothing to do by default)
        """Do work after large changes in this thread, which a later commit would otherwise do while
        others wait.
        """


class ThreadState(threading.local):
    """State of one thread."""

    transaction: Transaction | None = None


class Transaction:
    """Statements that are committed together, or not at all, at the end of a block. If the block
    raises, the transaction is rolled back. If the block swallowed a statement's error, its end
    raises instead of committing.

    Parameters are named: ``:name`` in the text, with a mapping. A failed statement aborts the
    transaction (as in PostgreSQL); use ``savepoint()`` to continue after a violation.

    ``execute``, ``change`` and ``find`` raise ``UniqueViolation`` and ``ConstraintViolation`` if a
    row violates a constraint, ``StatementInvalid`` if the statement is invalid, and ``Unavailable``
    if the database is unavailable.
    """

    __slots__ = (
        "_depth",
        "_dialect",
        "_ended",
        "_held",
        "_marked",
        "_outer",
        "_session",
        "_since_mark",
        "_thread",
        "afterwards",
        "failed",
        "gathers",
        "mode",
    )

    _session: DatabaseSession

    def __init__(
        self, dialect: Dialect, thread: ThreadState, mode: Mode, *afterwards: Callable[[], object]
    ) -> None:
        self._dialect, self._thread, self.mode = dialect, thread, mode
        self._held: list[DatabaseSession] = []
        self._outer: Transaction | None = None
        self.afterwards = self._since_mark = afterwards
        """Steps to take after the commit, which raise nothing; steps of a section that is rolled
        back are dropped.
        """
        self.failed = False
        """True if a statement has failed, so that the transaction cannot be committed."""
        self._depth = 0
        self.gathers = False
        """True if records made only in its block become part of it (``Database.gather``)."""
        self._marked = self._ended = False

    def __enter__(self) -> Self:
        thread = self._thread
        try:
            self._session = self._dialect.begin(self.mode, self._held)
            self._outer, thread.transaction = thread.transaction, self
            return self
        finally:
            if thread.transaction is not self:
                self.abandon()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        is_committed = False
        try:
            if error is None:
                if self.failed:
                    self.check()
                self._session.commit()
                is_committed = True
        finally:
            self.abandon(is_committed=is_committed)
        if is_committed:
            for step in self.afterwards:
                step()

    def abandon(self, *, is_committed: bool = False) -> None:
        """Return the session to its pool; roll back first, unless that is done: an interrupted
        block may not have reached its end. May run twice.
        """
        for session in self._held:
            if session.holder is self._held:
                try:
                    if not is_committed:
                        session.rollback()
                finally:
                    session.pool.give_back(session)
        self._ended = True
        if self._thread.transaction is self:
            self._thread.transaction = self._outer

    def execute(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> list[Row]:
        """Run one statement and return all its rows (of ``SELECT``, or of ``… RETURNING``)."""
        if self._ended or self.failed:
            self.check()
        self.failed = True  # until it has succeeded
        rows = self._session.execute(sql, params)
        self.failed = False
        return rows

    def change(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> int:
        """Run one INSERT, UPDATE or DELETE and return the number of affected rows (0 if its WHERE
        matches none).
        """
        if self._ended or self.failed:
            self.check()
        self.failed = True  # until it has succeeded
        count = self._session.change(sql, params)
        self.failed = False
        return count

    def change_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run one INSERT, UPDATE or DELETE with several sets of parameters, and return the number
        of affected rows.
        """
        return self.change_all([(sql, rows)])[0]

    def change_all(self, steps: Sequence[Step]) -> list[int]:
        """Run statements as ``change_many`` does, in order but at once; return the number of
        affected rows for each.
        """
        if self._ended or self.failed:
            self.check()
        self.failed = True  # until they have succeeded
        counts = self._session.change_all(steps)
        self.failed = False
        return counts

    def find(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> Row | None:
        """Return the first row of a statement; None without rows."""
        rows = self.execute(sql, params)
        return rows[0] if rows else None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the block's work if it raises, and keep the transaction usable.

        Example: ``with suppress(UniqueViolation), transaction.savepoint(): …``.
        """
        if self._ended or self.failed:
            self.check()
        name = f"s{self._depth}"
        self.execute(f"SAVEPOINT {name}")
        self._depth += 1
        before = self.afterwards
        try:
            with OnFailure(
                self._undo, before, f"ROLLBACK TO SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}"
            ):
                yield
                self.check()
        finally:
            self._depth -= 1
        self.execute(f"RELEASE SAVEPOINT {name}")

    def mark(self) -> None:
        """Begin a section that ``undo`` can roll back. The previous section stays."""
        if self._ended or self.failed:
            self.check()
        self._session.mark(again=self._marked)
        self._marked, self._since_mark = True, self.afterwards

    def undo(self) -> None:
        """Roll back to ``mark``; ``failed`` stays True if the database cannot roll back."""
        self._undo(self._since_mark, "ROLLBACK TO SAVEPOINT unit")

    def check(self) -> None:
        """Check that the transaction is open, and that no statement has failed.

        :raises StatementInvalid: if it has ended, or a statement has failed and its error was
            swallowed.
        """
        if self._ended:
            raise StatementInvalid("the transaction has ended")
        if self.failed:
            raise swallowed()

    def _undo(self, afterwards: tuple[Callable[[], object], ...], *statements: str) -> None:
        self.afterwards = afterwards
        # A lost connection, or a full disk on SQLite, ends the whole transaction; the block's own
        # error gives the reason.
        if not self._session.in_transaction:
            return
        with suppress(JackfieldError):
            for statement in statements:
                self._session.execute(statement, _NOTHING)
            self.failed = False


def swallowed() -> StatementInvalid:
    """Return the error of a transaction in which the error of a failed statement was swallowed."""
    return StatementInvalid("a statement of the transaction has failed: nothing of it is committed")
