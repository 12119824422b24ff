"""Time, so that tests can move it; and deadlines, so that every wait has one."""

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

_LOOK = 0.25
"""Seconds after which a task that waits looks whether it is to go on."""
_UNTIL: ContextVar[float | None] = ContextVar("jackfield_until", default=None)
"""The moment (``time.monotonic``) until which this thread or task waits for what it shares with others."""


class Clock(Protocol):
    """Where the runtime reads the time and waits. All values are seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back; for deadlines."""

    def time(self) -> float:
        """Seconds since 1970, UTC; for expiries."""

    def sleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Wait in this thread, at most until the event is set."""

    async def asleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Wait in this task, at most until the event is set."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def sleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Wait in this thread, at most until the event is set."""
        if until is None:
            time.sleep(seconds)
        else:
            until.wait(seconds)

    async def asleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Wait in this task, at most until the event is set, which any thread may do: it is looked at four times a second."""
        import asyncio

        end = time.monotonic() + seconds
        while until is not None and not until.is_set() and end - time.monotonic() > _LOOK:  # noqa: ASYNC110 (the event is of threads: any of them may set it)
            await asyncio.sleep(_LOOK)
        if until is None or not until.is_set():
            await asyncio.sleep(max(0.0, end - time.monotonic()))


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which an invocation must have ended; ``seconds`` is the span that the caller allowed."""

    clock: Clock
    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> Deadline:
        """A deadline ``seconds`` from now."""
        return cls(clock, clock.monotonic() + seconds, seconds)

    def remaining(self) -> float:
        """Seconds left; 0 once it has passed."""
        return max(0.0, self.at - self.clock.monotonic())

    def check(self) -> None:
        """Do nothing while there is time.

        :raises TimedOut: where the deadline has passed and nothing was sent.
        """
        if self.remaining() <= 0:
            raise self.passed(Sent.NOTHING)

    def passed(self, sent: Sent) -> TimedOut:
        """The error that says that this deadline has passed."""
        when = "before anything was sent" if sent is Sent.NOTHING else "before the provider answered"
        return TimedOut(
            f"the deadline of {self.seconds:g} s passed {when}",
            hint="Raise 'timeoutSeconds', or look for what is slow.",
            sent=sent,
        )


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """In this thread or task, wait at most ``seconds`` from now for what is shared with others: a lock of the database, a free connection
    to it. Where somebody else's block is open, this one goes before it."""
    outer = _UNTIL.get()
    _UNTIL.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _UNTIL.set(outer)  # not by a token: a generator may be closed in another context than it began in


def patience(longest: float) -> float:
    """Seconds that this thread or task may wait now for what is shared with others: at most ``longest``, and never less than 0."""
    until = _UNTIL.get()
    return longest if until is None else max(0.0, min(longest, until - time.monotonic()))


def iso(at: float | None) -> str | None:
    """Seconds since 1970 as RFC 3339 text in UTC, milliseconds included."""
    if at is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
