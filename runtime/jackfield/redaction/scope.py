"""The Redactor in force: one per context, so that threads and tasks do not see each other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jackfield.redaction.redactor import Redactor

__all__ = ["current_redactor", "redacting"]

_NONE = Redactor()
_IN_FORCE: ContextVar[Redactor] = ContextVar("jackfield.redaction", default=_NONE)


def current_redactor() -> Redactor:
    """Return the Redactor in force in this context; without one, an empty Redactor."""
    return _IN_FORCE.get()


@contextmanager
def redacting(redactor: Redactor) -> Iterator[Redactor]:
    """Put ``redactor`` in force, in addition to outer ones: an inner block never reveals the secrets of an outer one.

    The context is that of ``contextvars``: tasks inherit it, new threads do not (``contextvars.copy_context``).
    """
    token = _IN_FORCE.set(redactor.joined(_IN_FORCE.get()))
    try:
        yield _IN_FORCE.get()
    finally:
        _IN_FORCE.reset(token)
