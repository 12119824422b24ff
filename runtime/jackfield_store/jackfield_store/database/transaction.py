"""A transaction as stores use it: statements that are committed together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, Protocol, TypeAlias

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import OnFailure
from jackfield_store.database.faults import StatementInvalid
from jackfield_store.database.statements import Row

Step: TypeAlias = tuple[str, Sequence[Mapping[str, Any]]]
"""A statement, and the sets of parameters to run it with."""
_NOTHING: Mapping[str, Any] = {}


class Mode(Enum):
    """Purpose of a transaction."""

    READ = "read"
    WRITE = "write"
    VOLATILE = "volatile"
    """Writes without waiting for the disk: a crash of the machine may lose the last ones."""
    MIGRATE = "migrate"
    """Exclusive, even if several processes start at once."""


class Session(Protocol):
    """One connection, used by one thread at a time. Its methods raise this package's errors, never a driver's."""

    holder: list[Any] | None
    """As a pool has it."""

    @property
    def in_transaction(self) -> bool:
        """True if the transaction is open, even if it has failed."""

    def execute(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Run a statement and return its rows."""

    def change(self, sql: str, params: Mapping[str, Any]) -> int:
        """Run a statement and return the number of affected rows."""

    def change_all(self, steps: Sequence[Step]) -> list[int]:
        """Run statements, each with each of several sets of parameters; return the number of affected rows for each statement."""

    def mark(self, *, again: bool) -> None:
        """Set the savepoint ``unit``. ``again`` replaces the present one."""

    def commit(self) -> None:
        """Commit, and wait until it is on the disk."""

    def rollback(self) -> None:
        """Roll back the transaction; raises nothing."""


class Work(Protocol):
    """Context manager of one transaction: commit at the end of the block, roll back if it raises."""

    def __enter__(self) -> Transaction: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None: ...

    def abandon(self) -> None:
        """Roll back, unless it has ended: a block that was interrupted may not have got as far as its end. May run twice."""


class Transaction:
    """Statements that are committed together, or not at all.

    Parameters are named: ``:name`` in the text, with a mapping. A failed statement aborts the transaction (as in PostgreSQL); use
    ``savepoint()`` to continue after a violation.

    ``execute``, ``change`` and ``find`` raise ``UniqueViolation`` and ``ConstraintViolation`` if a row violates a constraint,
    ``StatementInvalid`` if the statement is invalid, and ``Unavailable`` if the database is unavailable.
    """

    __slots__ = ("_depth", "_ended", "_failed", "_marked", "_session", "_since_mark", "afterwards", "mode")

    def __init__(self, session: Session, mode: Mode, afterwards: tuple[Callable[[], object], ...] = ()) -> None:
        self._session = session
        self.mode = mode
        self.afterwards = self._since_mark = afterwards
        """Steps to take once it is committed, which raise nothing; those of a section that is rolled back are forgotten."""
        self._depth = 0
        self._failed = False
        self._marked = False
        self._ended = False

    @property
    def failed(self) -> bool:
        """True if a statement has failed, so that the transaction cannot be committed."""
        return self._failed

    def execute(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> list[Row]:
        """Run one statement and return all its rows (of ``SELECT``, or of ``… RETURNING``)."""
        self._check()
        self._failed = True  # until it has succeeded
        rows = self._session.execute(sql, params)
        self._failed = False
        return rows

    def change(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> int:
        """Run one INSERT, UPDATE or DELETE and return the number of affected rows (0 if its WHERE matches none)."""
        self._check()
        self._failed = True  # until it has succeeded
        count = self._session.change(sql, params)
        self._failed = False
        return count

    def change_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run one INSERT, UPDATE or DELETE with each of several sets of parameters, and return the number of affected rows."""
        return self.change_all([(sql, rows)])[0]

    def change_all(self, steps: Sequence[Step]) -> list[int]:
        """Run statements as ``change_many`` does, in order but at once; return the number of affected rows for each."""
        self._check()
        self._failed = True  # until they have succeeded
        counts = self._session.change_all(steps)
        self._failed = False
        return counts

    def find(self, sql: str, params: Mapping[str, Any] = _NOTHING) -> Row | None:
        """Return the first row of a statement, or None."""
        rows = self.execute(sql, params)
        return rows[0] if rows else None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the block's work if it raises, and keep the transaction usable.

        Example: ``with suppress(UniqueViolation), transaction.savepoint(): …``.
        """
        self._check()
        name = f"s{self._depth}"
        self.execute(f"SAVEPOINT {name}")
        self._depth += 1
        before = self.afterwards
        try:
            with OnFailure(self._undo, before, f"ROLLBACK TO SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}"):
                yield
                self.check()
        finally:
            self._depth -= 1
        self.execute(f"RELEASE SAVEPOINT {name}")

    def mark(self) -> None:
        """Begin a section that ``undo`` can roll back. The section before it is kept."""
        self._check()
        self._session.mark(again=self._marked)
        self._marked, self._since_mark = True, self.afterwards

    def undo(self) -> None:
        """Roll back to ``mark``; ``failed`` stays True if the database cannot."""
        self._undo(self._since_mark, "ROLLBACK TO SAVEPOINT unit")

    def check(self) -> None:
        """Check that no statement has failed.

        :raises StatementInvalid: if a statement has failed and its error was swallowed.
        """
        if self._failed:
            raise StatementInvalid("a statement of the transaction has failed: nothing of it is committed")

    def end(self) -> None:
        """Refuse all further statements."""
        self._ended = True

    def _check(self) -> None:
        if self._ended:
            raise StatementInvalid("the transaction has ended")
        if self._failed:
            self.check()

    def _undo(self, afterwards: tuple[Callable[[], object], ...], *statements: str) -> None:
        self.afterwards = afterwards
        # A lost connection, or a full disk on SQLite, ends the whole transaction; the block's own error gives the reason.
        if not self._session.in_transaction:
            return
        with suppress(JackfieldError):
            for statement in statements:
                self._session.execute(statement, _NOTHING)
            self._failed = False
