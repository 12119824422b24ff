"""Log text for unexpected exceptions: enough to find the cause, without any data from the caller."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from jackfield.redaction import Redactor, safe_exception_text

if TYPE_CHECKING:
    from typing import Any

__all__ = ["reason"]

_MAX_INPUT_CHARACTERS = 20_000
"""Maximum characters of inputs to search for in a message. With more, the log omits the message."""
_MIN_PART = 4
"""Minimum characters of an input's part to hide. Shorter parts would mask common words."""
_PARTS = (re.compile(r"[^\s\"'<>(),;:]+"), re.compile(r"[^\"<>(),;]+"))
"""Words and phrases that an exception may quote separately, such as the address or the name of a mailbox."""


def reason(error: Exception, redactor: Redactor | None, inputs: Mapping[str, Any]) -> str:
    """Return the exception's type, message and location, with the connection's secrets and all parts of the inputs masked."""
    texts = [text for value in inputs.values() for text in _texts(value)]
    if sum(map(len, texts)) > _MAX_INPUT_CHARACTERS:
        return f"{type(error).__qualname__}{_place(error)}"
    parts = (part.strip() for text in texts for pattern in _PARTS for part in pattern.findall(text))
    hidden = (part for part in (*texts, *parts) if len(part) >= _MIN_PART)
    return safe_exception_text(error, Redactor(hidden).joined(redactor or Redactor())) + _place(error)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" (at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})"


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
