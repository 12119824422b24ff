"""Characters that are not seen, or that hide or reorder others: strangers' texts lose them before people read them."""

from __future__ import annotations

from unicodedata import category

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories of control, format (zero-width, bidirectional, tags from U+E0000), half and private characters, and separators of lines."""


def has_hidden(text: str, kept: str = "") -> bool:
    """Return True if a text has hidden characters other than those that are ``kept``."""
    return any(one not in kept and category(one) in _HIDDEN for one in text)


def without_hidden(text: str, kept: str = "") -> str:
    """Return a text without hidden characters, but for those that are ``kept``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one for one in text if one in kept or category(one) not in _HIDDEN)
