"""Redaction of log records."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from traceback import TracebackException
from typing import Any

from jackfield.kernel.places import OURS, frames_of, place_of
from jackfield.redaction.redactor import Redactor, current_redactor


class _Reading(Exception):
    """Exception whose ``str`` is a function's result."""

    def __init__(self, make: Callable[[], str]) -> None:
        super().__init__()
        self.make = make
        self.text: str | None = None

    def __str__(self) -> str:
        self.text = self.make()
        return self.text


def read(make: Callable[[], str]) -> str | None:
    """Return ``make()``, or None if it raises, since the ``str`` of a foreign object may raise
    anything.
    """
    reading = _Reading(make)
    # reads str(reading), and swallows everything that it raises
    TracebackException(_Reading, reading, None)
    return reading.text


def safe_exception_text(error: BaseException, redactor: Redactor) -> str:
    """Return the exception's type and redacted message, for logs: no traceback, locals, cause,
    context or notes.
    """
    message = read(lambda: str(error))
    name = type(error).__qualname__
    if message is None:
        return redactor.clean(f"{name}: <no readable message>")
    return redactor.clean(f"{name}: {message}" if message else name)


_OWN = frozenset(vars(logging.makeLogRecord({})))
"""Attributes of every record. All others come from ``extra`` or an earlier formatter."""
_UNREADABLE = "<not readable>"


class LogRedaction(logging.Filter):
    """Logging filter that redacts records before their handler formats them. Add one to each
    handler that jackfield installs.

    It masks the secrets of the 100 connections that this process has used last, whichever thread or
    task logs. That includes tracebacks, and logs of any code outside this package, such as a
    connector's and its SDK's. Messages of this package contain no secrets, except messages about
    connectors (the logger ``jackfield.connector``), which may quote an exception of their code.

    It belongs on handlers, because a logger's filters do not see the records of its child loggers.
    Message and arguments become one redacted text; traceback, causes, stack and ``extra`` are
    redacted too. ``exc_info`` is replaced by its redacted text, because a formatter could print the
    exception's attributes and locals. The record is changed in place, so later handlers get the
    redacted record. Without secrets in force, records stay unchanged.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record, and return True, which lets it pass."""
        is_ours = record.pathname.startswith(OURS) and record.name != "jackfield.connector"
        if is_ours and not (record.exc_info or record.exc_text or record.stack_info):
            return True
        redactor = current_redactor()
        if redactor:
            _clean(record, redactor)
        return True


def _clean(record: logging.LogRecord, redactor: Redactor) -> None:
    record.msg, record.args = redactor.clean(_message(record)), ()
    trace = record.exc_text or (_trace(record.exc_info) if record.exc_info else None)
    record.exc_text = redactor.clean(trace) if trace else None
    record.exc_info = None
    record.stack_info = redactor.clean(record.stack_info) if record.stack_info else None
    for name, value in list(vars(record).items()):
        if name not in _OWN:
            setattr(record, name, _clean_extra(value, redactor))


def _message(record: logging.LogRecord) -> str:
    message = read(record.getMessage)
    if message is not None:
        return message
    template = read(lambda: str(record.msg)) or _UNREADABLE
    arguments = read(lambda: repr(record.args)) or _UNREADABLE
    return f"{template} (with arguments that do not fit: {arguments})"


def _trace(error: Any) -> str:
    if isinstance(error, BaseException):
        error = (type(error), error, error.__traceback__)
    return read(lambda: logging.Formatter().formatException(error)) or _UNREADABLE


def _clean_extra(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str | list | dict):
        value = redactor.clean_json(value)
    if value is None or isinstance(value, str | int | float):
        return value
    text = read(lambda: str(value)) or _UNREADABLE
    return redactor.clean(text) if redactor.holds(text) else value


_MAX_INPUT_CHARACTERS = 20_000
"""Maximum characters of inputs to search for in a message. With more, the log omits the message."""
_MIN_PART = 4
"""Minimum characters of an input's part to hide. Shorter parts would mask common words."""
_PARTS = (re.compile(r"[^\s\"'<>(),;:]+"), re.compile(r"[^\"<>(),;]+"))
"""Regular expressions of words and phrases that an exception may quote separately, such as the
address or the name of a mailbox.
"""


def reason(error: Exception, redactor: Redactor | None, inputs: Mapping[str, Any]) -> str:
    """Return the exception's type, message and location, with the connection's secrets and all
    parts of the inputs masked.
    """
    texts = [text for value in inputs.values() for text in _texts(value)]
    if sum(map(len, texts)) > _MAX_INPUT_CHARACTERS:
        return f"{type(error).__qualname__}{place_of(error)}"
    parts = (part.strip() for text in texts for pattern in _PARTS for part in pattern.findall(text))
    hidden = (part for part in (*texts, *parts) if len(part) >= _MIN_PART)
    return safe_exception_text(error, Redactor(hidden).joined(redactor or Redactor())) + place_of(
        error
    )


def trace(error: Exception, redactor: Redactor | None) -> str:
    """Return the frames of an exception, innermost last, for the log at the level DEBUG: without
    values, and with secrets redacted.
    """
    text = frames_of(error)
    return text if redactor is None else redactor.clean(text)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
