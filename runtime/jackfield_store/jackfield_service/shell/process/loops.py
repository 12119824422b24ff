"""Loops that subjects run in each server and worker (``loop.loop`` of a subject): their arguments,
start and stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from jackfield_service.shell.finding import surfaces
from jackfield_store.runtime.runtime_pool import RuntimePool


@dataclass(frozen=True, slots=True)
class Process:
    """A server or worker. ``submit`` notifies its engine of a queued invocation. ``base`` returns
    the server's address for webhooks; ``stopping`` returns whether the process starts no more work.
    """

    runtimes: RuntimePool
    submit: Callable[[], None]
    base: Callable[[], str]
    stopping: Callable[[], bool]


class Loop(Protocol):
    """Work of a process that runs until it is stopped."""

    def start(self) -> None:
        """Start; called in the event loop."""

    async def stop(self) -> None:
        """Stop, once running work is done."""


def loops(process: Process) -> tuple[Loop, ...]:
    """Return the loops of all subjects for a process."""
    return tuple(module.loop(process) for module in surfaces("loop"))
