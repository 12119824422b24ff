"""A clock for tests: real time goes on, and sleeping advances it at once."""

from __future__ import annotations

import asyncio
import threading
import time

from jackfield.kernel.clock import SystemClock


class FakeClock:
    """Clock whose ``monotonic`` and ``time`` are the real ones plus all slept and advanced seconds.
    Thread-safe.

    Waits of back-off cost nothing, and real waits (an unresponsive provider) still count against a
    deadline.

    While ``is_real`` is set, sleeping takes real time: jobs of a real provider do not end sooner.
    """

    def __init__(self) -> None:
        self.is_real = False
        self._ahead = 0.0
        self._slept: list[float] = []
        self._lock = threading.Lock()

    @property
    def slept(self) -> tuple[float, ...]:
        """Return the seconds of each wait, in order."""
        return tuple(self._slept)

    @property
    def waited(self) -> float:
        """Return the seconds of all waits together."""
        return sum(self._slept)

    def monotonic(self) -> float:
        """Return the time of a monotonic clock, in seconds."""
        return time.monotonic() + self._ahead

    def time(self) -> float:
        """Return seconds since 1970 (UTC)."""
        return time.time() + self._ahead

    def sleep(self, seconds: float, until: threading.Event | None = None) -> None:
        """Advance the time by ``seconds`` without waiting."""
        self._sleeps(seconds)
        if self.is_real:
            SystemClock().sleep(seconds, until)

    async def asleep(self, seconds: float, until: threading.Event | None = None) -> None:
        """Advance the time by ``seconds`` without waiting, and yield to other tasks."""
        self._sleeps(seconds)
        await (SystemClock().asleep(seconds, until) if self.is_real else asyncio.sleep(0))

    def _sleeps(self, seconds: float) -> None:
        with self._lock:
            self._slept.append(seconds)
            self._ahead += 0.0 if self.is_real else seconds

    def advance(self, seconds: float) -> None:
        """Advance the clock without a sleep."""
        with self._lock:
            self._ahead += seconds
