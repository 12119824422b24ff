"""Texts of a server as they may be shown: short, without control characters and without those that hide or reorder others."""

from __future__ import annotations

import unicodedata

LONGEST = 4_096
"""Characters of a server's text that are kept."""
_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories of control, format (zero-width, bidirectional, tags from U+E0000), half and private characters, and separators of lines."""


def plain(text: object, longest: int = LONGEST) -> str:
    """Return a text without hidden characters, cut off behind ``longest``; an empty one for what is none."""
    if not isinstance(text, str):
        return ""
    short = text[: 4 * longest]
    if short.isascii() and short.isprintable():
        return short[:longest].strip()
    kept = [one for one in short if one in _KEPT or unicodedata.category(one) not in _HIDDEN]
    return "".join(kept)[:longest].strip()


def one_line(text: object, longest: int) -> str:
    """Return a text on one line."""
    return " ".join(plain(text, 4 * longest).split())[:longest].strip()


def has_hidden(text: object) -> bool:
    """Return True if a text has characters that ``plain`` leaves out."""
    return isinstance(text, str) and any(one not in _KEPT and unicodedata.category(one) in _HIDDEN for one in text)
