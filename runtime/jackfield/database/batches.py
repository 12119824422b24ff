"""Group commit: what many threads record at the same time shares one commit, that is, one sync of the disk.

Who comes first leads: it begins a transaction, takes what has queued up meanwhile, runs each unit in a savepoint, commits once and
wakes the others. Units from event loops wait for a writer thread, which leads when its turn comes.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeVar

from jackfield.database.faults import CommitInDoubt, Contended, Trouble, unavailable
from jackfield.database.transaction import Transaction
from jackfield.errors import JackfieldError, Unavailable

__all__ = ["Batches"]

T = TypeVar("T")
Done = Callable[[Any, Exception | None], None]

_TRIES = 3
_MOMENT = 0.05
"""Seconds: how long what was put off may wait for somebody else's commit."""
_log = logging.getLogger("jackfield.database")


class _UndoneError(Exception):
    """A unit failed: leave its transaction or savepoint without keeping anything."""


class _SpoiledError(Exception):
    """A unit failed and the database undid the whole transaction: a full disk does that to SQLite, a lost connection to PostgreSQL."""


class _Item:
    """One unit of work on its way. ``gate`` is what its thread waits at; ``done`` is told instead where no thread waits."""

    __slots__ = ("done", "error", "gate", "settled", "unit", "value")

    def __init__(self, unit: Callable[[Transaction], Any], done: Done | None = None) -> None:
        self.unit = unit
        self.done = done
        self.gate: threading.Lock | None = None
        self.value: Any = None
        self.error: Exception | None = None
        self.settled = False

    def run(self, transaction: Transaction) -> None:
        """Run the unit; what it raises is kept for its caller.

        :raises _UndoneError: where it raised, so that what it did is undone.
        """
        self.value = self.error = None
        try:
            self.value = self.unit(transaction)
            transaction.check()
        except Exception as fault:  # noqa: BLE001 (it belongs to the caller that waits for it)
            self.error = fault
            raise _UndoneError from None

    def fail(self, fault: Exception) -> None:
        """Nothing of the whole batch was committed: that is what every caller learns whose unit had no fault of its own."""
        if self.error is None:
            self.value, self.error = None, copy.copy(fault)  # raised by several threads, each with its own traceback


class Batches:
    """The queue of units, and who leads. ``transaction`` begins a transaction that writes."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Transaction]], limit: int) -> None:
        self._transaction = transaction
        self._limit = limit
        self._mutex = threading.Lock()
        self._waiting: deque[_Item] = deque()  # their threads wait at gates
        self._handed: deque[_Item] = deque()  # nobody waits for them but an event loop
        self._later: deque[_Item] = deque()  # nobody waits for them: they go with the next commit
        self._due = threading.Event()
        self._flusher: threading.Thread | None = None
        self._led = False
        self._closed = False
        self._writer: threading.Thread | None = None
        self._turn = threading.Semaphore(0)  # the writer thread's turn to lead

    def record(self, unit: Callable[[Transaction], T]) -> T:
        """Run ``unit`` and return once it is committed."""
        item = _Item(unit)
        with self._mutex:
            self._check_open()
            leads, self._led = not self._led, True
            if not leads:
                item.gate = threading.Lock()
                item.gate.acquire()
                self._waiting.append(item)
        if item.gate is not None:
            self._wait(item, item.gate)
        if not item.settled:
            self._lead(item)
        if item.error is not None:
            raise item.error
        return item.value  # type: ignore[no-any-return]  # what the unit gave

    def submit(self, unit: Callable[[Transaction], Any], done: Done) -> None:
        """Have the writer thread run ``unit``, and tell ``done`` after the commit."""
        with self._mutex:
            self._check_open()
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(target=self._write, name="jackfield-writer", daemon=True)
                self._writer.start()
            self._handed.append(_Item(unit, done))
            wake, self._led = not self._led, True
        if wake:
            self._turn.release()

    def defer(self, unit: Callable[[Transaction], Any], done: Done) -> None:
        """Run ``unit`` with whatever is committed next, at the latest after a moment."""
        with self._mutex:
            self._check_open()
            self._later.append(_Item(unit, done))
            if self._flusher is None or not self._flusher.is_alive():
                self._flusher = threading.Thread(target=self._flushes, name="jackfield-flusher", daemon=True)
                self._flusher.start()
            self._due.set()

    def flush(self) -> None:
        """Commit what was put off, if anything was."""
        if self._later and not self._closed:
            with suppress(JackfieldError):  # each unit's own ``done`` is told
                self.record(_nothing)

    def _flushes(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                return
            threading.Event().wait(_MOMENT)
            self.flush()

    def close(self) -> None:
        """Commit what is queued, then take nothing more."""
        self.flush()
        self._due.set()
        with self._mutex:
            self._closed = True
            writer, wake = self._writer, not self._led
            self._led = self._led or writer is not None
        if writer is not None:
            if wake:
                self._turn.release()
            if writer is not threading.current_thread():
                writer.join()

    def _check_open(self) -> None:
        if self._closed:
            raise unavailable(Trouble.CLOSED)

    def _wait(self, item: _Item, gate: threading.Lock) -> None:
        try:
            gate.acquire()
        except BaseException:  # Ctrl-C while another leads: a turn that comes to this thread is passed on
            with self._mutex:
                left = item in self._waiting
                if left:
                    self._waiting.remove(item)
            if not left:
                _acquire_surely(gate)
                if not item.settled:
                    self._pass_on()
            raise

    def _lead(self, own: _Item) -> None:
        batch: list[_Item] = []
        try:
            self._commit(batch, own)
        finally:
            try:
                self._pass_on()
            finally:
                _settle(batch)

    def _write(self) -> None:
        while True:
            self._turn.acquire()
            batch: list[_Item] = []
            try:
                if self._handed or self._waiting:
                    self._commit(batch, None)
            finally:
                with self._mutex:
                    ended = self._closed and not self._handed and not self._waiting
                if not ended:
                    self._pass_on()
                _settle(batch)
            if ended:
                return

    def _pass_on(self) -> None:
        """Let the next one lead: the writer where work was handed in, else the thread that has waited longest."""
        with self._mutex:
            if self._handed or (self._closed and self._writer is not None):
                self._turn.release()
                return
            while self._waiting:
                item = self._waiting.popleft()
                if item.gate is not None and not item.settled:
                    item.gate.release()
                    return
            self._led = False

    def _take(self, batch: list[_Item], own: _Item | None) -> None:
        """Fill ``batch``: what was put off, then ``own`` and who waits; without ``own``, what was handed in and who waits."""
        with self._mutex:
            while self._later and len(batch) < self._limit - 1:
                batch.append(self._later.popleft())
            if own is not None:
                batch.append(own)
            for queue in (self._waiting,) if own is not None else (self._handed, self._waiting):
                while queue and len(batch) < self._limit:
                    if not queue[0].settled:
                        batch.append(queue[0])
                    queue.popleft()

    def _commit(self, batch: list[_Item], own: _Item | None) -> None:
        again: list[_Item] = []
        ran = False
        try:
            with self._transaction() as transaction:
                self._take(batch, own)  # after the wait for the lock, so that who came meanwhile shares the commit
                _run(batch, transaction)
                ran = True
        except _UndoneError:
            pass
        except _SpoiledError:
            again = [item for item in batch if item.error is None]
        except Exception as fault:  # noqa: BLE001 (it belongs to the callers that wait for it)
            if not batch:
                self._take(batch, own)
            _fail(batch, fault)
            return
        except BaseException:  # Ctrl-C in the thread that leads: the others must not wait for ever
            words = "the commit was interrupted, and may have been done" if ran else "it was interrupted, and nothing was done"
            _fail(batch, unavailable(Trouble.SLOW, words, CommitInDoubt if ran else Unavailable))
            raise
        self._run_alone(again + [item for item in batch if isinstance(item.error, Contended)])

    def _run_alone(self, items: list[_Item]) -> None:
        """Run units again, each in a transaction of its own: those that lost to another process, and those whose whole batch was
        undone for one of them."""
        for place, item in enumerate(items):
            tries = _TRIES
            fault: Exception | None = None
            while tries and fault is None and (tries == _TRIES or isinstance(item.error, Contended)):
                tries -= 1
                fault = self._alone(item)
            if fault is not None:  # the database is gone: the others need not try
                _fail(items[place:], fault)
                return

    def _alone(self, item: _Item) -> Exception | None:
        item.error = None
        try:
            with self._transaction() as transaction:
                _run([item], transaction)
        except _UndoneError:
            return None
        except Exception as fault:  # noqa: BLE001 (it belongs to the caller that waits for it)
            return fault
        return None


def _run(batch: list[_Item], transaction: Transaction) -> None:
    """Run units in one transaction.

    :raises _UndoneError: where the only one failed.
    :raises _SpoiledError: where one failed and took what the others did with it.
    """
    if len(batch) == 1:  # a savepoint would only cost
        batch[0].run(transaction)
        return
    for item in batch:
        transaction.mark()
        try:
            item.run(transaction)
        except _UndoneError:
            transaction.undo()
            if transaction.failed:
                raise _SpoiledError from None


def _fail(items: list[_Item], fault: Exception) -> None:
    for item in items:
        item.fail(fault)


def _settle(batch: list[_Item]) -> None:
    for item in batch:
        if item.settled:
            continue
        item.settled = True
        if item.gate is not None:
            item.gate.release()
        elif item.done is not None:
            _tell(item, item.done)


def _nothing(_transaction: Transaction) -> None:
    """The unit of a commit that is made for what was put off."""


def _tell(item: _Item, done: Done) -> None:
    try:
        done(item.value, item.error)
    except Exception:  # noqa: BLE001 (whoever it belongs to, the next ones must be told)
        _log.exception("what was to be told of a commit has failed")


def _acquire_surely(gate: threading.Lock) -> None:
    while True:
        with suppress(BaseException):
            gate.acquire()
            return
