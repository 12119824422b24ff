"""Handling of Ctrl-C: the first one stops gracefully, the second one exits at once. Commands can
register further signals for this handling.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(stop: Callable[[], None], *further: signal.Signals) -> Iterator[None]:
    """Call ``stop`` on the first SIGINT, or one of ``further`` signals, and raise KeyboardInterrupt
    on the second.

    ``stop`` runs in a signal handler on the main thread, so it must not take a non-reentrant lock
    that this thread may hold. No handler is installed outside the main thread, where Python
    delivers no signals, or for an ignored signal, such as SIGINT in background jobs of shells.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        stop()
        sys.stderr.write(
            "jackfield: stopping; waiting for requests that were sent (press Ctrl-C again to "
            "quit at once)\n"
        )

    heard = [
        number
        for number in (signal.SIGINT, *further)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    previous = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
