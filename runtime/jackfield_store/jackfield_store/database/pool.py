"""A connection pool: each connection is lent to one thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from jackfield.kernel.clock import monotonic, patience
from jackfield_store.database.faults import Trouble, unavailable


class Pooled(Protocol):
    """Connection that a pool can hold."""

    holder: list[Any] | None
    """List of the borrower that has it; None while it is idle."""

    @property
    def usable(self) -> bool:
        """True if the connection is open and in no transaction."""

    def close(self) -> None:
        """Close it; raises nothing."""


P = TypeVar("P", bound=Pooled)


class Pool(Generic[P]):
    """Pool of at most ``limit`` connections.

    If all are in use, ``take`` blocks for up to ``wait`` seconds, or until the caller's deadline; ``full`` says why it was in vain.
    """

    def __init__(self, connect: Callable[[], P], *, limit: int, wait: float, full: Callable[[], Trouble] = lambda: Trouble.BUSY) -> None:
        self._connect = connect
        self._free: SimpleQueue[None] = SimpleQueue()  # a semaphore is Python code around a lock: Ctrl-C in it can leave that held
        for _ in range(limit):
            self._free.put(None)
        self._limit = limit
        self._wait = wait
        self._full = full
        self._idle: list[P] = []
        self._closed = False

    def take(self, begin: Callable[[P], None], held: list[Any] | None = None) -> P:
        """Lend an idle or new connection, on which ``begin`` has been run, until ``give_back``.

        It is in ``held``, an empty list, before it is returned: in between the borrower may be interrupted.

        :raises Unavailable: if none is available.
        """
        slots: list[None] = []
        held = [] if held is None else held
        has_begun = False
        try:
            try:
                slots.extend(map(self._free.get, (True,), (patience(self._wait),)))  # without a step in between: no interrupt loses a slot
            except Empty:
                raise unavailable(self._full()) from None
            item = self._free_one() or self._new()
            item.holder = held
            held.append(item)
            begin(item)
            has_begun = True
        finally:
            if not has_begun:
                self._undo(slots, held)
        return item

    def give_back(self, item: P) -> None:
        """Return a connection to the pool, unless it is there already; close it if it is not usable any more."""
        if item.holder is None:
            return
        try:
            item.holder = None
            self._keep(item)
        finally:
            self._free.put(None)

    def drop_idle(self) -> None:
        """Close idle connections."""
        while (item := self._free_one()) is not None:
            item.close()

    def withdraw(self, until: float) -> bool:
        """Close all connections and lend none before ``resume``; False if one is still in use at ``until`` (``time.monotonic``)."""
        for taken in range(self._limit):
            try:
                self._free.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                self._release(taken)
                return False
        self.drop_idle()
        return True

    def resume(self) -> None:
        """Lend connections again."""
        self._release(self._limit)

    def close(self) -> None:
        """Close idle connections now, and the others when they are returned."""
        self._closed = True
        self.drop_idle()

    def _undo(self, slots: list[None], held: list[P]) -> None:
        if held:
            self.give_back(held[0])
        elif slots:
            self._free.put(None)

    def _new(self) -> P:
        if self._closed:
            raise unavailable(Trouble.CLOSED)
        return self._connect()

    def _free_one(self) -> P | None:
        try:
            return self._idle.pop()
        except IndexError:  # checking first would race with other threads
            return None

    def _release(self, count: int) -> None:
        for _ in range(count):
            self._free.put(None)

    def _keep(self, item: P) -> None:
        if item.usable and not self._closed:
            self._idle.append(item)
        else:
            item.close()
        if self._closed:  # meanwhile, perhaps, by another thread, which did not find it
            self.drop_idle()
