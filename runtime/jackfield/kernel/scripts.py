"""Words that mix letters of several similar scripts. The module loads Unicode's names, which only a
page that warns of such words needs.
"""

from __future__ import annotations

import re
from unicodedata import name

_WORD = r"[^\W\d_]{2,}"
_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})
"""Scripts with letters that look like letters of another script."""


def mixed_words(text: str) -> list[str]:
    """Return the words of a text whose letters are of several scripts that look alike, such as
    Latin and Cyrillic (UTS 39).
    """
    return (
        []
        if text.isascii()
        else [
            word
            for word in re.findall(_WORD, text)
            if not word.isascii() and len(_scripts(word)) > 1
        ]
    )


def _scripts(word: str) -> set[str]:
    return {script for one in word if (script := name(one, "").partition(" ")[0]) in _ALIKE}
