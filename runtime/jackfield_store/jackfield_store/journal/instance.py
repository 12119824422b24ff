"""The lease of one process on all invocations that it claims and runs.

Each entry names its owner, an instance. An instance renews a single row of its own, so that one
statement every few seconds extends the lease on all its entries. Otherwise its lease expires, and
any live process takes over its entries (``recovery``).
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from weakref import ref

from jackfield.kernel.clock import monotonic, within
from jackfield.kernel.dataclass import replace
from jackfield.kernel.ends import at_end, is_ending
from jackfield.kernel.errors import JackfieldError, Unavailable, brief
from jackfield.kernel.failures import Raised, attempt
from jackfield_store.database import Database, Transaction
from jackfield_store.database.part import Part
from jackfield_store.journal import process
from jackfield_store.journal import statements as sql
from jackfield_store.journal.went_back import Marks

RENEWED = 2.0
"""Seconds between renewals of a lease."""
CLAIM, _PARTING = 5 * RENEWED, 60.0
"""Seconds for which a renewal prolongs a claim: while the process runs, and at its end while its
threads still work.
"""
LEASE = 6.0
"""Seconds without a renewal after which a lease has expired."""
_STEADY = 2 * RENEWED + 1
_SHORTAGES = (JackfieldError, MemoryError, RuntimeError, OSError)
"""Errors raised when the database is unavailable, or the process is out of memory, threads or file
descriptors.
"""
_LOG = logging.getLogger("jackfield.journal")


class Watching(Protocol):
    """Port to the journal for the lease of its process."""

    def look(self) -> None:
        """Take over the entries of lost instances; called after each renewal."""

    def report_late(self, transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        """Report the doubts that late outcomes of its process settle, once the outcomes are
        committed.
        """

    def note_return(self, why: str, since: float) -> float:
        """Record why the database is assumed to have been restored since a time of its clock;
        return the time of the record.
        """


class Sharing(Protocol):
    """Settings of this process, some of which all processes on a database share."""

    own: dict[str, str]
    """Values that are set for this process alone, by name."""

    def renewed(self, here: str, lease: float) -> None:
        """Read the shared settings; called after each renewal of the instance ``here``. Other
        instances are alive if they renewed their leases in the last ``lease`` seconds.
        """


class Instance(Part):
    """Identity of this process as the owner of entries in one database.

    ``steady_since`` is the time (``time.monotonic``) since which all its renewals have succeeded;
    None while they fail.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.id = os.urandom(8).hex()
        pid = os.getpid()
        self._about: dict[str, Any] = {
            "id": self.id,
            "host": socket.gethostname(),
            "pid": pid,
            "place": process.place(),
            "born": process.born(pid),
        }
        self._sharing: Callable[[], Sharing | None] = lambda: None
        self.slots = 0
        """Number of queued invocations that this process runs at once; known to others with the
        next renewal.
        """
        self._owed: deque[Callable[[Transaction], Any]] = deque()
        self._prolonging: set[Callable[[float], Callable[[Transaction], Any]]] = set()
        self._journals: tuple[ref[Watching], ...] = ()
        self.tasks: dict[str, int] = {}
        """Deliveries, by id, of the invocations that this process has begun without writing their
        ends yet; 0 for one not delivered.
        """
        self._marks = Marks()
        self._servers: tuple[int, str | None] = 0, None
        self._untold: tuple[str, float] | None = None
        """Report of a restored database, until it is recorded."""
        self._since = 0.0
        """Time of the database's clock at which this process noted the last return."""
        self._registered = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stop = _Stop()
        self._renewed_at: float | None = None
        at_end(self, Instance._record_owed_at_end)
        self.steady_since: float | None = None

    @classmethod
    def of(cls, database: Database) -> Instance:
        """Return the instance of this process; a forked child has its own."""
        return database.attached(cls, lambda: cls(database))

    @property
    def owner(self) -> str:
        """Id to put into entries. The first use registers the instance, at the latest with the
        commit of that entry.
        """
        if not self._registered:
            self._registered = True
            self._database.defer(self._renewal())  # the thread retries it if it fails
        if self._thread is None or not self._thread.is_alive():
            self._start()
        return self.id

    def watch(self, journal: Watching) -> None:
        """Register ``journal`` to watch for this process while it is referenced; one of the
        registered journals watches at a time.
        """
        with self._lock:
            self._journals = (*(one for one in self._journals if one() is not None), ref(journal))
        self._start()

    @property
    def watching(self) -> Watching | None:
        """Journal that watches for this process; None if no journal watches."""
        return next(filter(None, (one() for one in self._journals)), None)

    def share(self, settings: Sharing) -> None:
        """Publish the settings of this process, and read the shared ones with each renewal, while
        ``settings`` is referenced.
        """
        self._sharing = ref(settings)

    @contextmanager
    def prolonging(
        self, prolong: Callable[[float], Callable[[Transaction], Any]]
    ) -> Iterator[None]:
        """With each renewal, until the block ends, record the unit that ``prolong`` returns for the
        seconds that a claim holds.
        """
        self._prolonging.add(prolong)
        self._start()
        try:
            yield
        finally:
            self._prolonging.discard(prolong)

    def report_late(self, transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        """Report the doubts that late outcomes of this process settle, of all workspaces, since
        outcomes share a commit.
        """
        journal = self.watching
        if journal is not None:
            journal.report_late(transaction, rows)

    def owe(self, unit: Callable[[Transaction], Any]) -> None:
        """Record ``unit`` as soon as the database is available again."""
        self._owed.append(unit)

    @property
    def owes(self) -> bool:
        """True if units are outstanding until the database is available again."""
        return bool(self._owed)

    def record_owed(self) -> None:
        """Try to record the outstanding units; failing ones stay outstanding."""
        for _ in range(len(self._owed)):
            try:
                unit = self._owed.popleft()
            except IndexError:  # another thread took it
                return
            try:
                self._database.record(unit)
            except BaseException as error:  # whatever it is: the outcome exists nowhere else
                self._owed.append(unit)
                if not isinstance(error, Exception):
                    raise
                _LOG.warning("an outcome cannot be recorded yet: %s", brief(error))
                # the other units would fail in the same way
                if isinstance(error, (Unavailable, MemoryError)):
                    return

    def _record_owed_at_end(self) -> None:
        with within(RENEWED):
            self.record_owed()

    def renew(self) -> None:
        """Renew the lease, prolong claims, record outstanding units, then recover entries of lost
        instances.
        """
        _database = self._database  # for as long as this takes
        if not self._renew_lease():
            return
        try:
            with within(RENEWED):
                self._prolong(CLAIM)
                self.record_owed()
                sharing = self._sharing()
                shared = None if sharing is None else attempt(sharing.renewed, self.id, LEASE)
                if isinstance(shared, Raised):
                    _LOG.warning("the shared settings cannot be read: %s", brief(shared.error))
                journal = self.watching
                looked = None if journal is None else attempt(journal.look)
                # whatever it is: without this thread the lease expires
                if isinstance(looked, Raised):
                    _LOG.warning(
                        "the journal cannot be searched for abandoned invocations: %s",
                        brief(looked.error),
                    )
        except _SHORTAGES as error:
            _LOG.warning(
                "claims cannot be prolonged, or the journal searched for abandoned invocations: %s",
                brief(error),
            )

    def _renew_lease(self) -> bool:
        """Renew the lease, and report a restored database; return whether the lease is renewed."""
        # before the marks are read: what is committed meanwhile may be above them
        highest = self._database.highest_epoch
        try:
            # ahead, since under load batches may be queued for longer than a lease
            with within(RENEWED):
                found, renewed = self._database.record(self._renewed, ahead=True)
        except _SHORTAGES as error:
            self.steady_since = None
            _LOG.warning("the lease of this process cannot be renewed: %s", brief(error))
            return False
        now = monotonic()
        lately = self._renewed_at is not None and now - self._renewed_at < LEASE
        if (
            self.steady_since is None
            or self._renewed_at is None
            or now - self._renewed_at > _STEADY
        ):
            # whatever kept this process from renewing may have affected the others, too
            self.steady_since = now
        self._renewed_at, self._registered = now, True
        self._compare(found, renewed, highest, lately=lately)
        return True

    def close(self) -> None:
        """Stop renewing, record outstanding units, and return claimed invocations that have not
        begun to the queue.
        """
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)
        self._record_owed_at_end()
        if self._registered:
            with within(RENEWED):  # a locked database must not hold up the exit for long
                self._database.defer(self._leaving)
        # a database that is down must not fail the exit
        with within(RENEWED), suppress(*_SHORTAGES):
            self._prolong(_PARTING)

    def _prolong(self, seconds: float) -> None:
        if units := [prolong(seconds) for prolong in tuple(self._prolonging)]:
            self._database.record(
                lambda transaction: [unit(transaction) for unit in units], ahead=True
            )

    def _leaving(self, transaction: Transaction) -> None:
        transaction.change(sql.UNCLAIM_ALL, {"owner": self.id})
        transaction.change(sql.FORGET_INSTANCE, {"id": self.id})

    def _renewed(self, transaction: Transaction) -> tuple[Marks, float]:
        """Renew the lease; return the database's earlier marks, and the time of the renewal by its
        clock.
        """
        found = Marks.read(transaction, self.id, self._marks)
        statement = sql.RENEW_INSTANCE.format(now=self._database.dialect.now)
        return found, transaction.execute(f"{statement} RETURNING seen_at", self._row())[0].seen_at

    def _compare(self, found: Marks, renewed: float, highest: int, *, lately: bool) -> None:
        """Report that the database was restored if its marks are lower than this process had seen,
        or may be since another server was promoted. ``highest`` is the highest epoch that this
        process had seen.
        """
        seen, self._marks = self._marks, replace(found, renewed=renewed)
        servers, self._servers = self._servers, self._database.timeline
        changed = self._servers[1] if self._servers[0] != servers[0] else None
        why = replace(seen, epoch=max(seen.epoch, highest)).lower(found, lately=lately) or changed
        if why is not None:
            self._untold = (
                why,
                max(seen.renewed or 0.0, self._since) if self._untold is None else self._untold[1],
            )
        journal = self.watching
        if self._untold is None or journal is None:
            return
        told = attempt(journal.note_return, *self._untold)
        if not isinstance(told, Raised):
            self._untold, self._since = None, told
        else:
            _LOG.warning(
                "the database went back, which cannot be recorded yet: %s", brief(told.error)
            )

    def _renewal(self) -> Callable[[Transaction], int]:
        statement = sql.RENEW_INSTANCE.format(now=self._database.dialect.now)
        return lambda transaction: transaction.change(statement, self._row())

    def _row(self) -> dict[str, Any]:
        sharing = self._sharing()
        return {
            **self._about,
            "slots": self.slots,
            "settings": None if sharing is None else json.dumps(sharing.own),
        }

    def _start(self) -> None:
        with self._lock:
            if (
                self._stop.is_set
                or is_ending()
                or (self._thread is not None and self._thread.is_alive())
            ):
                return
            thread = threading.Thread(
                target=_renew_until_stopped,
                args=(ref(self), self._stop),
                name="jackfield-lease",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError:  # out of threads: the next use tries again
                return
            self._thread = thread

    def __del__(self) -> None:
        """End the thread of an instance whose database is no longer referenced."""
        if hasattr(self, "_stop"):
            self._stop.set()


class _Stop:
    """Event that the garbage collector may set at any line of a waiting thread: it consists of a
    plain lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.is_set = False

    def set(self) -> None:
        """End the wait."""
        if not self.is_set:
            self.is_set = True
            self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait for up to ``seconds``; return True once it is set."""
        return self.is_set or self._lock.acquire(timeout=seconds)


def _renew_until_stopped(reference: ref[Instance], stop: _Stop) -> None:
    """Renew a lease until stopped; between renewals, the thread refers neither to the instance nor
    to its database.
    """
    while not stop.wait(RENEWED) and (instance := reference()) is not None:
        # logging may run out of memory, too, and the lease expires if this thread ends
        with suppress(*_SHORTAGES):
            instance.renew()
        del instance
