"""Units of work that change one row each, so that those with the same statements run as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.dataclass import dataclass

if TYPE_CHECKING:
    from jackfield.database.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RowUnit:
    """Unit that runs ``statement``, and ``otherwise`` if that changes no row.

    ``otherwise`` must do nothing to a row that ``statement`` has just changed.
    """

    statement: str
    otherwise: str
    values: Mapping[str, Any]

    def __call__(self, transaction: Transaction) -> int:
        """Run it alone."""
        return transaction.change(self.statement, self.values) or transaction.change(self.otherwise, self.values)

    def goes_with(self, other: object) -> bool:
        """Return whether another unit has the same statements."""
        return isinstance(other, RowUnit) and other.statement is self.statement and other.otherwise is self.otherwise


def run_rows(units: Sequence[RowUnit], transaction: Transaction) -> None:
    """Run units with the same statements."""
    rows = [unit.values for unit in units]
    if transaction.change_many(units[0].statement, rows) < len(rows):
        transaction.change_many(units[0].otherwise, rows)
