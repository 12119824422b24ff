"""Threads for steps that wait for providers, by lane (a workspace, a binding): an unresponsive
provider in one lane leaves the other lanes their threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from contextvars import copy_context
from typing import TypeVar

from jackfield.kernel.dataclass import dataclass, field

T = TypeVar("T")


@dataclass(slots=True)
class _Lane:
    """Places of one lane, and the number of its running and waiting steps."""

    places: asyncio.Semaphore
    steps: int = field(default=0)


class Lanes:
    """Lanes of which each runs at most ``each`` steps at once; further steps wait in the event
    loop, without a thread. One event loop uses them.
    """

    def __init__(self, threads: Executor, each: int) -> None:
        self._threads = threads
        self._each = each
        self._lanes: dict[Hashable, _Lane] = {}

    async def run(self, key: Hashable, step: Callable[[], T]) -> T:
        """Run a step in a thread of its lane."""
        lane = self._lanes.setdefault(key, _Lane(asyncio.Semaphore(self._each)))
        lane.steps += 1
        try:
            async with lane.places:
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, copy_context().run, step
                )
        finally:
            lane.steps -= 1
            if not lane.steps:
                del self._lanes[key]

    def close(self) -> None:
        """End the threads; drop steps that have not started."""
        self._threads.shutdown(wait=False, cancel_futures=True)
