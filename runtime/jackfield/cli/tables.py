"""Terminal output without rich: unchanged JSON, and tables in columns of plain text. ``drawn`` has
the same functions with rich.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from jackfield.kernel.hidden import has_hidden


def coloured(text: str, _stdout: TextIO) -> str:
    """Return JSON unchanged, since colours need the extra ``tables``."""
    return text


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], _stdout: TextIO) -> str:
    """Return an aligned table in plain text, one line per row; a long cell is not wrapped."""
    if not rows:
        return "(none)\n"
    lines = [
        [heading(column) for column in columns],
        *([cell(row.get(column)) for column in columns] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def heading(column: str) -> str:
    """Return a heading for a member's name: ``createdAt`` is "Created", ``idempotencyKey``
    "Idempotency key".
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).lower().split()
    while len(words) > 1 and words[-1] in {"id", "at"}:
        words.pop()
    return " ".join(words).capitalize()


def cell(value: object) -> str:
    """Return a value as the string of a cell: lists joined, control characters replaced."""
    text = (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else ""
        if value is None
        else str(value)
    )
    return "".join(
        letter if letter.isprintable() and not has_hidden(letter) else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
