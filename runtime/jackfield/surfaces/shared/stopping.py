"""The time that a process of the server has to stop, and what a signal that asks for it comes to."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from jackfield.clock import Clock

__all__ = ["GracefulServer", "Stopping"]


class Stopping:
    """Whether the process was told to stop, and the seconds that are left to do it: all steps share them."""

    def __init__(self, within: float, clock: Clock) -> None:
        self.within = within
        self._clock = clock
        self._until: float | None = None

    def begin(self) -> None:
        """The process was told to stop."""
        if self._until is None:
            self._until = self._clock.monotonic() + self.within

    @property
    def begun(self) -> bool:
        """Whether it was told to."""
        return self._until is not None

    @property
    def left(self) -> float:
        """Seconds until it has to have stopped."""
        return self.within if self._until is None else max(0.0, self._until - self._clock.monotonic())


class GracefulServer(uvicorn.Server):
    """A server whose process goes on after it has stopped. Uvicorn raises the signal once more, which would make a failure of a stop that
    went well."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that uvicorn takes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._told) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with super().capture_signals():
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _told(self, *_: object) -> None:
        self.should_exit = True
