"""Time, so that tests can move it; and deadlines, so that every wait has one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from jackfield.errors import Sent, TimedOut

__all__ = ["Clock", "Deadline", "SystemClock"]


class Clock(Protocol):
    """Where the runtime reads the time and waits. All values are seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back; for deadlines."""

    def time(self) -> float:
        """Seconds since 1970, UTC; for expiries."""

    def sleep(self, seconds: float) -> None:
        """Wait in this thread."""

    async def asleep(self, seconds: float) -> None:
        """Wait in this task."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait in this thread."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait in this task."""
        import asyncio  # noqa: PLC0415 (a synchronous process never pays for it)

        await asyncio.sleep(seconds)


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
        """Seconds left; 0 or less once it has passed."""
        return self.at - self.clock.monotonic()

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
