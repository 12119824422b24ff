"""One unit of work on its way into a commit, and what becomes of those that share one."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from typing import Any

from jackfield.database.transaction import Transaction

__all__ = ["Done", "SpoiledError", "UndoneError", "Unit", "fail", "run_apart", "settle"]

Done = Callable[[Any, Exception | None], None]

_log = logging.getLogger("jackfield.database")


class UndoneError(Exception):
    """A unit failed: leave its transaction or savepoint without keeping anything."""


class SpoiledError(Exception):
    """A unit failed and the database undid the whole transaction: a full disk does that to SQLite, a lost connection to PostgreSQL."""


class Unit:
    """One unit of work on its way. ``gate`` is what its thread waits at; ``done`` is told instead where no thread waits. ``until`` is the
    moment (``time.monotonic``) until which it may wait for a lock; ``waits`` says that it was put off, and no commit has taken it yet."""

    __slots__ = ("done", "error", "gate", "settled", "unit", "until", "value", "waits")

    def __init__(self, unit: Callable[[Transaction], Any], until: float, done: Done | None = None) -> None:
        self.unit = unit
        self.until = until
        self.done = done
        self.gate: threading.Lock | None = None
        self.value: Any = None
        self.error: Exception | None = None
        self.settled = False
        self.waits = False

    def run(self, transaction: Transaction) -> None:
        """Run the unit; what it raises is kept for its caller.

        :raises UndoneError: where it raised, so that what it did is undone.
        """
        self.value = self.error = None
        try:
            self.value = self.unit(transaction)
            transaction.check()
        except Exception as fault:  # noqa: BLE001 (it belongs to the caller that waits for it)
            self.error = fault
            raise UndoneError from None

    def fail(self, fault: Exception) -> None:
        """Nothing of the whole batch was committed: that is what every caller learns whose unit had no fault of its own."""
        if self.error is None:
            self.value, self.error = None, copy.copy(fault)  # raised by several threads, each with its own traceback


def run_apart(batch: list[Unit], transaction: Transaction) -> None:
    """Run units in one transaction, so that one that fails undoes its own work only.

    :raises SpoiledError: where one failed and took what the others did with it.
    """
    for item in batch:
        transaction.mark()
        try:
            item.run(transaction)
        except UndoneError:
            transaction.undo()
            if transaction.failed:
                raise SpoiledError from None


def fail(items: list[Unit], fault: Exception) -> None:
    """What each of ``items`` learns where none of them was committed."""
    for item in items:
        item.fail(fault)


def settle(batch: list[Unit]) -> None:
    """Tell all that wait for their units what became of them."""
    for item in batch:
        if item.settled:
            continue
        item.settled = True
        if item.gate is not None:
            item.gate.release()
        elif item.done is not None:
            _tell(item, item.done)


def _tell(item: Unit, done: Done) -> None:
    try:
        done(item.value, item.error)
    except Exception:  # noqa: BLE001 (whoever it belongs to, the next ones must be told)
        _log.exception("what was to be told of a commit has failed")
