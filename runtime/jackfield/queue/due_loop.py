"""A loop of one process that does what is due in a database, as it shares that with other processes.

All processes that serve or work run such loops. An idle one asks the database once a second for what is due, by an index.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from jackfield.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield.queue.runtime_pool import RuntimePool

POLL = 1.0
"""Seconds between two looks for what other processes have added or changed."""
_PAUSE = 5.0
"""Seconds after which a process looks again that could not use the database."""


class DueLoop:
    """Loop of one process. ``what`` names its work in messages; ``stopping`` says when nothing new is begun."""

    what = ""

    def __init__(self, runtimes: RuntimePool, stopping: Callable[[], bool]) -> None:
        self._runtimes = runtimes
        self._stopping = stopping
        self._log = logging.getLogger(f"jackfield.{self.what}")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for work, if there is a database; call it in the event loop."""
        if self._runtimes.storage.enabled:
            self._task = asyncio.ensure_future(self._serve())

    async def stop(self) -> None:
        """Begin nothing more. What is being done is committed, or left to another process."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def look(self) -> float:
        """Do what is due, and return the seconds until the next look.

        :raises JackfieldError: if the database is unavailable.
        """
        raise NotImplementedError

    async def _serve(self) -> None:
        while True:
            pause = POLL if self._stopping() else await self._looked()
            if pause:
                await asyncio.sleep(pause)

    async def _looked(self) -> float:
        try:
            return await asyncio.to_thread(self.look)
        except JackfieldError as error:
            self._log.error("no %s can be served: %s", self.what, error.message)
        except (RuntimeError, MemoryError) as error:
            self._log.error("no %s can be served: %s", self.what, type(error).__name__)
        return _PAUSE
