"""Strings of a server, made safe to display: short, without control characters, and without
characters that hide or reorder others.
"""

from __future__ import annotations

from jackfield.kernel import hidden

LONGEST = 4_096
"""Maximum number of characters of a server's string."""
_KEPT = "\n\t"


def plain(text: object, longest: int = LONGEST) -> str:
    """Return a text without hidden characters, cut off after ``longest``; an empty text for any
    other value.
    """
    if not isinstance(text, str):
        return ""
    return hidden.without_hidden(text[: 4 * longest], _KEPT)[:longest].strip()


def one_line(text: object, longest: int) -> str:
    """Return a string on one line, without hidden characters."""
    return " ".join(plain(text, 4 * longest).split())[:longest].strip()


def has_hidden(text: object) -> bool:
    """Return whether a string has characters that ``plain`` removes."""
    return isinstance(text, str) and hidden.has_hidden(text, _KEPT)
