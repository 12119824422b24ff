"""ECMA-262 patterns match the same in both engines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield.schema import compile_schema
from jackfield.schema.patterns import compiled, for_python

PATTERNS = [
    "^a$", "^.$", r"^\d+$", r"^\D+$", r"^\w+$", r"^\W+$", r"^\s+$", r"^\S+$", r"^[\d]$", r"^[^\d]$", r"^[\D]$", r"^[\W]$", r"^[\S]$",
    r"^[\s\S]$",
    r"^[\w.-]+$", r"\ba", r"a\b", r"\Ba", "^[[]$", "^[a&&b]$", "^[a||b~~]$", "^[+--]$", r"^\u00e9$", r"^\u{1F600}$", r"^\x41$", r"^\cA$",
    r"^\/$",
    r"^[\]$]$", r"^[$.]$", r"^\$$", r"^(?:a|b)$", "^(?=a)", "^(?!a)", "(?<=a)b", "(?<!a)b", r"^(a)\1$", "^a{2}$", r"^\t\n\r\v\f$",
    "a|^$", r"[\b]", "", "^-?$",
]  # fmt: skip
TEXTS = [
    "", "a", "b", "aa", "ab", "a\n", "\n", "\r", "\u2028", "é", "É", "٣", "3", "A", " ", "\xa0", "\ufeff", "\x1c", "\x85", "\u2003", "_",
    "-", "[", "]",
    "&", "|", "~", "+", ",", "$", ".", "/", "\x01", "😀", "\t\n\r\v\f", "aé", "a b", "\x08", "\u017f", "K",
]  # fmt: skip
ENGINES: list[Any] = ["rs", "python"]
COMPILED = {pattern: [compile_schema({"pattern": pattern}, engine=engine) for engine in ENGINES] for pattern in PATTERNS}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_both_engines_find_the_same_matches(pattern: str) -> None:
    r"""``\d``, ``\w`` and ``\b`` are ASCII, ``$`` is the very end, ``\s`` knows Unicode's blanks, whichever engine judges."""
    rust, python = COMPILED[pattern]
    assert [(text, rust.judge(text)) for text in TEXTS] == [(text, python.judge(text)) for text in TEXTS]


@settings(max_examples=300, deadline=None, database=None)
@given(st.sampled_from(PATTERNS), st.text(max_size=4))
def test_they_agree_on_any_text(pattern: str, text: str) -> None:
    """No character of Unicode makes them differ."""
    rust, python = COMPILED[pattern]
    assert rust.judge(text) == python.judge(text)


@pytest.mark.parametrize("engine", ENGINES)
def test_names_are_matched_like_texts(engine: Any) -> None:
    """``patternProperties`` uses the same dialect, and what it knows is neither additional nor unevaluated."""
    for closing in ("additionalProperties", "unevaluatedProperties"):
        compiled_schema = compile_schema({"patternProperties": {r"^\d$": True}, closing: False}, engine=engine)
        assert [detail.path for detail in compiled_schema.judge({"1": 1, "٣": 1, "1\n": 1})] == ["/٣", "/1\n"]


def test_named_groups_are_ecmas() -> None:
    """ECMA-262 writes ``(?<year>…)``."""
    assert for_python(r"(?<year>\d)") == "(?P<year>[0-9])"
    assert compiled(r"^(?<year>\d)\1$").search("99")


@pytest.mark.parametrize("pattern", [r"\Z", r"\a", r"(?<n>a)\k<n>", "(", "[", "*", r"\p{L}", "a{99999999999999999999}", "(" * 5000])
def test_what_python_cannot_read_is_refused(pattern: str) -> None:
    r"""An unknown escape or a broken pattern is a ValueError, nothing else.

    ``\p{…}`` is the one known difference between the engines: jsonschema-rs reads it, Python's ``re`` cannot, so that a schema with
    it is refused at once where only jsonschema is installed, instead of judged differently.
    """
    with pytest.raises(ValueError, match=r"\S"):
        compiled(pattern)
