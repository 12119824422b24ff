"""What a store sees of the database: statements in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, Protocol

from jackfield.database.faults import StatementInvalid
from jackfield.database.rows import Row
from jackfield.errors import JackfieldError

__all__ = ["Mode", "Session", "Transaction"]

_NOTHING: Mapping[str, Any] = {}


class Mode(Enum):
    """What a transaction is for."""

    READ = "read"
    WRITE = "write"
    MIGRATE = "migrate"
    """Alone on the database, however many processes start at once."""


class Session(Protocol):
    """One connection, used by one thread at a time. All its methods raise this package's errors, never a driver's."""

    @property
    def in_transaction(self) -> bool:
        """Whether the transaction still stands, be it spoiled."""

    def execute(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Run a statement and give its rows."""

    def change(self, sql: str, params: Mapping[str, Any]) -> int:
        """Run a statement and give the count of rows that it touched."""

    def mark(self, *, again: bool) -> None:
        """Set the savepoint ``unit``; ``again``: in place of the one that stands."""

    def commit(self) -> None:
        """Commit, and wait until it is on the disk."""

    def rollback(self) -> None:
        """Undo the transaction; raises nothing."""


class Transaction:
    """Statements that are committed together, or not at all.

    Parameters are named: ``:name`` in the text, a mapping beside it. A statement that fails spoils the transaction (as PostgreSQL has
    it): what is to go on after a violation stands in a ``savepoint()``.

    ``execute``, ``change`` and ``find`` raise ``UniqueViolation`` and ``ConstraintViolation`` where a row breaks a constraint,
    ``StatementInvalid`` where the statement is wrong, and ``Unavailable`` where the database is.
    """

    __slots__ = ("_depth", "_ended", "_failed", "_marked", "_session", "mode")

    def __init__(self, session: Session, mode: Mode) -> None:
        self._session = session
        self.mode = mode
        self._depth = 0
        self._failed = False
        self._marked = False
        self._ended = False

    @property
    def failed(self) -> bool:
        """Whether a statement has failed, so that nothing can be committed any more."""
        return self._failed

    def execute(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> list[Row]:
        """Run one statement and give all its rows (of ``SELECT``, or of ``… RETURNING``)."""
        self._check()
        try:
            return self._session.execute(sql, params)
        except BaseException:
            self._failed = True
            raise

    def change(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> int:
        """Run one INSERT, UPDATE or DELETE and give how many rows it touched (0 where a guard in its WHERE kept it off)."""
        self._check()
        try:
            return self._session.change(sql, params)
        except BaseException:
            self._failed = True
            raise

    def find(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> Row | None:
        """The first row of a statement; ``None`` where it has none."""
        rows = self.execute(sql, params)
        return rows[0] if rows else None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block did where it raises, and go on: ``with suppress(UniqueViolation), transaction.savepoint(): …``."""
        self._check()
        name = f"s{self._depth}"
        self.execute(f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
            self.check()
        except BaseException:
            self._depth -= 1
            self._undo(f"ROLLBACK TO SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}")
            raise
        self._depth -= 1
        self.execute(f"RELEASE SAVEPOINT {name}")

    def mark(self) -> None:
        """Begin a stretch that ``undo`` can undo; the one before it stays done."""
        self._check()
        self._session.mark(again=self._marked)
        self._marked = True

    def undo(self) -> None:
        """Undo what was done since ``mark``; ``failed`` stays true where the database cannot."""
        self._undo("ROLLBACK TO SAVEPOINT unit")

    def check(self) -> None:
        """Do nothing while all went well.

        :raises StatementInvalid: where a statement has failed and its error was swallowed.
        """
        if self._failed:
            raise StatementInvalid("a statement of the transaction has failed: nothing of it is committed")

    def end(self) -> None:
        """Refuse all further statements."""
        self._ended = True

    def _check(self) -> None:
        if self._ended:
            raise StatementInvalid("the transaction has ended")
        self.check()

    def _undo(self, *statements: str) -> None:
        # A lost connection, and a full disk of SQLite's, end the whole transaction; the block's own error says why.
        if not self._session.in_transaction:
            return
        with suppress(JackfieldError):
            for statement in statements:
                self._session.execute(statement, _NOTHING)
            self._failed = False
