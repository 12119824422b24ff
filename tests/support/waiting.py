"""Waiting for what another thread or process does: an answer that holds, at the latest after a time
that no test is about.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PAUSE = threading.Event()


def until(found: Callable[[], T], within: float = 120.0) -> T:
    """Ask until the answer is true, and return it. It pauses in between: what is waited for may
    need the processor.
    """
    deadline = time.monotonic() + within
    while not (answer := found()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {answer}"
        _PAUSE.wait(0.02)
    return answer
