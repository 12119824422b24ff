"""Patterns mean what ECMA-262 says."""

from __future__ import annotations

import pytest

from jackfield.schema import compile_schema

# pattern, texts that match, texts that do not
PATTERNS: list[tuple[str, list[str], list[str]]] = [
    (r"^\d+$", ["3"], ["٣", "3\n", ""]),
    (r"^\D+$", ["a", "٣"], ["3"]),
    (r"^\w+$", ["a", "A", "_"], ["é", "\u017f", "\u212a", "-"]),
    (r"^[\W]$", ["é", "-"], ["a"]),
    (r"^\s+$", [" ", "\xa0", "\ufeff", "\u2028", "\u2003", "\t\n\r\v\f"], ["\x1c", "\x85", "a"]),
    (r"^[\S]$", ["a", "\x85"], [" ", "\ufeff"]),
    (r"\ba", ["a", "éa", "b a"], ["ba", "_a"]),
    (r"a\b", ["aé", "a-"], ["ab", "a3"]),
    (r"\Ba", ["ba"], ["a", "éa"]),
    (r"[\b]", ["\x08"], ["b", "a b"]),
    (r"\\b", ["a\\b"], ["a b"]),
    ("^a$", ["a"], ["a\n"]),
    ("^[[]$", ["["], ["]"]),
    ("^[a&&b]$", ["a", "b", "&"], ["|"]),
    (r"^\u00e9$", ["é"], ["É"]),
    (r"^\u{1F600}$", ["😀"], ["a"]),
    (r"^\cA$", ["\x01"], ["A"]),
    (r"^(a)\1$", ["aa"], ["a"]),
    (r"(?<=a)b", ["ab"], ["b"]),
    (r"^(?<year>\d)$", ["9"], ["a"]),
    (r"^\p{L}$", ["é"], ["3"]),
]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"), PATTERNS, ids=lambda item: ascii(item)[:30]
)
def test_patterns_mean_what_ecma_262_says(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    r"""``\d``, ``\w`` and ``\b`` are ASCII, ``$`` is the very end, ``\s`` knows Unicode's
    blanks.
    """
    compiled = compile_schema({"pattern": pattern})
    assert [text for text in (*matching, *others) if not compiled.judge(text)] == matching
    if "(?<=" in pattern or r"\1" in pattern:  # refused for names
        return
    names = compile_schema({"patternProperties": {pattern: True}, "additionalProperties": False})
    assert [text for text in (*matching, *others) if not names.judge({text: 1})] == matching


def test_the_authors_pattern_is_shown() -> None:
    """A message shows the pattern as its author wrote it."""
    (detail,) = compile_schema({"pattern": r"^a\b"}).judge("b")
    assert detail.message == r"'b' does not match the pattern '^a\b'"


@pytest.mark.parametrize("closing", ["additionalProperties", "unevaluatedProperties"])
def test_names_are_matched_like_texts(closing: str) -> None:
    """What ``patternProperties`` knows is neither additional nor unevaluated."""
    compiled = compile_schema({"patternProperties": {r"^\d$": True}, closing: False})
    assert {detail.path for detail in compiled.judge({"1": 1, "٣": 1, "1\n": 1})} == {"/٣", "/1\n"}
