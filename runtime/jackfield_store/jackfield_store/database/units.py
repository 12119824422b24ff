"""Units of work that share a commit, and how a batch of them runs: together, or each in a savepoint if one of them fails. Those that change
one row each by the same statements run as one."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from operator import not_
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.failures import Raised, attempt
from jackfield_store.database.transaction import Transaction

Done = Callable[[Any, Exception | None], None]
InTransaction = Callable[[Transaction, Sequence[Mapping[str, Any]]], None]
_log = logging.getLogger("jackfield.database")


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


class UndoneError(Exception):
    """Signal that a unit failed, so that its transaction or savepoint is rolled back."""


class SpoiledError(Exception):
    """Signal that a failed unit ended the whole transaction: by a full disk on SQLite, by a lost connection on PostgreSQL."""


class Unit:
    """One queued unit of work.

    Its thread waits at ``gate``; if no thread waits, ``done`` is called instead. ``until`` is the deadline (``time.monotonic``) for
    acquiring a lock, ``since`` the number of commits begun before it. ``waits`` marks a ``deferred`` unit that has not yet been included in
    a commit, and ``ahead`` one that leads next, alone. ``quick`` marks one whose commit does not wait for the disk, with deferred units
    only. ``leads`` is set while its thread is the leader.
    """

    __slots__ = ("ahead", "completed", "deferred", "done", "error", "gate", "leads", "quick", "since", "unit", "until", "value", "waits")

    def __init__(self, unit: Callable[[Transaction], Any], until: float, since: int = 0, done: Done | None = None) -> None:
        self.unit = unit
        self.until = until
        self.since = since
        self.done = done
        self.gate: threading.Lock | None = None
        self.value: Any = None
        self.error: Exception | None = None
        self.completed = self.deferred = self.waits = self.ahead = self.leads = self.quick = False

    def run(self, transaction: Transaction) -> None:
        """Run the unit and store its result or error for its caller.

        :raises UndoneError: if the unit raised, so that its work is rolled back.
        """
        self.value = self.error = None
        value = attempt(self._checked, transaction)
        if isinstance(value, Raised):
            self.error = value.error
            raise UndoneError
        self.value = value

    def _checked(self, transaction: Transaction) -> Any:
        value = self.unit(transaction)
        transaction.check()
        return value

    def fail(self, fault: Exception) -> None:
        """Set the error of an uncommitted batch, unless the unit has an error of its own."""
        self.waits = False
        if self.error is None:
            self.value, self.error = None, copy.copy(fault)  # several threads raise it, each with its own traceback


def run_together(batch: list[Unit], transaction: Transaction) -> None:
    """Run units in one transaction: first those that may, then the others in order; neighbours that can run together do.

    :raises UndoneError: if a unit raised, so that all are rolled back.
    """
    place = 0
    if len(batch) > 1:
        batch = _in_order(batch)
    while place < len(batch):
        first, end = batch[place].unit, place + 1
        if isinstance(first, JointUnit):
            while end < len(batch) and first.goes_with(batch[end].unit):
                end += 1
        if end - place == 1 or not isinstance(first, JointUnit):
            batch[place].run(transaction)
        elif isinstance(attempt(first.run_all, [item.unit for item in batch[place:end]], transaction), Raised):
            raise UndoneError  # each runs again alone, which finds the one at fault
        place = end


def _in_order(batch: list[Unit]) -> list[Unit]:
    """Return the units with those first that go first, in their order."""
    goes_first = [isinstance(item.unit, JointUnit) and item.unit.goes_first for item in batch]
    return [*sorted(compress(batch, goes_first), key=_order), *compress(batch, map(not_, goes_first))]


def _order(item: Unit) -> tuple[str, ...]:
    return item.unit.order if isinstance(item.unit, JointUnit) else ()


def run_apart(batch: list[Unit], transaction: Transaction) -> None:
    """Run units in one transaction, so that a failing one undoes only its own work.

    :raises SpoiledError: if a failing unit undid the work of the others too.
    """
    for item in _in_order(batch):
        transaction.mark()
        try:
            item.run(transaction)
        except UndoneError:
            transaction.undo()
            if transaction.failed:
                raise SpoiledError from None


def fail(items: list[Unit], fault: Exception) -> None:
    """Set ``fault`` for each of ``items``, none of which was committed."""
    for item in items:
        item.fail(fault)


def complete(batch: list[Unit]) -> None:
    """Report the outcome to each unit's waiting thread or callback; a second time to those that an interrupt has kept from it."""
    for item in batch:
        if item.gate is not None:
            item.completed = True
            if item.gate.locked():
                item.gate.release()
        elif not item.completed:
            item.completed = True
            done, item.done = item.done, None  # which refers to what has the unit
            if done is not None and isinstance(told := attempt(done, item.value, item.error), Raised):
                _log.error("the callback of a commit raised an exception", exc_info=told.error)  # it must not stop the next ones
