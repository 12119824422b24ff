"""Processor cores of this process. Threads of one Python process on several cores mostly fight for the interpreter's lock: a server that
keeps to one core makes the same calls in half the CPU time (docs/reference/cli-serve.md)."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would double the start-up time of a cold command
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence
    from types import TracebackType

CORES = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset[int]()
"""Cores that this process may use, as its parent has left them; empty on systems without affinities."""
PIN = "JACKFIELD_PIN"


def keep_to_one_core(environment: Mapping[str, str]) -> socket.socket | None:
    """Keep all threads of this process to one core, unless ``JACKFIELD_PIN=0``.

    Return the claim on that core: an abstract socket, whose name no other serving process of this machine (of this network namespace) can
    take while it is open. A process that ends, however it does, leaves its core to the next. Servers that cannot see each other's names, in
    containers, begin at different cores.
    """
    if environment.get(PIN) == "0" or len(CORES) < 2:
        return None
    import random

    cores = sorted(CORES)
    begin = random.getrandbits(32) % len(cores)
    return _claimed(cores[begin:] + cores[:begin])


def _claimed(cores: Sequence[int]) -> socket.socket | None:
    import socket

    for core in cores:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0jackfield-core-{core}")
        except OSError:
            claim.close()
        else:
            _keep_to(core)
            return claim
    _keep_to(cores[0])  # there are more processes than cores
    return None


def _keep_to(core: int) -> None:
    for thread in os.listdir("/proc/self/task"):
        try:
            os.sched_setaffinity(int(thread), {core})
        except ProcessLookupError:  # it has just ended
            continue


class OnAllCores:
    """Context manager that gives this thread, and so the processes that it starts in the block, all cores of the process again."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        """Enter the block."""
        self._before = os.sched_getaffinity(0) if CORES else None
        if self._before is not None:
            os.sched_setaffinity(0, CORES)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._before is not None:
            os.sched_setaffinity(0, self._before)
