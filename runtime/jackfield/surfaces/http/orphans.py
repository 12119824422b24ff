"""Worker processes whose parent has died: they stop, so that a new parent can have the port."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

__all__ = ["stop_with_parent"]

_EXTRA = 10.0
"""Seconds beyond ``--stop-within`` after which an orphan that hangs ends all the same."""


def stop_with_parent(stop_within: float) -> None:
    """Send this worker SIGTERM as soon as its parent is gone, and end it where that takes too long. Do nothing outside of a worker.

    ``multiprocessing`` holds a pipe whose other end closes with the parent, however that ends: this works without Linux's
    PR_SET_PDEATHSIG, which also fires where only the thread that made the child ends.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(stop_within + _EXTRA)
        os._exit(1)

    threading.Thread(target=watch, name="jackfield-parent", daemon=True).start()
