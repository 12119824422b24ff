"""Wording of values, names and lists in messages: quoted, shortened, escaped, and grammatical."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jackfield.kernel.secrecy import without_password

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jackfield.schema.json_types import Json

MAX_QUOTED = 60
"""Maximum characters of a value in a message."""
MAX_SHORT = 200
"""Maximum length of a string to be quoted. A longer string is content (an email's text), not a
value.
"""
MAX_LISTED = 10
"""Maximum number of allowed values that a message lists."""

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escaped(text: str) -> str:
    """Escape characters that could control a terminal or hide: controls, format characters,
    surrogates, unusual blanks.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else _SHORT_ESCAPES.get(c) or f"\\u{ord(c):04x}" for c in text
    )


def quote(value: Json) -> str:
    """Return a value quoted as JSON, but strings in single quotes. It has at most ``MAX_QUOTED``
    characters, and no password of a URL.
    """
    if isinstance(value, str):
        value = without_password(value)
        text = escaped(value[:MAX_QUOTED])
        return f"'{text}…'" if len(value) > MAX_QUOTED else f"'{text}'"
    text = escaped(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…"


def may_quote(value: Json) -> bool:
    """Return whether a message may quote a value of this kind and length; the value may still be a
    secret.
    """
    return len(value) <= MAX_SHORT if isinstance(value, str) else not isinstance(value, dict | list)


def name_of(name: str, limit: int = 80) -> str:
    """Return a member's name in quotes."""
    return f"'{escaped(name[:limit])}…'" if len(name) > limit else f"'{escaped(name)}'"


def count(number: float, noun: str) -> str:
    """Return a number with its noun: ``1 item``, ``2 items``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:.0f} {noun if number == 1 else plural}"


def listed(words: Sequence[str], last: str) -> str:
    """Return words joined as ``a, b and c``, if ``last`` is ``and``."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def either(words: Sequence[str]) -> str:
    """Return words joined as ``a, b or c``, with commas throughout if one of the words is itself a
    choice (``true or false``).
    """
    if len(words) > 1 and any(" or " in word for word in words):
        return f"{', '.join(words[:-1])}, or {words[-1]}"
    return listed(words, "or")


def one_of(allowed: Sequence[Json]) -> str:
    """Return the allowed values as a list in words, at most ``MAX_LISTED`` of them."""
    words = [quote(value) for value in allowed[:MAX_LISTED]]
    more = len(allowed) - len(words)
    return f"{', '.join(words)} and {more} more" if more else either(words)
