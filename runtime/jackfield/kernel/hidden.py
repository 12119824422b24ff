"""Characters that are invisible, or that hide or reorder others. Strangers' texts lose or mark them
before people read or decide.
"""

from __future__ import annotations

import re
from functools import cache

_HIDDEN = (
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    # format characters
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # letters and marks that show nothing
    # selectors and tags, which can spell a text; those of emoji are left
    "\ufe00-\ufe0d\U000e0000-\U000e0fff"
    "\u2028\u2029"  # separators of lines
    # half and private characters
    "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
    "]"
)
_LATIN, _ALIKE = (
    "a-zA-Z\u00c0-\u024f",
    "\u0370-\u03ff\u0400-\u052f\u0531-\u0587\u13a0-\u13ff\u1c80-\u1c8a\u2c80-\u2cff\ua4d0-\ua4fd",
)
"""Letters of Latin, and of the scripts with letters that look like Latin ones."""
_JOINERS = "\u200c\u200d"
_COMPLEX = "\u0590"
"""First letter of the scripts that are not Latin, Greek, Cyrillic or Armenian."""


def has_hidden(text: str, kept: str = "") -> bool:
    """Return True if a text has hidden characters other than those in ``kept``."""
    if text.isascii() and text.isprintable():
        return False
    return any(found[0] not in kept for found in _hidden().finditer(text))


def without_hidden(text: str, kept: str = "") -> str:
    """Return a text without hidden characters, except those in ``kept``."""
    if text.isascii() and text.isprintable():
        return text
    return _hidden().sub(lambda found: found[0] if found[0] in kept else "", text)


def visible(text: str, kept: str = "\n") -> str:
    """Return a text with each hidden character as an escape of JSON, except those in ``kept``. The
    parsed value of JSON stays equal.
    """
    if text.isascii() and text.isprintable():
        return text
    return _hidden().sub(lambda found: found[0] if found[0] in kept else escape_of(found[0]), text)


def visible_json(text: str) -> str:
    """Return JSON in which each hidden character is an escape, and so is each letter of another
    alphabet in a word with Latin letters. Otherwise an approver would read another name than the
    real one.
    """
    if text.isascii() and text.isprintable():
        return text
    found, alike = visible(text), _alike()
    return found if alike.search(found) is None else _words().sub(_escaped_word, found)


def _escaped_word(found: re.Match[str]) -> str:
    word = found[0]
    is_mixed = word[0] != "\\" and not word.isascii() and re.search(f"[{_LATIN}]", word) is not None
    return _alike().sub(lambda letter: escape_of(letter[0]), word) if is_mixed else word


def escape_of(character: str) -> str:
    """Return a character's JSON escape: one or two units of UTF-16."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def hidden_parts(text: str, kept: str = "\n\r\t") -> list[str]:
    """Split a text into visible pieces, at even places, and hidden characters, at odd places.
    Joiners of emoji and of scripts that need them do not count as hidden.
    """
    if text.isascii() and text.isprintable():
        return [text]
    pieces, end = [""], 0
    for found in _hidden().finditer(text):
        if found[0] not in kept and not (
            found[0] in _JOINERS and text[: found.start()][-1:] >= _COMPLEX
        ):
            pieces[-1] += text[end : found.start()]
            pieces += [found[0], ""]
            end = found.end()
    pieces[-1] += text[end:]
    return pieces


def trimmed(text: str) -> str:
    """Return a text without white space and hidden characters at its ends, which come from copying
    a key.
    """
    if "!" <= text[:1] <= "~" and "!" <= text[-1:] <= "~":
        return text
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


@cache
def _hidden() -> re.Pattern[str]:
    return re.compile(_HIDDEN)


@cache
def _alike() -> re.Pattern[str]:
    return re.compile(f"[{_ALIKE}]")


@cache
def _words() -> re.Pattern[str]:
    return re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)|[^\W\d_]+", re.DOTALL)


def _is_blank(character: str) -> bool:
    return character.isspace() or _hidden().match(character) is not None
