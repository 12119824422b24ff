"""Words of texts and queries: runs of letters and digits, without stop words, with the stems that
their forms share.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")
_MAX_WORDS = 8
"""Maximum words of a query that count; the longest are the most specific."""
_STOP_WORDS = """
a about all an and any are as at be by can could do does for from give have help how i if in into is it its let like many me my need of on
one or our out over please s should single so some someone that the their them then there these they this those to up us use using via
want we what when where which who will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_ENDINGS = (
    ("ies", "i"),
    ("ying", "i"),
    ("ations", "at"),
    ("ation", "at"),
    ("ings", ""),
    ("ing", ""),
    ("ed", ""),
    ("es", ""),
    ("s", ""),
    ("e", ""),
    ("y", "i"),
)
_KEY_WORD = re.compile(r"[A-Z][a-z0-9]*|[a-z0-9]+")
_ASCII = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() else ord(" ") for code in range(128)
).ljust(256)
"""Translation table: letters and digits become lower case, and everything else a space."""
_SHORTEST = 3
"""Minimum letters of a stem: shorter stems begin too many words."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters and digits."""
    if text.isascii():  # a third of the time
        return text.encode().translate(_ASCII).decode().split()
    return _WORD.findall(text.casefold())


def query_words(text: str) -> list[str]:
    """Return the distinct words of a query without stop words, longest first; all words if only
    stop words remain ("to do").
    """
    words = set(words_of(text))
    return sorted(words - STOP_WORDS or words, key=lambda word: (-len(word), word))[:_MAX_WORDS]


def stem(word: str) -> str:
    """Return the stem that a word shares with its other forms: ``email`` of ``emails``, ``send`` of
    ``sending``.
    """
    for ending, put in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss"):
            base = word[: -len(ending)]
            if len(base) < _SHORTEST:
                continue
            doubled = (
                ending in ("ing", "ings", "ed")
                and len(base) > _SHORTEST
                and base[-1] == base[-2]
                and base[-1] not in "lsz"
            )
            return (base[:-1] if doubled else base) + put
    return word


def parts_of(text: str) -> set[str]:
    """Return the distinct words of a text."""
    return set(words_of(text))


def parts_of_key(key: str) -> set[str]:
    """Return the distinct words of a key in camelCase."""
    if key.isascii():
        return {word.lower() for word in _KEY_WORD.findall(key)}
    return parts_of("".join(f" {letter}" if letter.isupper() else letter for letter in key))
