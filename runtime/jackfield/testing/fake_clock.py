"""A clock for tests: real time goes on, and sleeping moves it forward at once."""

from __future__ import annotations

import asyncio
import threading
import time


class FakeClock:
    """Clock whose ``monotonic`` and ``time`` are the real ones plus all that was slept or advanced. Thread-safe.

    Waits of back-off cost nothing, and what really takes time (a provider that hangs) still counts against a deadline.
    """

    def __init__(self) -> None:
        self._ahead = 0.0
        self._slept: list[float] = []
        self._lock = threading.Lock()

    @property
    def slept(self) -> tuple[float, ...]:
        """Seconds of each wait, in order."""
        return tuple(self._slept)

    @property
    def waited(self) -> float:
        """Seconds of all waits together."""
        return sum(self._slept)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic() + self._ahead

    def time(self) -> float:
        """Return seconds since 1970, UTC."""
        return time.time() + self._ahead

    def sleep(self, seconds: float, _until: threading.Event | None = None) -> None:
        """Let the time pass at once."""
        with self._lock:
            self._slept.append(seconds)
            self._ahead += seconds

    async def asleep(self, seconds: float, _until: threading.Event | None = None) -> None:
        """Let the time pass at once, and give other tasks their turn."""
        self.sleep(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Let time pass that nobody slept."""
        with self._lock:
            self._ahead += seconds
