r"""ECMA-262 regular expressions, which JSON Schema uses, in the dialects of the two engines.

Both must find the same matches: ``\d``, ``\w`` and ``\b`` are ASCII, ``\s`` is ECMA's white space, ``$`` the very end. Python's ``re``
needs all of this spelt out, jsonschema-rs the ``\b`` only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["compiled", "for_python", "for_rust"]

_SPACE = "\\t-\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"
_WORD = "0-9A-Za-z_"
_SETS = {"d": "0-9", "w": _WORD, "s": _SPACE}
_EDGES = {"b": f"(?:(?<![{_WORD}])(?=[{_WORD}])|(?<=[{_WORD}])(?![{_WORD}]))"}
_EDGES["B"] = f"(?!{_EDGES['b']})"
_MARKS = re.compile(
    r"\\u\{(?P<point>[0-9A-Fa-f]{1,6})\}|\\c(?P<control>[A-Za-z])|\(\?<(?P<group>[A-Za-z_]\w*)>"
    r"|\\(?P<escape>.)|(?P<plain>.)",
    re.DOTALL,
)
_NOT_ECMA = frozenset("AZazk")  # escapes that ECMA-262 does not know; jsonschema-rs does not read "\\k" either


def compiled(pattern: str) -> re.Pattern[str]:
    r"""The pattern, ready to ``search`` with.

    :raises ValueError: not an ECMA-262 pattern, or one that ``re`` cannot read (``\p{…}``).
    """
    try:
        return re.compile(for_python(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None


def for_rust(pattern: str) -> str:
    r"""The pattern with ``\b`` and ``\B`` as ECMA-262 means them: between ASCII letters only."""
    return "".join(
        (r"\x08" if in_class else _EDGES[match["escape"]]) if match["escape"] in _EDGES else match[0]
        for match, in_class, _ in _marks(pattern)
    )


def for_python(pattern: str) -> str:
    """The pattern in Python's dialect.

    :raises ValueError: an escape that ECMA-262 does not know.
    """
    return "".join(_for_python(pattern))


def _marks(pattern: str) -> Iterator[tuple[re.Match[str], bool, str]]:
    """Each mark of the pattern, whether it stands in a class (``[…]``), and the mark before it."""
    in_class, previous = False, ""
    for match in _MARKS.finditer(pattern):
        yield match, in_class, previous
        previous = match[0]
        in_class = previous != "]" if in_class else previous == "["


def _for_python(pattern: str) -> Iterator[str]:
    for match, in_class, previous in _marks(pattern):
        mark = match[0]
        if match["escape"]:
            yield _escape(match["escape"], in_class=in_class)
        elif match["plain"] is None:
            yield _group(match)
        elif in_class:
            # "[" and doubled marks are set operations to come in re, plain characters in ECMA-262
            yield f"\\{mark}" if mark == "[" or (mark == previous and mark in "&|~-") else mark
        else:
            yield {"$": r"\Z", ".": r"[^\n]"}.get(mark, mark)


def _group(match: re.Match[str]) -> str:
    if match["group"]:
        return f"(?P<{match['group']}>"
    if match["control"]:
        return re.escape(chr(ord(match["control"]) % 32))
    return re.escape(chr(int(match["point"], 16)))


def _escape(letter: str, *, in_class: bool) -> str:
    kind = letter.lower()
    if letter in _NOT_ECMA:
        raise ValueError(f"\\{letter} is no escape of ECMA-262")
    if kind in _SETS and not (in_class and letter.isupper()):
        members = _SETS[kind]
        return members if in_class else f"[{'^' if letter.isupper() else ''}{members}]"
    if kind in _SETS:
        return {"D": r"\x00-/:-\U0010ffff", "W": r"\x00-/:-@\[-^`{-\U0010ffff"}.get(letter) or _not_space()
    if letter in _EDGES and not in_class:
        return _EDGES[letter]
    return f"\\{letter}"


def _not_space() -> str:
    return (
        r"\x00-\x08\x0e-\x1f!-\u009f\u00a1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff"
        r"\u3001-\ufefe\uff00-\U0010ffff"
    )
