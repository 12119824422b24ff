"""Rate limit per key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from jackfield.fork import at_fork

if TYPE_CHECKING:
    from jackfield.clock import Clock

__all__ = ["RateLimiter"]

_KEPT = 10_000


class RateLimiter:
    """Token-bucket rate limiter, one bucket per key. A bucket holds one second's worth (at least one token); ``rate`` 0 is no limit."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()
        at_fork(self)

    def takes(self, key: bytes) -> bool:
        """Take a token from the bucket of ``key``; return False if it is empty."""
        if not self._rate:
            return True
        with self._lock:
            left, now = self._filled(key)
            taken = left >= 1.0
            self._left[key] = (left - 1.0 if taken else left, now)
            self._left.move_to_end(key)
            if len(self._left) > _KEPT:
                self._left.popitem(last=False)
        return taken

    def is_empty(self, key: bytes) -> bool:
        """Return whether the bucket of ``key`` is empty."""
        return bool(self._rate) and key in self._left and self._filled(key)[0] < 1.0

    def _filled(self, key: bytes) -> tuple[float, float]:
        now, most = self._clock.monotonic(), max(self._rate, 1.0)
        left, at = self._left.get(key, (most, now))
        return min(most, left + (now - at) * self._rate), now
