"""Stop deadline of a server process, and its handling of stop signals."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import uvicorn

from jackfield.kernel.clock import Clock


class Stopping:
    """Stop deadline of a process: once stopping begins, all steps share the remaining seconds."""

    def __init__(self, within: float, clock: Clock) -> None:
        self.within = within
        self._clock = clock
        self._until: float | None = None

    def begin(self) -> None:
        """Start the deadline, once."""
        if self._until is None:
            self._until = self._clock.monotonic() + self.within

    @property
    def begun(self) -> bool:
        """True once stopping has started."""
        return self._until is not None

    @property
    def left(self) -> float:
        """Seconds left until the deadline."""
        return (
            self.within if self._until is None else max(0.0, self._until - self._clock.monotonic())
        )


class GracefulServer(uvicorn.Server):
    """uvicorn server whose process continues after a stop. uvicorn raises the signal once more,
    which would turn a clean stop into a failure.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture the signals that uvicorn captures, without raising them again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._request_stop)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            with super().capture_signals():
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _request_stop(self, *_: object) -> None:
        self.should_exit = True
