"""Which Redactor is in force here: one per context, so that threads and tasks do not see each other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jackfield.redaction.redactor import Redactor

__all__ = ["current_redactor", "redacting"]

_NONE = Redactor()
_IN_FORCE: ContextVar[Redactor] = ContextVar("jackfield.redaction", default=_NONE)


def current_redactor() -> Redactor:
    """The Redactor in force in this context; one without secrets where none was put in force."""
    return _IN_FORCE.get()


@contextmanager
def redacting(redactor: Redactor) -> Iterator[Redactor]:
    """Put ``redactor`` in force, on top of what is already: an inner block never uncovers the secrets of an outer one.

    The context is that of ``contextvars``: tasks inherit it, threads made by hand do not
    (``contextvars.copy_context``).
    """
    token = _IN_FORCE.set(redactor.joined(_IN_FORCE.get()))
    try:
        yield _IN_FORCE.get()
    finally:
        _IN_FORCE.reset(token)
