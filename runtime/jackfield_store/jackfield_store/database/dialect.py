"""The differences between the databases, and nothing more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from jackfield_store.database.epoch import Epoch
from jackfield_store.database.faults import other_database
from jackfield_store.database.statements import Row
from jackfield_store.database.transaction import Mode, Session


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
    """Statement that lists the tables that this account may not read and change; empty where the rights on a file decide."""
    indexes: ClassVar[str]
    """Statement that lists the names of all indexes, as ``name``."""
    locks: ClassVar[str] = ""
    """Clause that makes a SELECT lock its rows; empty if only one transaction writes at a time."""
    shares: ClassVar[str] = ""
    """The same for transactions that exclude only those that use ``locks``."""
    skips_locked: ClassVar[str] = ""
    """Clause that makes a SELECT lock its rows and skip rows locked by others."""
    indexed_by: ClassVar[str] = ""
    """Clause after a table that names the index to use, ``{}``; empty if the planner knows the distribution of the values."""
    lateral: ClassVar[bool] = False
    """True if a subquery in FROM may refer to the rows before it."""
    now: ClassVar[str]
    """Expression for the seconds since 1970 by the database's own clock."""
    place: str = "''"
    """Expression for what is another text once another server, or another database of it, has taken this one's place; empty if that cannot
    be known."""
    wait: float
    """Maximum seconds that a call waits for a lock, a free connection, or an answer of a server."""
    bounds_each: ClassVar[bool] = False
    """True if each statement and commit has that limit, so that a commit of several need not have one as a whole."""
    location: str
    """Location for display, without password."""

    @abstractmethod
    def begin(self, mode: Mode, held: list[Any] | None = None) -> Session:
        """Return a connection in a transaction; ``commit`` and ``rollback`` return it to the pool. ``held`` is as for ``Pool.take``.

        :raises Unavailable: if no connection is available.
        """

    @abstractmethod
    def look_up(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Return the rows of a single reading statement, outside any transaction.

        :raises Unavailable: if the database cannot be read.
        """

    @abstractmethod
    def epoch(self, committed: Callable[[], int | None], settle: Callable[[], object], /) -> Epoch:
        """Return the readings of the epoch. ``committed`` queries its number, ``settle`` has it raised by a later commit."""

    @abstractmethod
    def give_back(self, session: Session) -> None:
        """Return the connection of a finished transaction to the pool."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    @property
    def timeline(self) -> tuple[int, str | None]:
        """How often another server has been found in the place of this one, and what the last change may mean for commits."""
        return 0, None

    def renewed(self, _url: str, /) -> Callable[[], None]:
        """Check that this database is opened by another URL, and return what lets new connections use it.

        :raises DatabaseUnfit: if the URL names another database.
        :raises Unavailable: if it does not open this one.
        """
        raise other_database()

    def withdraw(self, until: float) -> bool:  # noqa: ARG002 (nothing to do if children may inherit connections)
        """Close every connection before a fork, if a child must not inherit them, and lend none before ``resume``.

        Return False if one is still in use at ``until`` (``time.monotonic``).
        """
        return True

    def resume(self) -> None:  # noqa: B027 (nothing to do by default)
        """Lend connections again after a successful ``withdraw``."""

    def give_back_space(self) -> bool:
        """Return a small part of the file's unused space to the file system, in a commit of its own; True if there is more."""
        return False

    def sync(self) -> None:  # noqa: B027 (a server does it by itself)
        """Put commits on the disk that have not waited for it, if nothing else does so within a second; raise nothing."""

    def relieve_writers(self) -> None:  # noqa: B027 (nothing to do by default)
        """Do in this thread what a later commit would do after large changes, and others would wait for."""

    def commit(self, session: Session) -> None:
        """Commit, or roll back if that fails, and return the connection to the pool.

        :raises CommitUnknown: if the commit may have been done.
        :raises Unavailable: if nothing was committed.
        """
        is_done = False
        try:
            session.commit()
            is_done = True
        finally:
            if is_done:
                self.give_back(session)
            else:
                self.rollback(session)

    def rollback(self, session: Session) -> None:
        """Roll back and return the connection to the pool."""
        try:
            session.rollback()
        finally:
            self.give_back(session)
