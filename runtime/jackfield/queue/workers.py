"""The workers of one process: they take queued invocations from the journal and run them, and learn there what is to be cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jackfield.errors import JackfieldError
from jackfield.journal import Queue

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.journal import Claimed
    from jackfield.queue.panels import Panels

__all__ = ["QueueWorkers"]

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.queue")
_POLL = 1.0
"""Seconds between looks for what other processes have queued."""


class QueueWorkers:
    """Runs at most ``limit`` queued invocations at once. ``ended`` is told each Result; while ``stopping`` says so, no further one is
    begun. All methods belong to one event loop."""

    def __init__(
        self,
        panels: Panels,
        limit: int,
        ended: Callable[[Result], None] = lambda _result: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._panels = panels
        self._limit = limit
        self._ended = ended
        self._stopping = stopping
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look, where there is a database."""
        if self._panels.storage.enabled:
            self._task = asyncio.ensure_future(self._serve())

    def wake(self) -> None:
        """There is something new: look now."""
        self._woken.set()

    async def stop(self, within: float) -> None:
        """Take nothing more, and let what runs end, at most ``within`` seconds; the journal settles the rest by effect."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._running:
            await asyncio.wait(self._running, timeout=within)

    async def _serve(self) -> None:
        queue = Queue(self._panels.storage.database)
        await self._looked(queue.recover)
        while True:
            for workspace, identifier in await self._looked(queue.asked_to_cancel) or ():
                self._panels.cancel(workspace, identifier)
            claimed = await self._claimed(queue)
            for item in claimed:
                task = asyncio.ensure_future(self._run(item))
                self._running.add(task)
                task.add_done_callback(self._done)
            if not claimed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _POLL)
                self._woken.clear()

    async def _claimed(self, queue: Queue) -> list[Claimed]:
        room = 0 if self._stopping() else self._limit - len(self._running)
        return (await self._looked(lambda: queue.claim(room)) or []) if room else []

    async def _looked(self, step: Callable[[], T]) -> T | None:
        """What a step of the queue gives; None where the database is away, after a pause."""
        try:
            return await asyncio.to_thread(step)
        except JackfieldError as error:
            _LOG.error("the queue cannot be read: %s", error.message)
            await asyncio.sleep(_POLL)
            return None

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()

    async def _run(self, claimed: Claimed) -> None:
        try:
            panel = await asyncio.to_thread(self._panels.find, claimed.workspace)
            self._ended(await panel.arun(claimed))
        except JackfieldError as error:
            _LOG.error("the queued invocation %s could not be run: %s", claimed.id, error.message)
