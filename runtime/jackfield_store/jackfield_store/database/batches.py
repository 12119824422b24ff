"""Group commit: units recorded concurrently by many threads share one commit, that is, one disk
sync.

The first thread leads: it begins a transaction, runs the units queued meanwhile, commits once and
wakes the other threads. If a unit fails, all run again, each in a savepoint. Savepoints are not
used from the start because each costs as much as a unit, and units rarely fail. Units from event
loops wait for a writer thread, which leads in its turn. Adjacent units that change one row each by
the same statements run as one.
"""

from __future__ import annotations

import copy
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import compress
from operator import not_
from typing import Any, NoReturn, TypeAlias, TypeVar

from jackfield.kernel.clock import (
    limit_waits,
    monotonic,
    patience,
    unlimit_waits,
    waits_until,
    within,
)
from jackfield.kernel.commits import CommitUnknown, late, under_way
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.ends import is_ending
from jackfield.kernel.errors import JackfieldError, Unavailable
from jackfield.kernel.failures import OnFailure, Raised, attempt, require_stack
from jackfield.kernel.interrupts import comes_out, interrupt
from jackfield_store.database.faults import Contended, Trouble, unavailable
from jackfield_store.database.transaction import Transaction, swallowed

T = TypeVar("T")
Done: TypeAlias = Callable[[Any, Exception | None], None]
InTransaction: TypeAlias = Callable[[Transaction, Sequence[Mapping[str, Any]]], None]
_log = logging.getLogger("jackfield.database")
_TRIES = 3
_BEHIND = 4
"""Number of pending batches of deferred units above which callers should wait for a commit, so that
the queue stays bounded.
"""
_MOMENT = 0.05  # seconds that a deferred unit waits to join another commit
_GRACE = 0.5  # seconds after its deadline for which a unit in a commit under way is awaited
# seconds for which closing waits for a lock, and after which a thread of this module that waits for
# one looks around
_CLOSING = 5.0


class JointUnit:
    """Unit that runs together with adjacent units that it ``goes_with``; such units return no
    values. If running together fails, each runs again alone.
    """

    __slots__ = ()
    goes_first = False
    """True if the unit may run before all others of its commit: it adds a row that no other unit of
    the commit knows.
    """

    def __call__(self, transaction: Transaction) -> Any:
        """Run the unit alone."""
        self.run_all([self], transaction)

    @property
    def order(self) -> tuple[str, ...]:
        """Place among the units that go first. PostgreSQL makes a row wait until a conflicting row
        is committed: two processes that add the same rows in different orders would wait for each
        other.
        """
        return ()

    def goes_with(self, other: object) -> bool:
        """Return whether another unit can run together with this one: by default, if it is of the
        same kind.
        """
        return type(other) is type(self)

    def run_all(self, units: Sequence[Any], transaction: Transaction) -> None:
        """Run this unit, which is the first, and units that go with it."""
        raise NotImplementedError


class ApartError(Exception):
    """Signal that units which go with each other cannot run together now: each runs again alone."""


@dataclass(frozen=True, slots=True)
class RowUnit(JointUnit):
    """Unit that runs ``statement``, and ``otherwise`` if that changes no row; then
    ``in_transaction`` once for all rows changed together. ``before`` gets the rows before
    ``otherwise`` runs; most units do not need it.

    ``otherwise`` must do nothing to a row that ``statement`` has just changed.
    """

    statement: str
    otherwise: str
    values: Mapping[str, Any]
    in_transaction: InTransaction | None = None
    before: InTransaction | None = None

    def __call__(self, transaction: Transaction) -> int:
        """Run the unit alone."""
        changed = transaction.change(self.statement, self.values) or self._changed_otherwise(
            [self.values], transaction
        )
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

    def _changed_otherwise(
        self, rows: Sequence[Mapping[str, Any]], transaction: Transaction
    ) -> int:
        if self.before is not None:
            self.before(transaction, rows)
        return transaction.change_many(self.otherwise, rows)


class UndoneError(Exception):
    """Signal that a unit failed, so that its transaction or savepoint is rolled back."""


class SpoiledError(Exception):
    """Signal that a failed unit ended the whole transaction: by a full disk on SQLite, by a lost
    connection on PostgreSQL.
    """


class Unit:
    """One queued unit of work.

    Its thread waits at ``gate``; if no thread waits, ``done`` is called instead. ``until`` is the
    deadline (``time.monotonic``) for acquiring a lock, ``since`` the number of commits begun before
    it. ``waits`` marks a ``deferred`` unit that has not yet been included in a commit, and
    ``ahead`` a unit that leads next, alone. ``quick`` marks a unit whose commit does not wait for
    the disk, with deferred units only. ``leads`` is set while its thread is the leader.
    ``abandoned`` is the batch of a thread that leaves, and may be unable to pass the lead on.
    """

    __slots__ = (
        "abandoned",
        "ahead",
        "completed",
        "deferred",
        "done",
        "error",
        "gate",
        "leads",
        "quick",
        "since",
        "unit",
        "until",
        "value",
        "waits",
    )

    def __init__(
        self,
        unit: Callable[[Transaction], Any],
        until: float,
        since: int = 0,
        done: Done | None = None,
    ) -> None:
        self.unit = unit
        self.until = until
        self.since = since
        self.done = done
        self.gate: threading.Lock | None = None
        self.abandoned: list[Unit] | None = None
        self.value: Any = None
        self.error: Exception | None = None
        self.completed = self.deferred = self.waits = self.ahead = self.leads = self.quick = False

    def run(self, transaction: Transaction) -> None:
        """Run the unit and store its result or error for its caller.

        :raises UndoneError: if the unit raised an error or swallowed one of the database, so that
            its work is rolled back.
        """
        self.value = self.error = None
        found = attempt(self.unit, transaction)
        if not isinstance(found, Raised) and not transaction.failed:
            self.value = found
            return
        self.error = found.error if isinstance(found, Raised) else swallowed()
        raise UndoneError

    def fail(self, fault: Exception) -> None:
        """Set the error of an uncommitted batch, unless the unit has an error of its own."""
        self.waits = False
        if self.error is None:
            # several threads raise it, each with its own traceback
            self.value, self.error = None, copy.copy(fault)


def run_together(batch: list[Unit], transaction: Transaction) -> None:
    """Run units in one transaction: first the units that may go first, then the others in order.
    Adjacent units that can run together do.

    :raises UndoneError: if a unit raised, so that all are rolled back.
    """
    place, batch = 0, _in_order(batch)
    while place < len(batch):
        first, end = batch[place].unit, place + 1
        if isinstance(first, JointUnit):
            while end < len(batch) and first.goes_with(batch[end].unit):
                end += 1
        if end - place == 1 or not isinstance(first, JointUnit):
            batch[place].run(transaction)
        elif isinstance(
            attempt(first.run_all, [item.unit for item in batch[place:end]], transaction), Raised
        ):
            raise UndoneError  # each runs again alone, which finds the one at fault
        place = end


def _in_order(batch: list[Unit]) -> list[Unit]:
    """Return the units, beginning with the units that go first, in their order."""
    goes_first = [isinstance(item.unit, JointUnit) and item.unit.goes_first for item in batch]
    return [
        *sorted(compress(batch, goes_first), key=_order),
        *compress(batch, map(not_, goes_first)),
    ]


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
    """Report the outcome to each unit's waiting thread or callback; report again to units that
    missed the report because of an interrupt.
    """
    for item in batch:
        if item.gate is not None:
            item.completed = True
            if item.gate.locked():
                item.gate.release()
        elif not item.completed:
            item.completed = True
            done, item.done = item.done, None  # which refers to what has the unit
            if done is not None and isinstance(
                told := attempt(done, item.value, item.error), Raised
            ):
                # it must not stop the next ones
                _log.error("the callback of a commit raised an exception", exc_info=told.error)


class Batches:
    """Queue of units and election of the leader.

    ``transaction`` begins a writing transaction, ``quick`` one whose commit does not wait for the
    disk. A unit waits for its turn and for the lock for at most ``wait`` seconds, or until its
    caller's deadline. Then it leaves the queue, and none of its work was done. If the database
    ``bounds_each`` wait, the wait for a running commit is also bounded: the caller then does not
    know whether the commit takes effect.
    """

    def __init__(
        self,
        transaction: Callable[[], Transaction],
        quick: Callable[[], Transaction],
        limit: int,
        wait: float,
        *,
        bounds_each: bool = False,
    ) -> None:
        self._transaction, self._quick = transaction, quick
        self._work: Transaction | None = None  # the leader's
        self._limit = limit
        self._longest = wait
        self._bounds_each = bounds_each
        self._mutex = threading.Lock()
        self._leaving = threading.Lock()  # held while a lead that was abandoned is passed on
        self._waiting: deque[Unit] = deque()  # threads wait for them at gates
        self._submitted: deque[Unit] = deque()  # submitted by event loops, no thread waits
        self._deferred: deque[Unit] = deque()  # no caller waits: they join the next commit
        # True if the leader has taken deferred units, which are not committed yet
        self._taken = False
        self._due = threading.Event()
        self._flusher: threading.Thread | None = None
        self._led = False
        self._leader: Unit | None = None  # the latest one whose thread waits for its unit
        self._begun_commits = 0
        # of the commit under way: its units have run; their outcomes are known
        self._ran = self._known = False
        self._closed = False
        self._writer: threading.Thread | None = None
        self._turn = threading.Lock()  # free when it is the writer thread's turn to lead
        self._turn.acquire()

    def record(
        self,
        unit: Callable[[Transaction], T],
        *,
        ahead: bool = False,
        quick: bool = False,
        until: float | None = None,
    ) -> T:
        """Run ``unit`` and return its value once it is committed: with ``ahead``, before the queue
        and in a transaction of its own; else with others. ``until`` overrides the time until which
        the caller waits.

        :raises RecursionError: near the end of the stack, where units of others would fail with it.
        """
        require_stack()
        item, batch = (
            Unit(unit, waits_until(self._longest) if until is None else until, self._begun_commits),
            list[Unit](),
        )
        item.ahead, item.quick = ahead, quick
        try:
            with self._mutex:
                if self._closed:
                    self._refuse()
                if self._led:
                    gate, join = (
                        threading.Lock(),
                        self._waiting.appendleft if ahead else self._waiting.append,
                    )
                    gate.acquire()
                    item.gate = gate  # right before it joins: an interrupt cannot come in between
                    join(item)
                else:
                    self._led = item.leads = True
                    self._leader = item
            if item.gate is not None:
                self._wait(item, item.gate)
            if not item.completed:
                before = limit_waits(item.until)
                try:
                    self._commit(batch, item)
                finally:
                    unlimit_waits(before)
                # before another one leads: from here on this thread waits for nothing
                item.completed = True
                self._pass_on(item)
                if batch != [item]:
                    complete(batch)
        except BaseException:  # Ctrl-C, at any of these lines: nobody may wait for this thread
            # this calls nothing: without stack or memory for the rest, another thread does it
            item.abandoned = batch
            _despite_interrupts(partial(self._abandon, item, batch))
            raise
        if item.error is not None:
            raise item.error
        return item.value  # type: ignore[no-any-return]  # the unit's return value

    def submit(self, unit: Callable[[Transaction], Any], done: Done) -> Callable[[], bool]:
        """Let the writer thread run ``unit``, and call ``done`` after the commit.

        Return a function that cancels the unit: True if it was still queued, so that nothing of it
        was or will be done.
        """
        item = Unit(unit, waits_until(self._longest), self._begun_commits, done)

        def cancel() -> bool:
            with self._mutex, suppress(ValueError):
                self._submitted.remove(item)
                return True
            return False

        with self._mutex:
            if self._closed:
                self._refuse()
            if self._writer is None or not self._writer.is_alive():
                writer = threading.Thread(target=self._write, name="jackfield-writer", daemon=True)
                writer.start()  # raises if the system has no thread left
                self._writer = writer
            self._submitted.append(item)
            if not self._led:
                self._led = True
                self._turn.release()
        self._take_over()
        return cancel

    def defer(
        self,
        unit: Callable[[Transaction], Any],
        done: Done | None = None,
        *,
        wait: float | None = None,
    ) -> Unit:
        """Run ``unit`` with the next commit, at the latest after ``_MOMENT``; ``wait`` overrides
        the seconds that the caller waits for a lock.
        """
        until = monotonic() + (
            patience(self._longest) if wait is None else min(wait, self._longest)
        )
        item = Unit(unit, until, self._begun_commits, done)
        with self._mutex:
            if self._closed:
                self._refuse()
            if (self._flusher is None or not self._flusher.is_alive()) and not is_ending():
                flusher = threading.Thread(
                    target=self._flush_when_due, name="jackfield-flusher", daemon=True
                )
                flusher.start()  # raises if the system has no thread left
                self._flusher = flusher
            item.deferred = item.waits = True
            self._deferred.append(item)
        if not self._due.is_set():
            self._due.set()
        return item

    def settle(self, seconds: float) -> None:
        """Commit deferred units now, without waiting for the disk; if a lock takes longer than
        ``seconds``, they stay deferred.
        """
        if self._deferred or self._taken:
            with suppress(JackfieldError):  # errors go to each unit's own ``done``
                self.record(_nothing, quick=True, until=monotonic() + min(seconds, self._longest))

    def replace(self, item: Unit, unit: Callable[[Transaction], Any], done: Done) -> bool:
        """Replace a deferred unit by ``unit``; return False if a commit has taken the deferred unit
        already.
        """
        with self._mutex:
            if waits := item.waits:
                item.unit, item.done, item.until = unit, done, monotonic() + self._longest
        return waits

    @property
    def defers(self) -> bool:
        """True if a unit is deferred, or is in a commit under way."""
        return bool(self._deferred) or self._taken

    @property
    def is_behind(self) -> bool:
        """True if more units are deferred than a few commits can take."""
        return len(self._deferred) > _BEHIND * self._limit

    def flush(self) -> None:
        """Wait until all units deferred before are committed."""
        if self._closed or not self.defers:
            return
        with self._mutex:
            until = min(
                max((item.until for item in self._deferred), default=math.inf),
                waits_until(self._longest),
            )
        with suppress(JackfieldError):  # errors go to each unit's own ``done``
            for _ in range(1 + len(self._deferred) // (self._limit - 1)):
                # a batch taken by an earlier leader is committed before this turn comes
                self.record(_nothing, until=until)

    def _flush_when_due(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                return
            threading.Event().wait(_MOMENT)
            with within(_CLOSING):
                self.flush()
            if self._deferred:  # the lock was not free: what is not late waits on
                self._due.set()

    def close(self) -> None:
        """Commit queued units, then refuse new and remaining ones. A locked database does not hold
        up the exit for long.
        """
        self._take_over()
        with within(_CLOSING):
            self.flush()
        self._due.set()
        with self._mutex:
            self._closed = True
            writer = self._writer
            if writer is not None and not self._led:
                self._led = True
                self._turn.release()
        if writer is not None and writer is not threading.current_thread():
            writer.join()
        with self._mutex:
            left, self._deferred = [*self._deferred], deque()
        fail(left, late())
        complete(left)

    @staticmethod
    def _refuse() -> NoReturn:
        raise unavailable(Trouble.CLOSED)

    def _wait(self, item: Unit, gate: threading.Lock) -> None:
        """Wait until ``item`` is completed or its turn to lead has come.

        :raises Unavailable: if its deadline passes while it is queued.
        """
        self._take_over()
        while not gate.acquire(timeout=max(0.0, min(item.until - monotonic(), _GRACE))):
            self._take_over()
            if item.until > monotonic():
                continue
            if self._leave(item):
                raise late()
            self._await_commit(item, gate)
            return

    def _await_commit(self, item: Unit, gate: threading.Lock) -> None:
        """Wait for a unit that is in a commit under way, or leads now.

        :raises Unavailable: if the wait for a commit is bounded.
        """
        while not gate.acquire(timeout=_GRACE):
            self._take_over()
            if self._bounds_each:
                item.completed = True
                raise under_way()

    def _leave(self, item: Unit) -> bool:
        """Remove ``item`` from the waiting queue; return False if the item has left the queue
        already.
        """
        with self._mutex:
            queued = item in self._waiting and not item.leads
            if queued:
                # first, in case this thread is interrupted here: then no thread waits for the unit
                item.completed = True
                self._waiting.remove(item)
        return queued

    def _abandon(self, item: Unit, batch: list[Unit]) -> None:
        """Leave the queue, or pass the lead on, and notify the owners of units that this thread has
        taken; may run twice, and in two threads.
        """
        if item.gate is not None and not self._leave(item):
            while not (item.completed or item.leads):  # it is in a commit under way
                item.gate.acquire(timeout=_GRACE)
                self._take_over()
        with self._leaving:
            if item.leads:
                self._interrupted(batch)
                item.completed = True
                # first: one may still be in its queue, and must not get the lead and an outcome
                complete(batch)
                self._pass_on(item)
            complete(batch)

    def _take_over(self) -> None:
        """Pass on the lead of a thread that has left, and had no stack or memory to do so."""
        leader = self._leader
        if leader is not None and leader.abandoned is not None:
            _despite_interrupts(partial(self._abandon, leader, leader.abandoned))

    def _interrupted(self, batch: list[Unit]) -> None:
        """End the transaction of an interrupted leader, and fail its batch unless the outcome is
        known.
        """
        if self._work is not None:
            self._work.abandon()
        if not (self._ran or self._known):
            self._put_off_again(batch)
        if not self._known:
            words = (
                "the commit was interrupted and may have taken effect"
                if self._ran
                else "it was interrupted; nothing was done"
            )
            fail(
                batch, unavailable(Trouble.SLOW, words, CommitUnknown if self._ran else Unavailable)
            )

    def _put_off_again(self, batch: list[Unit]) -> None:
        """Return untouched deferred units to their queue."""
        for item in reversed(batch):
            if item.deferred and not item.waits:
                self._deferred.appendleft(item)
                item.waits = True
        batch[:] = [item for item in batch if not item.waits]
        self._due.set()

    def _write(self) -> None:
        while True:
            self._turn.acquire()
            batch: list[Unit] = []
            try:
                if self._submitted or self._waiting:
                    with OnFailure(self._interrupted, batch), within(self._writers_patience()):
                        self._commit(batch, None)
            finally:
                with self._mutex:
                    ended = self._closed and not self._submitted and not self._waiting
                if not ended:
                    self._pass_on(None)
                complete(batch)
            if ended:
                return
            batch = []  # while it waits for its turn, it keeps nothing alive

    def _writers_patience(self) -> float:
        """Return the seconds that the writer's next commit may take: each waiting caller gives up
        at its own deadline.
        """
        if self._bounds_each:
            return math.inf
        with self._mutex:
            until = min(
                (item.until for item in self._submitted), default=waits_until(self._longest)
            )
        return min(until - monotonic(), _CLOSING)

    def _pass_on(self, own: Unit | None) -> None:
        """Choose the next leader: the thread whose unit goes ahead, the writer thread if units were
        submitted, or else the thread that has waited longest. ``own`` is the unit of the present
        leader, which leads until there is another.
        """
        own = own or Unit(_nothing, 0.0)
        with self._mutex:
            self._taken = False
            ahead = bool(self._waiting) and self._waiting[0].ahead
            if (not ahead and self._submitted) or (self._closed and self._writer is not None):
                own.leads, self._leader = False, None
                self._turn.release()
                return
            while self._waiting:
                item = self._waiting[0]
                if item.gate is not None and not item.completed and not item.leads:
                    own.leads, item.leads = False, True
                    self._leader = item
                    # before it leaves the queue: an interrupt here must not lose it
                    item.gate.release()
                    self._waiting.popleft()
                    return
                self._waiting.popleft()
            self._leader = None
            self._led = own.leads = False

    def _take(self, batch: list[Unit], own: Unit | None) -> None:
        """Fill ``batch`` with deferred units, then ``own``, if it does anything, and waiting units;
        without ``own``, with submitted and waiting units.

        A unit leaves its queue once it is in the batch, so that an interrupt loses none.
        """
        with self._mutex:
            if own is not None and own.ahead:
                batch.append(own)
                return
            while self._deferred and len(batch) < self._limit - 1:
                item = self._deferred[0]
                item.waits, self._taken = False, True
                if not item.completed:
                    batch.append(item)
                self._deferred.popleft()
            if own is not None and own.unit is not _nothing:
                batch.append(own)
            if own is not None and own.quick:
                return
            for queue in (self._waiting,) if own is not None else (self._submitted, self._waiting):
                while queue and len(batch) < self._limit:
                    if not queue[0].completed and not queue[0].leads:
                        batch.append(queue[0])
                    queue.popleft()

    def _take_refused(self, batch: list[Unit], own: Unit | None, fault: Exception) -> None:
        """Fill ``batch`` with ``own`` and the units for which a commit failed to begin: units
        queued before ``own`` or, after a wait for a lock, units whose deadlines have passed. Other
        units are tried again: the database may be back.
        """
        now = monotonic()
        with self._mutex:
            for queue in (
                (self._deferred, self._submitted, self._waiting)
                if own is None or not own.ahead
                else ()
            ):
                for item in list(queue):
                    refused = (
                        item.until <= now
                        if isinstance(fault, Contended)
                        else item.since < self._begun_commits
                    )
                    if refused and not item.completed and not item.leads:
                        item.waits = False
                        batch.append(item)
                        queue.remove(item)
            batch += [own] if own is not None else []

    def _commit(self, batch: list[Unit], own: Unit | None) -> None:
        again: list[Unit] = []
        begin = self._quick if own is not None and own.quick else self._transaction
        self._ran, self._known, self._work = False, False, None
        self._begun_commits += 1
        try:
            try:
                self._work = work = begin()
                with work as transaction:
                    # after waiting for the lock, so that units queued meanwhile share the commit
                    self._take(batch, own)
                    if len(batch) == 1:
                        batch[0].run(transaction)
                    else:
                        run_together(batch, transaction)
                    self._ran = True
            except UndoneError:
                if len(batch) > 1:
                    self._work = work = begin()
                    with work as transaction:
                        run_apart(batch, transaction)
                        self._ran = True
        except SpoiledError:
            again = [item for item in batch if item.error is None]
        except Exception as fault:
            if interrupt(fault):
                raise
            if not batch:
                self._take_refused(batch, own, fault)
            fail(batch, fault)
            self._known = True
            return
        if again := again + [item for item in batch if isinstance(item.error, Contended)]:
            self._run_alone(again)
        self._known = True

    def _run_alone(self, items: list[Unit]) -> None:
        """Run units again, each in a transaction of its own.

        These are units that lost to another process, and units of a batch that was rolled back
        because of one of them.
        """
        for place, item in enumerate(items):
            tries = _TRIES
            fault: Exception | None = None
            while (
                tries and fault is None and (tries == _TRIES or isinstance(item.error, Contended))
            ):
                tries -= 1
                fault = self._run_in_own_transaction(item)
            if isinstance(fault, Contended):
                item.fail(fault)
            elif fault is not None:  # the database is gone: do not try the others
                fail(items[place:], fault)
                return

    def _run_in_own_transaction(self, item: Unit) -> Exception | None:
        item.error = None
        found = attempt(self._run_unit, item)
        return (
            found.error
            if isinstance(found, Raised) and not isinstance(found.error, UndoneError)
            else None
        )

    def _run_unit(self, item: Unit) -> None:
        self._work = work = self._transaction()
        with within(item.until - monotonic()), work as transaction:
            item.run(transaction)


def _nothing(_transaction: Transaction) -> None:
    """Do nothing: the unit of a commit made for deferred units."""


def _despite_interrupts(step: Callable[[], object]) -> None:
    """Run a step to its end; run it again if it is interrupted."""
    tries = _Tries()
    while not tries.are_over:
        with tries:
            step()


class _Tries:
    """Context of a step's tries, which end with the first one not interrupted."""

    are_over = False

    def __enter__(self) -> None:
        """Begin a try."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.are_over = error is None
        return isinstance(error, (KeyboardInterrupt, SystemExit)) or (
            error is not None and comes_out(error)
        )
