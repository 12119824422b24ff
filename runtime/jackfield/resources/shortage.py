"""Shortage of memory or threads in this process, as an error that says to try again."""

from __future__ import annotations

from jackfield.errors import Unavailable

__all__ = ["exhausted"]

_NO_THREAD = "can't start new thread"


def exhausted(error: BaseException) -> Unavailable | None:
    """Return the error for a shortage of memory or threads in this process; None for any other exception."""
    if isinstance(error, MemoryError):
        what = "memory"
    elif isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        what = "threads"
    else:
        return None
    return Unavailable(f"this process has no {what} left", hint="Try again in a moment, or give it more.", retry_after=1.0)
