"""A connection pool: each connection is lent to one thread at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from jackfield.clock import patience
from jackfield.database.faults import Trouble, unavailable
from jackfield.failures import OnFailure


class Pooled(Protocol):
    """Connection that a pool can hold."""

    @property
    def usable(self) -> bool:
        """True if the connection is open and in no transaction."""

    def close(self) -> None:
        """Close it; raises nothing."""


P = TypeVar("P", bound=Pooled)


class _Slots:
    """Counted slots. Ctrl-C inside ``threading.Semaphore``, which is Python code around a lock, can leave that lock held for ever."""

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(count):
            self._free.put(None)

    def acquire(self, *, timeout: float) -> bool:
        """Take a slot; return False if none is free within ``timeout`` seconds."""
        try:
            self._free.get(timeout=timeout)
        except Empty:
            return False
        return True

    def release(self) -> None:
        """Return a slot."""
        self._free.put(None)


class Pool(Generic[P]):
    """Pool of at most ``limit`` connections.

    If all are in use, ``take`` blocks for up to ``wait`` seconds, or until the caller's deadline.
    """

    def __init__(self, connect: Callable[[], P], *, limit: int, wait: float, full: Trouble = Trouble.BUSY) -> None:
        self._connect = connect
        self._free = threading.Lock() if limit == 1 else _Slots(limit)
        self._limit = limit
        self._wait = wait
        self._full = full
        self._idle: list[P] = []
        self._closed = False

    def take(self, begin: Callable[[P], None]) -> P:
        """Lend an idle or new connection, on which ``begin`` has been run, until ``give_back``.

        :raises Unavailable: if none is available.
        """
        if not self._free.acquire(timeout=patience(self._wait)):
            raise unavailable(self._full)
        with OnFailure(self._free.release):
            return self._begun(begin)

    def give_back(self, item: P) -> None:
        """Return a connection to the pool; close it if it is not usable any more."""
        try:
            self._keep(item)
        finally:
            self._free.release()

    def drop_idle(self) -> None:
        """Close idle connections."""
        while (item := self._free_one()) is not None:
            item.close()

    def withdraw(self, until: float) -> bool:
        """Close all connections and lend none before ``resume``; False if one is still in use at ``until`` (``time.monotonic``)."""
        for taken in range(self._limit):
            if not self._free.acquire(timeout=max(0.0, until - time.monotonic())):
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

    def _begun(self, begin: Callable[[P], None]) -> P:
        if self._closed:
            raise unavailable(Trouble.CLOSED)
        item = self._free_one() or self._connect()
        with OnFailure(self._keep, item):
            begin(item)
        return item

    def _free_one(self) -> P | None:
        with suppress(IndexError):  # checking first would race with other threads
            return self._idle.pop()
        return None

    def _release(self, count: int) -> None:
        for _ in range(count):
            self._free.release()

    def _keep(self, item: P) -> None:
        if item.usable and not self._closed:
            self._idle.append(item)
        else:
            item.close()
