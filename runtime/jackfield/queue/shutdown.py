"""Ending a process whose actions may not end."""

from __future__ import annotations

import os
import sys
import threading

__all__ = ["leave"]


def leave(code: int) -> int:
    """The exit code; at once where an action that does not end holds a thread, since the journal has told of it."""
    if any(thread.name.startswith("jackfield") and not thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
