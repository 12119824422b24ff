"""Units of work that run together with their neighbours: those that change one row each by the same statements run as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from jackfield_store.database.transaction import Transaction

    InTransaction = Callable[[Transaction, Sequence[Mapping[str, Any]]], None]


class JointUnit:
    """Unit that runs together with neighbours that it ``goes_with``; they have no values. If that fails, each runs again alone."""

    __slots__ = ()
    goes_first = False
    """True if it may run before all others of its commit: it adds a row that no other unit of the commit knows."""

    def __call__(self, transaction: Transaction) -> Any:
        """Run it alone."""
        self.run_all([self], transaction)

    @property
    def order(self) -> tuple[str, ...]:
        """Place among those that go first. PostgreSQL lets a row wait for one that excludes it until that is committed: two processes that
        add the same rows in different orders would wait for each other."""
        return ()

    def goes_with(self, other: object) -> bool:
        """Return whether another unit can run together with this one: by default, if it is of the same kind."""
        return type(other) is type(self)

    def run_all(self, units: Sequence[Any], transaction: Transaction) -> None:
        """Run units that go with this one, which is the first."""
        raise NotImplementedError


class ApartError(Exception):
    """Signal that units which go with each other cannot run together now: each runs again alone."""


@dataclass(frozen=True, slots=True)
class RowUnit(JointUnit):
    """Unit that runs ``statement``, and ``otherwise`` if that changes no row; then ``in_transaction`` once for all rows that are changed
    together. ``before`` gets the rows before ``otherwise`` runs, which most never need.

    ``otherwise`` must do nothing to a row that ``statement`` has just changed.
    """

    statement: str
    otherwise: str
    values: Mapping[str, Any]
    in_transaction: InTransaction | None = None
    before: InTransaction | None = None

    def __call__(self, transaction: Transaction) -> int:
        """Run it alone."""
        changed = transaction.change(self.statement, self.values) or self._changed_otherwise([self.values], transaction)
        if self.in_transaction is not None:
            self.in_transaction(transaction, [self.values])
        return changed

    def goes_with(self, other: object) -> bool:
        """Return whether another unit has the same statements."""
        if not isinstance(other, RowUnit):
            return False
        same = other.statement is self.statement and other.otherwise is self.otherwise
        return same and other.in_transaction is self.in_transaction and other.before == self.before

    def run_all(self, units: Sequence[RowUnit], transaction: Transaction) -> None:
        """Run units with the same statements."""
        rows = [unit.values for unit in units]
        if transaction.change_all([(self.statement, rows)])[0] < len(rows):
            self._changed_otherwise(rows, transaction)
        if self.in_transaction is not None:
            self.in_transaction(transaction, rows)

    def _changed_otherwise(self, rows: Sequence[Mapping[str, Any]], transaction: Transaction) -> int:
        if self.before is not None:
            self.before(transaction, rows)
        return transaction.change_many(self.otherwise, rows)
