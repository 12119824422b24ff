"""Mapping from exhausted memory, threads or descriptors of this process to an error that suggests a retry."""

from __future__ import annotations

import errno

from jackfield.errors import Sent, Unavailable

_NO_THREAD = "can't start new thread"
_ERRNOS = {errno.ENOMEM: "memory", errno.ENOBUFS: "memory", errno.EMFILE: "file descriptors", errno.ENFILE: "file descriptors"}


def exhausted(error: BaseException, sent: Sent | None = None) -> Unavailable | None:
    """Return the error for exhausted memory, threads or descriptors in this process; None for any other exception.

    ``sent`` is for callers that know how much of an attempt was sent.
    """
    if isinstance(error, MemoryError):
        what: str | None = "memory"
    elif isinstance(error, OSError):
        what = _ERRNOS.get(error.errno or 0)
    else:
        what = "threads" if isinstance(error, RuntimeError) and str(error) == _NO_THREAD else None
    if what is None:
        return None
    return Unavailable(f"this process has no {what} left", hint="Try again later, or raise its limits.", retry_after=1.0, sent=sent)
