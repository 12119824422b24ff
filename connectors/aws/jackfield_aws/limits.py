"""Deadline of AWS calls in this thread, taken from the current attempt or the credential being
leased.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jackfield.connector import Call, Deadline, current_call

CONNECT_TIMEOUT = 3.0
"""Connect timeout in seconds: a reachable host accepts within one, so three leave time for a
retry.
"""
READ_TIMEOUT = 900.0
"""Read timeout in seconds, the longest possible deadline. A call's own deadline ends it earlier."""
_DEADLINE: ContextVar[Deadline | None] = ContextVar("jackfield_aws_deadline", default=None)
_FETCHING: ContextVar[bool] = ContextVar("jackfield_aws_fetching", default=False)


def current_deadline() -> Deadline | None:
    """Return the current deadline; None outside of any attempt."""
    return deadline_of(current_call())


def deadline_of(call: Call | None) -> Deadline | None:
    """Return the deadline in this thread, whose attempt is ``call``; None outside any attempt."""
    leased = _DEADLINE.get()
    return leased if leased is not None or call is None else call.deadline


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """Apply ``deadline`` in this thread instead of the attempt's own: leases may be refreshed
    outside an attempt.
    """
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


@contextmanager
def fetching(deadline: Deadline) -> Iterator[None]:
    """Apply ``deadline`` in this thread while it fetches the machine's identity. botocore then logs
    nothing: the caller gets the error.
    """
    token = _FETCHING.set(True)
    try:
        with within(deadline):
            yield
    finally:
        _FETCHING.reset(token)


def is_fetching() -> bool:
    """Return whether this thread fetches the machine's identity."""
    return _FETCHING.get()
