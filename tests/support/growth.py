"""Growth of a function's time with its input: a ratio of two measurements in one process, so that a
slow machine changes nothing.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable

_NEGLIGIBLE = 0.005
"""Seconds below which a run says nothing about growth."""
_RATIO = 8.0
"""Four times the input: linear work takes 4 times as long, quadratic 16 times."""
_ROUNDS = 3
"""Comparisons that must all say so: a machine may be disturbed for longer than one."""


def seconds(
    call: Callable[[], object], tries: int = 3, clock: Callable[[], float] = time.thread_time
) -> float:
    """Return the shortest CPU time of a few tries, by default in this thread: other processes on
    the machine do not count.
    """
    found = []
    gc.disable()
    try:
        for _ in range(tries):
            start = clock()
            call()
            found.append(clock() - start)
            if found[-1] < _NEGLIGIBLE:
                break
    finally:
        gc.enable()
    return min(found)


def grows_faster_than_linear(
    call: Callable[[int], object], size: int, clock: Callable[[], float] = time.thread_time
) -> bool:
    """Run ``call(size)`` and ``call(size // 4)`` and compare. ``call`` builds its input from the
    size it is given.

    ``clock`` is ``time.process_time`` if other threads do the work.
    """
    if seconds(lambda: call(size), 1, clock) < _NEGLIGIBLE:
        return False
    return all(_grows(call, size, clock) for _ in range(_ROUNDS))


def _grows(call: Callable[[int], object], size: int, clock: Callable[[], float]) -> bool:
    most = _RATIO * max(seconds(lambda: call(size // 4), clock=clock), _NEGLIGIBLE / 4)
    return seconds(lambda: call(size), clock=clock) > most


def calls(work: Callable[[], object]) -> int:
    """Count the calls that some work makes, of Python and of native functions."""
    made = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return made
