"""Group commit: what many threads record at the same time shares one commit, that is, one sync of the disk.

Who comes first leads: it begins a transaction, takes what has queued up meanwhile, runs each unit, commits once and wakes the others.
Where a unit fails, all run again, each in a savepoint: savepoints cost as much as the units, and hardly any unit fails. Units from event
loops wait for a writer thread, which leads when its turn comes.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeVar

from jackfield.clock import patience, within
from jackfield.database.faults import CommitInDoubt, Contended, Trouble, late, unavailable
from jackfield.database.transaction import Transaction
from jackfield.errors import JackfieldError, Unavailable

__all__ = ["Batches", "Done", "SpoiledError", "UndoneError", "Unit", "fail", "run_apart", "settle"]

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


T = TypeVar("T")
_TRIES = 3
_BEHIND = 4
"""Batches of what was put off, from which on who puts more off should wait for a commit: else it grows faster than it is committed."""
_MOMENT = 0.05
"""Seconds: how long what was put off may wait for somebody else's commit."""


class Batches:
    """The queue of units, and who leads. ``transaction`` begins a transaction that writes. A unit waits for its turn and for the lock for
    at most ``wait`` seconds, or as long as its caller has patience; then it leaves, and nothing of it was done."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Transaction]], limit: int, wait: float) -> None:
        self._transaction = transaction
        self._limit = limit
        self._longest = wait
        self._mutex = threading.Lock()
        self._waiting: deque[Unit] = deque()  # their threads wait at gates
        self._handed: deque[Unit] = deque()  # nobody waits for them but an event loop
        self._later: deque[Unit] = deque()  # nobody waits for them: they go with the next commit
        self._put_off = 0  # units of ``_later``, or taken from it, that are not settled yet
        self._due = threading.Event()
        self._flusher: threading.Thread | None = None
        self._led = False
        self._closed = False
        self._writer: threading.Thread | None = None
        self._turn = threading.Semaphore(0)  # the writer thread's turn to lead

    def record(self, unit: Callable[[Transaction], T]) -> T:
        """Run ``unit`` and return once it is committed."""
        item = Unit(unit, self._until())
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

    def submit(self, unit: Callable[[Transaction], Any], done: Done) -> Callable[[], bool]:
        """Have the writer thread run ``unit``, and tell ``done`` after the commit. What is returned takes the unit back: true where it is
        still in the queue, so that nothing of it was done or will be."""
        item = Unit(unit, self._until(), done)

        def taken_back() -> bool:
            with self._mutex:
                there = item in self._handed
                if there:
                    self._handed.remove(item)
            return there

        with self._mutex:
            self._check_open()
            if self._writer is None or not self._writer.is_alive():
                writer = threading.Thread(target=self._write, name="jackfield-writer", daemon=True)
                writer.start()  # raises where the system has no thread left
                self._writer = writer
            self._handed.append(item)
            wake, self._led = not self._led, True
        if wake:
            self._turn.release()
        return taken_back

    def defer(self, unit: Callable[[Transaction], Any], done: Done) -> Callable[[], bool]:
        """Run ``unit`` with whatever is committed next, at the latest after a moment. Returns as ``submit`` does."""

        def told(value: object, error: Exception | None) -> None:
            with self._mutex:
                self._put_off -= 1
            done(value, error)

        item = Unit(unit, self._until(), told)

        def taken_back() -> bool:
            with self._mutex:
                there = item.waits and not item.settled
                if there:
                    item.settled = True  # and left in the queue: to look for it would take longer than to skip it
                    self._put_off -= 1
            return there

        with self._mutex:
            self._check_open()
            if self._flusher is None or not self._flusher.is_alive():
                flusher = threading.Thread(target=self._flushes, name="jackfield-flusher", daemon=True)
                flusher.start()  # as above
                self._flusher = flusher
            self._put_off += 1
            item.waits = True
            self._later.append(item)
            self._due.set()
        return taken_back

    @property
    def is_behind(self) -> bool:
        """Whether more was put off than a few commits can take."""
        return len(self._later) > _BEHIND * self._limit

    def flush(self) -> None:
        """Return once everything is committed that was put off before."""
        if not self._put_off or self._closed:
            return
        with self._mutex:
            until = max((item.until for item in self._later), default=self._until())
        with suppress(JackfieldError), within(min(until, self._until()) - time.monotonic()):  # each unit's own ``done`` is told
            for _ in range(1 + len(self._later) // (self._limit - 1)):
                self.record(_nothing)  # what a leader has taken already is committed before this turn comes

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

    def _until(self) -> float:
        return time.monotonic() + patience(self._longest)

    def _wait(self, item: Unit, gate: threading.Lock) -> None:
        """Return when ``item`` was settled, or it is its turn to lead.

        :raises Unavailable: where its time is over while it waits in the queue.
        """
        came = left = False
        try:
            came = gate.acquire(timeout=max(0.0, item.until - time.monotonic()))
            left = not came and self._leave(item)
            if not came and not left:
                came = gate.acquire()  # it is in a commit that is under way, or leads now
        except BaseException:  # Ctrl-C while another leads: a turn that comes to this thread is passed on
            if not self._leave(item) and not item.settled:
                if not came:
                    _acquire_surely(gate)
                if not item.settled:
                    self._pass_on()
            raise
        if left:
            raise late()

    def _leave(self, item: Unit) -> bool:
        """Take ``item`` out of the queue of those that wait; false where it is not there any more."""
        with self._mutex:
            there = item in self._waiting
            if there:
                item.settled = True  # first: whatever interrupts this thread, nobody waits for it, nor it for anybody
                self._waiting.remove(item)
        return there

    def _lead(self, own: Unit) -> None:
        batch: list[Unit] = []
        try:
            with within(own.until - time.monotonic()):
                self._commit(batch, own)
        finally:
            try:
                self._pass_on()
            finally:
                settle(batch)

    def _write(self) -> None:
        while True:
            self._turn.acquire()
            batch: list[Unit] = []
            try:
                if self._handed or self._waiting:
                    with self._mutex:
                        until = min((item.until for item in self._handed), default=self._until())
                    with within(until - time.monotonic()):
                        self._commit(batch, None)
            finally:
                with self._mutex:
                    ended = self._closed and not self._handed and not self._waiting
                if not ended:
                    self._pass_on()
                settle(batch)
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

    def _take(self, batch: list[Unit], own: Unit | None, *, only_late: bool = False) -> None:
        """Fill ``batch``: what was put off, then ``own`` and who waits; without ``own``, what was handed in and who waits. ``only_late``:
        of the others only those whose time is over."""
        with self._mutex:
            if only_late:
                self._take_late(batch)
                batch += [own] if own is not None else []
                return
            while self._later and len(batch) < self._limit - 1:
                item = self._later.popleft()
                item.waits = False
                if not item.settled:
                    batch.append(item)
            if own is not None:
                batch.append(own)
            for queue in (self._waiting,) if own is not None else (self._handed, self._waiting):
                while queue and len(batch) < self._limit:
                    if not queue[0].settled:
                        batch.append(queue[0])
                    queue.popleft()

    def _take_late(self, batch: list[Unit]) -> None:
        now = time.monotonic()
        for queue in (self._later, self._handed, self._waiting):
            due = [item for item in queue if item.until <= now and not item.settled]
            for item in due:
                item.waits = False
            batch += due
            kept = [item for item in queue if item.until > now]
            queue.clear()
            queue.extend(kept)

    def _commit(self, batch: list[Unit], own: Unit | None) -> None:
        again: list[Unit] = []
        ran = False
        try:
            try:
                with self._transaction() as transaction:
                    self._take(batch, own)  # after the wait for the lock, so that who came meanwhile shares the commit
                    for item in batch:
                        item.run(transaction)
                    ran = True
            except UndoneError:
                if len(batch) > 1:
                    with self._transaction() as transaction:
                        run_apart(batch, transaction)
                        ran = True
        except SpoiledError:
            again = [item for item in batch if item.error is None]
        except Exception as fault:  # noqa: BLE001 (it belongs to the callers that wait for it)
            if not batch:
                self._take(batch, own, only_late=isinstance(fault, Contended))
            fail(batch, fault)
            return
        except BaseException:  # Ctrl-C in the thread that leads: the others must not wait for ever
            words = "the commit was interrupted, and may have been done" if ran else "it was interrupted, and nothing was done"
            fail(batch, unavailable(Trouble.SLOW, words, CommitInDoubt if ran else Unavailable))
            raise
        self._run_alone(again + [item for item in batch if isinstance(item.error, Contended)])

    def _run_alone(self, items: list[Unit]) -> None:
        """Run units again, each in a transaction of its own: those that lost to another process, and those whose whole batch was
        undone for one of them."""
        for place, item in enumerate(items):
            tries = _TRIES
            fault: Exception | None = None
            while tries and fault is None and (tries == _TRIES or isinstance(item.error, Contended)):
                tries -= 1
                fault = self._alone(item)
            if isinstance(fault, Contended):
                item.fail(fault)
            elif fault is not None:  # the database is gone: the others need not try
                fail(items[place:], fault)
                return

    def _alone(self, item: Unit) -> Exception | None:
        item.error = None
        try:
            with within(item.until - time.monotonic()), self._transaction() as transaction:
                item.run(transaction)
        except UndoneError:
            return None
        except Exception as fault:  # noqa: BLE001 (it belongs to the caller that waits for it)
            return fault
        return None


def _nothing(_transaction: Transaction) -> None:
    """The unit of a commit that is made for what was put off."""


def _acquire_surely(gate: threading.Lock) -> None:
    while True:
        with suppress(BaseException):
            gate.acquire()
            return
