"""A clock that tests can replace, and deadlines, so that every wait is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from jackfield.errors import Sent, TimedOut

__all__ = ["Clock", "Deadline", "SystemClock", "iso", "patience", "within"]

_POLL = 0.25
"""Seconds between polls of its event by a waiting task."""
_UNTIL: ContextVar[float | None] = ContextVar("jackfield_until", default=None)
"""Time (``time.monotonic``) until which this thread or task waits for shared resources."""


class Clock(Protocol):
    """Source of time and of waits for the runtime. All values are seconds."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; for deadlines."""

    def time(self) -> float:
        """Return seconds since 1970, UTC; for expiries."""

    def sleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Block this thread for ``seconds``, or until the event is set."""

    async def asleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Suspend this task for ``seconds``, or until the event is set."""


class SystemClock:
    """Clock of the machine."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since 1970, UTC."""
        return time.time()

    def sleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Block this thread for ``seconds``, or until the event is set."""
        if until is None:
            time.sleep(seconds)
        else:
            until.wait(seconds)

    async def asleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Suspend this task for ``seconds``, or until the event is set. Any thread may set it, so it is polled four times a second."""
        import asyncio

        end = time.monotonic() + seconds
        while until is not None and not until.is_set() and end - time.monotonic() > _POLL:  # noqa: ASYNC110 (a threading.Event, which any thread may set)
            await asyncio.sleep(_POLL)
        if until is None or not until.is_set():
            await asyncio.sleep(max(0.0, end - time.monotonic()))


@dataclass(frozen=True, slots=True)
class Deadline:
    """Time by which an invocation must have ended; ``seconds`` is the timeout that the caller gave."""

    clock: Clock
    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> Deadline:
        """Create a deadline ``seconds`` from now."""
        return cls(clock, clock.monotonic() + seconds, seconds)

    def remaining(self) -> float:
        """Return the seconds left; 0 once it has passed."""
        return max(0.0, self.at - self.clock.monotonic())

    def check(self) -> None:
        """Raise if the deadline has passed and nothing was sent.

        :raises TimedOut: if no time is left.
        """
        if self.remaining() <= 0:
            raise self.passed(Sent.NOTHING)

    def passed(self, sent: Sent) -> TimedOut:
        """Build the error for a call that exceeded this deadline."""
        when = "before anything was sent" if sent is Sent.NOTHING else "before the provider answered"
        return TimedOut(
            f"the deadline of {self.seconds:g} s passed {when}",
            hint="Raise 'timeoutSeconds', or look for what is slow.",
            sent=sent,
        )


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit this thread's or task's waits for shared resources (a database lock, a pooled connection) to ``seconds`` from now.

    A nested block overrides the outer one.
    """
    outer = _UNTIL.get()
    _UNTIL.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _UNTIL.set(outer)  # not by a token: a generator may be closed in another context than it began in


def patience(longest: float) -> float:
    """Return the seconds that this thread or task may wait now for a shared resource: 0 to ``longest``."""
    until = _UNTIL.get()
    return longest if until is None else max(0.0, min(longest, until - time.monotonic()))


def iso(at: float | None) -> str | None:
    """Format seconds since 1970 as RFC 3339 text in UTC, with milliseconds."""
    if at is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
