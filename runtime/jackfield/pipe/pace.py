"""A rate budget: how soon the next call may go out."""

from __future__ import annotations

import threading

__all__ = ["Pace"]


class Pace:
    """Slots one interval apart, shared by all invocations of one action over one connection."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1.0 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def mark(self, now: float) -> None:
        """Note a call that went out without asking for a slot."""
        with self._lock:
            self._next = max(self._next, now + self._interval)

    def reserve(self, now: float) -> float:
        """Take the next slot; the seconds to wait for it from ``now``."""
        with self._lock:
            slot = max(now, self._next)
            self._next = slot + self._interval
        return slot - now
