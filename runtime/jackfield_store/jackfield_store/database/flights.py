"""Single flight: of several simultaneous requests for the same data, one runs, and the others wait
for its result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from jackfield.kernel.clock import monotonic
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.fork import ProcessLocal

T = TypeVar("T")

_PATIENCE = 1.0
"""Seconds for which others wait for a request, from its start."""


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.done = threading.Event()
        self.begun = monotonic()
        self.outcomes: list[T | Raised] = []
        """The outcome; empty if the thread was interrupted."""


class Flights(ProcessLocal, Generic[T]):
    """Running requests, by key."""

    def __init__(self) -> None:
        self._running: dict[Hashable, _Flight[T]] = {}
        self._lock = threading.Lock()

    def run(
        self,
        key: Hashable,
        request: Callable[[], T],
        meanwhile: T | None = None,
        late: Callable[[], JackfieldError] | None = None,
    ) -> T:
        """Return the value of ``request``, or of a request that another thread has started under
        the same key.

        A caller with a value for ``meanwhile`` does not wait for another thread, and gets that
        value. With ``late``, no caller waits for a request that began more than a second ago: an
        unresponsive request holds a single thread.

        :raises JackfieldError: the error of ``late``, in place of waiting longer.
        """
        with self._lock:
            flight, leads = self._running.get(key), False
            if flight is None:
                flight, leads = self._running.setdefault(key, _Flight()), True
        if leads:
            self._lead(flight, key, request)
        elif meanwhile is not None:
            return meanwhile
        elif (
            not flight.done.wait(
                None if late is None else max(0.0, flight.begun + _PATIENCE - monotonic())
            )
            and late is not None
        ):
            raise late()
        if not flight.outcomes:
            return self.run(key, request, meanwhile, late)
        outcome = flight.outcomes[0]
        if isinstance(outcome, Raised):
            raise outcome.error
        return outcome

    def _lead(self, flight: _Flight[T], key: Hashable, request: Callable[[], T]) -> None:
        try:
            flight.outcomes.append(attempt(request))
        finally:
            with self._lock:
                del self._running[key]
            flight.done.set()

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._running = {}
