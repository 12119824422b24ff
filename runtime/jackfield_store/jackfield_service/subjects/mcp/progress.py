"""Progress of a call, for a client that requests it: the report of a job's provider, the number of
pages read, the reason for a wait.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from jackfield.call.how import Follow

EVERY = 5.0
"""Seconds without news after which a client gets the message that the call goes on, so that it does
not time out.
"""
_BETWEEN = 0.05
"""Minimum seconds between two reports."""
_LEAST = 1e-6
_RUNNING = "The action is running."
Report = Callable[[float, float | None, str], Awaitable[None]]
"""Function that reports to a client the amount done, the total if known, and the current step."""


class _Progress:
    """Progress of one call. The protocol requires each report to exceed the one before, so that a
    report without news adds a tiny amount.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._known: dict[str, Any] = {}
        self._done = 0.0
        self._counts_seconds = False
        """True once a report has counted seconds, since nothing else was known."""

    def note(self, told: Mapping[str, Any]) -> None:
        """Record a call's progress; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._noted, dict(told))

    def _noted(self, told: dict[str, Any]) -> None:
        # a job begins with nothing
        if any(told.values()) and any(
            self._known.get(name) != value for name, value in told.items()
        ):
            self._known.update(told)
            self._news.set()

    async def tell(self) -> None:
        """Report recorded progress as it comes; after ``EVERY`` seconds without news, report that
        the call goes on.
        """
        beats = 0
        while True:
            try:
                # wait_for of Python 3.11 loses a cancellation that comes as the event is set
                async with asyncio.timeout(EVERY):
                    await self._news.wait()
            except TimeoutError:
                beats += 1
                self._counts_seconds = self._counts_seconds or not self._known
                await self._report_progress(beats * EVERY)
            else:
                self._news.clear()
                await self._report_progress(beats * EVERY)
                await asyncio.sleep(_BETWEEN)

    async def _report_progress(self, seconds: float) -> None:
        known, fraction = self._known, self._known.get("fraction")
        is_part = "step" not in known and bool(fraction) and not self._counts_seconds
        now = seconds if self._counts_seconds else known.get("step") or fraction or 0.0
        self._done = float(now) if now > self._done else self._done + _LEAST
        await self._report(
            self._done, max(1.0, self._done) if is_part else None, known.get("text") or _RUNNING
        )


@contextlib.asynccontextmanager
async def progress(report: Report | None) -> AsyncIterator[Follow | None]:
    """Report the progress of a call during the block, if ``report`` is given. Yield the function
    that records progress, or None without ``report``.
    """
    if report is None:
        yield None
        return
    found = _Progress(report)
    telling = asyncio.ensure_future(found.tell())
    try:
        yield found.note
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
