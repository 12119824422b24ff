"""The dispatcher of one process: a thread delivers events to callbacks."""

from __future__ import annotations

import asyncio

from jackfield_service.shell.process.loops import Process
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher, dispatching


class DispatcherLoop:
    """Dispatcher of a process; it does nothing without a database."""

    def __init__(self, process: Process) -> None:
        self._runtimes = process.runtimes
        self._dispatcher: Dispatcher | None = None

    def start(self) -> None:
        """Start to deliver."""
        runtimes = self._runtimes
        self._dispatcher = dispatching(
            runtimes.storage, runtimes.clock, runtimes.outgoing, runtimes.environment
        )

    async def stop(self) -> None:
        """Stop the dispatcher's thread without blocking the event loop."""
        if self._dispatcher is not None:
            await asyncio.to_thread(self._dispatcher.stop)


def loop(process: Process) -> DispatcherLoop:
    """Return the dispatcher of a process."""
    return DispatcherLoop(process)
