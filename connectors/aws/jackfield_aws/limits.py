"""Until when this thread may wait for AWS: the deadline of the current try, or of the credential that is being leased."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jackfield.connector import Deadline, current_call

__all__ = ["current_deadline", "within"]

_DEADLINE: ContextVar[Deadline | None] = ContextVar("jackfield_aws_deadline", default=None)


def current_deadline() -> Deadline | None:
    """The deadline that holds here; None outside of any try."""
    leased = _DEADLINE.get()
    if leased is not None:
        return leased
    call = current_call()
    return None if call is None else call.deadline


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """Let ``deadline`` hold for this thread, whichever try it is in: leases may be refreshed outside of one."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)
