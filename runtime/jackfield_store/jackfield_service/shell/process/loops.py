"""Loops that subjects run in each server and worker (``loop.loop`` of a subject): their arguments, start and stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from jackfield_service.shell.finding import surfaces
from jackfield_store.runtime.runtime_pool import RuntimePool


@dataclass(frozen=True, slots=True)
class Process:
    """A server or worker. ``submit`` tells its engine that an invocation was queued. ``base`` returns the address of the server that
    receives webhooks, ``stopping`` returns whether the process begins nothing more."""

    runtimes: RuntimePool
    submit: Callable[[], None]
    base: Callable[[], str]
    stopping: Callable[[], bool]


class Loop(Protocol):
    """Work of a process that never ends by itself."""

    def start(self) -> None:
        """Begin; called in the event loop."""

    async def stop(self) -> None:
        """End, once running work is done."""


def loops(process: Process) -> tuple[Loop, ...]:
    """Return the loops of all subjects for a process."""
    return tuple(module.loop(process) for module in surfaces("loop"))
