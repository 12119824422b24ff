"""The words of a search: which of them count, what they come from, and which are one slip of the keyboard apart."""

from __future__ import annotations

import re

__all__ = ["one_edit", "query_words", "stem", "words_of"]

_WORD = re.compile(r"[^\W_]+")
_MOST = 8
"""Words of a query that count; the longest ones say most."""
_STOP_WORDS = """
a about all an and any are as at be by can could do does for from get give have help how i if in into is it its let like me my need of
on one or our out over please should so some someone that the their them then there these they this those to up us use using via want
we what when where which who will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_ENDINGS = (("ies", "i"), ("ying", "i"), ("ations", "at"), ("ation", "at"), ("ings", ""), ("ing", ""), ("ed", ""),
            ("es", ""), ("s", ""), ("e", ""), ("y", "i"))  # fmt: skip
_SHORTEST = 3
"""Letters that a stem has at least: shorter ones begin too many words."""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case: runs of letters and digits."""
    return _WORD.findall(text.casefold())


def query_words(text: str) -> list[str]:
    """The distinct words of a query that say something, longest first; all of them where none does ("to do")."""
    words = set(words_of(text))
    return sorted(words - _STOP or words, key=lambda word: (-len(word), word))[:_MOST]


def stem(word: str) -> str:
    """The part that a word shares with its other forms: ``email`` of ``emails``, ``send`` of ``sending``."""
    for ending, put in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss"):
            base = word[: -len(ending)]
            if len(base) < _SHORTEST:
                continue
            doubled = ending in ("ing", "ings", "ed") and len(base) > _SHORTEST and base[-1] == base[-2] and base[-1] not in "lsz"
            return (base[:-1] if doubled else base) + put
    return word


def one_edit(one: str, other: str) -> bool:
    """Say whether one letter put in, left out, changed, or two swapped make one word of the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    shorter = min(len(one), len(other))
    head = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    first, second = one[head:], other[head:]
    swapped = len(first) == len(second) > 1 and first[:2] == second[1::-1] and first[2:] == second[2:]
    return swapped or first[1:] == second[1:] or first[1:] == second or first == second[1:]
