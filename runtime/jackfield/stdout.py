"""Standard output whose reader has left, or whose disk is full: the same for ``jackfield`` itself and for the commands of packages."""

from __future__ import annotations

import os
import sys

__all__ = ["silence_stdout"]


def silence_stdout() -> None:
    """Send what is still buffered for stdout nowhere, so that Python does not complain about it at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # stdout is not a file
        return
