"""Storage of a pace's state, by default in this process alone. ``shared_rows`` has that in the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from jackfield.fork import ProcessLocal
from jackfield.pacing.state import PaceState

if TYPE_CHECKING:
    from jackfield.clock import Clock

T = TypeVar("T")


class PaceRow(Protocol):
    """State of one pace, changed by one caller at a time."""

    def change(self, change: Callable[[PaceState, float], T]) -> tuple[T, PaceState, float]:
        """Apply ``change`` to the state at the present time; return its value, the new state and that time (seconds since 1970)."""

    def ahead(self, now: float) -> float:
        """Return the seconds by which the row's clock, which has just shown ``now``, is ahead of this process's monotonic one."""


class MemoryRow(ProcessLocal):
    """State in this process."""

    def __init__(self, clock: Clock, state: PaceState | None = None) -> None:
        self._clock = clock
        self._state = state or PaceState()
        self._lock = threading.Lock()

    def change(self, change: Callable[[PaceState, float], T]) -> tuple[T, PaceState, float]:
        """Apply ``change`` by this process's clock."""
        with self._lock:
            now = self._clock.time()
            return change(self._state, now), self._state, now

    def ahead(self, _now: float) -> float:
        """Return the difference of this process's clocks."""
        return self._clock.time() - self._clock.monotonic()
