"""Exceptions as texts for logs."""

from __future__ import annotations

from collections.abc import Callable
from traceback import TracebackException

from jackfield.redaction.redactor import Redactor

__all__ = ["read", "safe_exception_text"]


class _Reading(Exception):
    """Lends its ``str`` to a function."""

    def __init__(self, make: Callable[[], str]) -> None:
        super().__init__()
        self.make = make
        self.text: str | None = None

    def __str__(self) -> str:
        self.text = self.make()
        return self.text


def read(make: Callable[[], str]) -> str | None:
    """What ``make`` returns, or None where it raises: the ``str`` of a foreign object may raise anything."""
    reading = _Reading(make)
    TracebackException(_Reading, reading, None)  # reads str(reading), and lets nothing through that this raises
    return reading.text


def safe_exception_text(error: BaseException, redactor: Redactor) -> str:
    """The exception's type and its cleaned message, for logs: no traceback, locals, cause, context or notes."""
    message = read(lambda: str(error))
    name = type(error).__qualname__
    if message is None:
        return redactor.clean(f"{name}: <no readable message>")
    return redactor.clean(f"{name}: {message}" if message else name)
