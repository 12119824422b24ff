"""What differs between the databases, and nothing more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from jackfield.database.rows import Row
from jackfield.database.transaction import Mode, Session

__all__ = ["Dialect"]


class Dialect(ABC):
    """One kind of database, at one place."""

    name: ClassVar[str]
    """``sqlite`` or ``postgresql``."""
    types: ClassVar[Mapping[str, str]]
    """What the placeholders in migrations stand for."""
    batch: ClassVar[int]
    """How many units of work one commit takes at most."""
    tables: ClassVar[str]
    """The statement that lists the names of all tables, as ``name``."""
    indexes: ClassVar[str]
    """The statement that lists the names of all indexes, as ``name``."""
    skips_locked: ClassVar[str] = ""
    """The clause that has a SELECT take its rows for this transaction and pass over those that others have taken."""
    now: ClassVar[str]
    """The expression for the seconds since 1970, by the database's own clock."""
    wait: float
    """Seconds that a call waits at most for a lock or a free connection."""
    location: str
    """Where it is, in words that may be shown: never with a password."""

    @abstractmethod
    def begin(self, mode: Mode) -> Session:
        """A connection in a transaction; ``commit`` and ``rollback`` take it back.

        :raises Unavailable: where there is none to be had.
        """

    @abstractmethod
    def look_up(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """The rows of a single statement that reads, outside of any transaction.

        :raises Unavailable: where the database cannot be read.
        """

    @abstractmethod
    def give_back(self, session: Session) -> None:
        """Take the connection of a transaction that has ended."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    def withdraw(self, until: float) -> bool:  # noqa: ARG002 (where a child may have copies of connections, nothing is to be done)
        """Close every connection, before a fork, where a child must not have copies of them, and lend none before ``resume``; False where
        one is in use until then (``time.monotonic``)."""
        return True

    def resume(self) -> None:  # noqa: B027 (as above)
        """Lend connections again, if ``withdraw`` gave True."""

    def commit(self, session: Session) -> None:
        """Commit and take the connection back; where that fails, undo.

        :raises CommitInDoubt: where the commit may have been done.
        :raises Unavailable: where nothing was committed.
        """
        try:
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            self.give_back(session)

    def rollback(self, session: Session) -> None:
        """Undo and take the connection back."""
        try:
            session.rollback()
        finally:
            self.give_back(session)
