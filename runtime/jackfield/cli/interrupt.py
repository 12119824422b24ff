"""Ctrl-C: the first one stops gracefully, the second one exits at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on the first SIGINT and raise KeyboardInterrupt on the second.

    ``stop`` runs in a signal handler on the main thread, so it must not take a non-reentrant lock that this thread may hold. No handler
    is installed outside the main thread, where Python delivers no signals, or if SIGINT is ignored, as for background jobs of shells.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    pressed = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        stop()
        sys.stderr.write("jackfield: stopping; waiting for requests that were sent (press Ctrl-C again to quit at once)\n")

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
