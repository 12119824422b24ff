r"""Regular expressions of schemas, sorted by the cost of searching a text for them.

Nearly all are searched by an engine whose time is linear in the text. Two kinds are not: patterns
with look-around or back-references, for which only a backtracking engine exists, and patterns so
large that each character costs microseconds. They become a format (``SLOW`` and the pattern), which
jackfield judges itself, and only on texts of limited length.

``\b`` is spelt out, because the engines use Unicode word boundaries and ECMA-262 ASCII ones.

The patterns of the code itself are for Python's ``re``, which backtracks and holds the
interpreter's lock. tests/house/test_house_patterns.py finds them all and counts their steps. A new
one is written by these rules:

- A repeated part matches a text in one way only: ``(?:[^"\\]|\\.)*``, not ``.*?``. No two
  alternatives of it begin alike, and what follows it begins with something else.
- It gives nothing back, if it needs not: ``*+`` and ``++`` after a character, ``(?>(?:…)*)`` around
  a group. A group that is repeated possessively matches wrongly in CPython before 3.11.5
  (gh-106052).
- A search does not read the same text from each position on. An unterminated string takes the rest
  (``(?:"|\Z)``), or each quote would be read up to the end again.
- Texts with gaps between them come from ``kernel.gaps``.
- A header field of a response is first asked for its length (``wire.head.parsable_field``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs as rs

from jackfield.kernel.dataclass import dataclass

MAX_LOOKAROUND: Final = 1_000
"""Maximum length, in characters, of a text for a pattern with look-around or back-references: a
search takes at most 5 ms.
"""
MAX_LARGE: Final = 4_096
"""Maximum length, in characters, of a text for a pattern whose compiled form is larger than 256
KiB.
"""
MAX_SQUARES: Final = 20_000_000
"""Maximum sum of the squared lengths of all texts of a value that slow patterns judge: 20 of the
longest texts, 80 ms in total.
"""
MAX_SLOW: Final = 200
MAX_SLOW_LARGE: Final = 16
"""Limits of the number of one connector's patterns that are not linear, and that compile to more
than 256 KiB. A service of AWS has at most 10.
"""
SLOW: Final = "jackfield:pattern:"
"""Prefix of the format that represents a slow pattern."""

_LEFT: ContextVar[list[int]] = ContextVar("slow patterns")
_SMALL_SIZE = 64 << 10
_LINEAR_SIZE = 256 << 10
_LARGE_WEIGHT = 32
_BACKTRACKS = 100_000
_WORD = "0-9A-Za-z_"
_EDGE = f"(?:(?<![{_WORD}])(?=[{_WORD}])|(?<=[{_WORD}])(?![{_WORD}]))"
_LOOKING = {"b": _EDGE, "B": f"(?!{_EDGE})"}
_LINEAR = {"b": r"(?-u:\b)", "B": r"(?-u:\B)"}
_MARKS = re.compile(r"\\.|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Pattern for the engine: ``text``; ``weight`` in steps of ``schema.cost``; ``limit``, the
    maximum length of a text that it judges.
    """

    text: str
    weight: int
    limit: int | None
    looks_around: bool = False

    def finds(self, text: str) -> bool:
        """Return True if the text is short enough for the pattern and the pattern occurs in it."""
        return len(text) <= (self.limit or len(text)) and _searched(
            self.text, None if self.limit is None else self.looks_around
        )(text)


def dear_patterns(patterns: Iterable[str]) -> str | None:
    """Return the first pattern at which the slow patterns exceed their limit, None if they do not.
    Compiling more would take too long. Only patterns that take at most a millisecond are compiled.

    A large pattern with look-around takes up to 60 ms: a wheel of 7 kB with a thousand of them took
    a minute to verify.
    """
    slow = large = 0
    for pattern in dict.fromkeys(patterns):
        if not _takes(_spelt(pattern, _LINEAR), rs.RegexOptions(size_limit=_LINEAR_SIZE)):
            slow += 1
            large += not _takes(
                _spelt(pattern, _LOOKING), rs.FancyRegexOptions(size_limit=_LINEAR_SIZE)
            )
        if slow > MAX_SLOW or large > MAX_SLOW_LARGE:
            return pattern
    return None


@lru_cache(maxsize=4096)
def sorted_pattern(pattern: str) -> Pattern:
    """Return a pattern in the engines' form, for the cheapest engine that accepts it. It takes up
    to some milliseconds, once per pattern.

    A pattern that no engine accepts counts as linear: the engine refuses it with its own message
    when it compiles the schema.
    """
    linear, looking = _spelt(pattern, _LINEAR), _spelt(pattern, _LOOKING)
    for size, weight in ((_SMALL_SIZE, 1), (_LINEAR_SIZE, _LARGE_WEIGHT)):
        if _takes(linear, rs.RegexOptions(size_limit=size)):
            return Pattern(linear, weight, None)
    if _takes(linear, rs.RegexOptions()):
        return Pattern(linear, _LARGE_WEIGHT, MAX_LARGE)
    if _takes(looking, rs.FancyRegexOptions()):
        return Pattern(looking, _LARGE_WEIGHT, MAX_LOOKAROUND, looks_around=True)
    return Pattern(pattern, 1, None)


def begin_slow() -> None:
    """Start to judge one value: reset the budget of its texts to ``MAX_SQUARES``."""
    _LEFT.set([MAX_SQUARES])


def slow_is_spent() -> bool:
    """Return True if the texts of the value exceeded its budget, so that some were not judged."""
    left = _LEFT.get(None)
    return left is not None and left[0] < 0


def slow_format(name: str) -> tuple[str, Callable[[str], bool]]:
    """Return the format of a slow pattern, with the function that checks it within the value's
    budget.
    """
    finds = sorted_pattern(name.removeprefix(SLOW)).finds

    def holds(text: str) -> bool:
        left = _LEFT.get(None)
        if left is None or len(text) > MAX_LARGE:
            return finds(text)
        left[0] -= len(text) ** 2
        return left[0] >= 0 and finds(text)

    return name, holds


def _takes(pattern: str, options: Any) -> bool:
    try:
        rs.Draft202012Validator({"pattern": pattern}, pattern_options=options)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def _searched(pattern: str, looks_around: bool | None) -> Callable[[str], bool]:
    options = (
        rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS) if looks_around else rs.RegexOptions()
    )
    found: Callable[[str], bool] = rs.Draft202012Validator(
        {"pattern": pattern}, pattern_options=options
    ).is_valid
    return found


def _spelt(pattern: str, edges: dict[str, str]) -> str:
    r"""Return a pattern with ``\b`` and ``\B`` in ECMA-262's meaning: between ASCII letters only;
    in a class ``\b`` is a backspace.
    """
    if "\\b" not in pattern and "\\B" not in pattern:
        return pattern
    parts, in_class = [], False
    for mark in _MARKS.findall(pattern):
        edge = edges.get(mark[1:]) if mark[0] == "\\" else None
        parts.append(mark if edge is None else r"\x08" if in_class else edge)
        in_class = mark != "]" if in_class else mark == "["
    return "".join(parts)
