"""Growth of a function's time with its input: a ratio of two measurements in one process, so that a slow machine changes nothing."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

_NEGLIGIBLE = 0.005
"""Seconds below which a run says nothing about growth."""
_RATIO = 8.0
"""Four times the input: linear work takes 4 times as long, quadratic 16 times."""


def seconds(call: Callable[[], object], tries: int = 3) -> float:
    """Return the shortest CPU time of a few tries in this thread: other processes on the machine do not count."""
    found = []
    gc.disable()
    try:
        for _ in range(tries):
            start = time.thread_time()
            call()
            found.append(time.thread_time() - start)
            if found[-1] < _NEGLIGIBLE:
                break
    finally:
        gc.enable()
    return min(found)


def grows_faster_than_linear(call: Callable[[int], object], size: int) -> bool:
    """Run ``call(size)`` and ``call(size // 4)`` and compare. ``call`` builds its input from the size it is given."""
    large = seconds(lambda: call(size), 1)
    if large < _NEGLIGIBLE:
        return False
    small = seconds(lambda: call(size // 4))
    return seconds(lambda: call(size)) > _RATIO * max(small, _NEGLIGIBLE / 4)
