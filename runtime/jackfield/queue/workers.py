"""The queue workers of one process: they claim invocations from the journal, run them, and check it for requests to cancel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from jackfield.errors import Internal, JackfieldError, Unavailable
from jackfield.invocation import Meta, Result
from jackfield.journal import Queue
from jackfield.pipe.shared_pace import PostponedError

if TYPE_CHECKING:
    from jackfield.journal import Claimed
    from jackfield.queue.runtime_pool import RuntimePool

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.queue")
_POLL = 0.25
"""Seconds between polls for invocations that other processes have queued."""
_CHECK = 1.0
"""Seconds between checks for requests to cancel, and for claims that no task here works on."""
_LOG_EVERY = 60.0
"""Seconds between two log lines about the same fault."""
_OUTCOMES: dict[bool | None, str] = {
    True: "could not be started and returns to the queue",
    False: "was started, but its worker could not continue; see its journal entry",
    None: "was abandoned and, unless it was started, returns to the queue when the database responds",
}
_RESERVED = 8
"""One of this many slots is reserved for workspaces without running invocations, so that one workspace's long ones cannot take them all."""


class QueueWorkers:
    """Workers that run at most ``limit`` queued invocations at once.

    ``ended`` is called with each Result; while ``stopping()`` is true, nothing new is begun. Call all methods in the same event loop.
    """

    def __init__(
        self,
        runtimes: RuntimePool,
        limit: int,
        ended: Callable[[Result], None] = lambda _result: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._runtimes = runtimes
        self._limit = limit
        self._ended = ended
        self._stopping = stopping
        self._woken = asyncio.Event()
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._most = max(1, limit - -(-limit // _RESERVED))
        self._check_at = 0.0
        self._log_at: dict[str, float] = {}
        self._idle_claims: set[tuple[str, str, int]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start polling, if there is a database."""
        if self._runtimes.storage.enabled:
            self._task = asyncio.ensure_future(self._serve())

    def wake(self) -> None:
        """Poll now: something was queued."""
        self._woken.set()

    async def stop(self, within: float) -> None:
        """Stop claiming and wait up to ``within`` seconds for running invocations; the journal recovers the rest by effect."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._running:
            await asyncio.wait(self._running, timeout=within)

    async def _serve(self) -> None:
        storage = self._runtimes.storage
        while (queue := await self._attempted(lambda: Queue(storage.database, self._runtimes.clock))) is None:
            pass
        await self._attempted(self._runtimes.watch)
        while True:
            await self._check(queue)
            claimed = await self._claimed(queue)
            for item in claimed:
                task = asyncio.ensure_future(self._run(item, queue))
                self._running[task] = item
                task.add_done_callback(self._on_done)
            if not claimed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _POLL)
                self._woken.clear()

    async def _check(self, queue: Queue) -> None:
        """Cancel invocations as other processes requested, and return claims that no task here works on."""
        now = asyncio.get_running_loop().time()
        if now < self._check_at:
            return
        self._check_at = now + _CHECK
        for workspace, identifier in await self._attempted(queue.asked_to_cancel) or ():
            self._runtimes.cancel(workspace, identifier)
        busy = {(item.workspace, item.id, item.delivery) for item in self._running.values()}
        idle = {item for item in await self._attempted(queue.held) or () if item not in busy}
        for claim in idle & self._idle_claims:
            await self._attempted(partial(queue.release, *claim))
        self._idle_claims = idle

    async def _claimed(self, queue: Queue) -> list[Claimed]:
        room = 0 if self._stopping() else self._limit - len(self._running)
        busy = Counter(item.workspace for item in self._running.values())
        return (await self._attempted(lambda: queue.claim(room, busy, self._most)) or []) if room else []

    async def _attempted(self, step: Callable[[], T]) -> T | None:
        """Run a step of the queue in a thread; after a pause, return None if the database is unavailable or memory or threads ran out."""
        try:
            return await asyncio.to_thread(step)
        except JackfieldError as error:
            self._log_failure(error.message)
        except (RuntimeError, MemoryError) as error:
            self._log_failure(type(error).__name__)
        await asyncio.sleep(_POLL)
        return None

    def _log_failure(self, reason: str) -> None:
        """Log why the queue cannot be read; the same reason at most once a minute."""
        now = asyncio.get_running_loop().time()
        if now >= self._log_at.get(reason, now):
            self._log_at = {known: at for known, at in self._log_at.items() if at > now} | {reason: now + _LOG_EVERY}
            _LOG.error("the queue cannot be read: %s", reason)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._woken.set()

    async def _run(self, claimed: Claimed, queue: Queue) -> None:
        try:
            runtime = await asyncio.to_thread(self._runtimes.find, claimed.workspace)
            self._ended(await runtime.arun(claimed))
        except PostponedError as later:
            at = later.at
            await self._attempted(lambda: queue.postpone(claimed, at))
        except (Unavailable, RuntimeError, MemoryError) as error:
            await asyncio.sleep(_CHECK)
            given = await self._attempted(lambda: queue.give_back(claimed))
            _LOG.error("the queued invocation %s %s: %s", claimed.id, _OUTCOMES[given], type(error).__name__)
            if given is False:
                await self._attempted(lambda: self._runtimes.leave(claimed))
        except JackfieldError as error:
            _LOG.error("the queued invocation %s cannot be run: %s", claimed.id, error.message)
            given_up = Internal(
                f"the queued invocation {claimed.id} cannot be read; it was not sent", hint=("See the worker's log for the reason.")
            )
            result = Result("failed", Meta(claimed.id), error=given_up)
            await self._attempted(lambda: self._runtimes.refuse(claimed, result))


def leave(code: int) -> int:
    """Return the exit code, or exit at once if an action that does not end blocks a thread; the journal has recorded it already."""
    if any(thread.name.startswith("jackfield") and not thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
