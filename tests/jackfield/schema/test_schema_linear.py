"""Every format and every pattern takes time linear in the text (security finding 2)."""

from __future__ import annotations

import pytest

from growth import grows_faster_than_linear
from jackfield.schema import compile_schema
from jackfield.schema.formats import FORMATS

UNITS = (
    "a",
    "1",
    "-",
    ".",
    "%41",
    "/",
    "~0",
    "{a}",
    "(",
    "[a",
    "a{9}",
    "ß.",
    "xn--",
    "1:",
    "::",
    "T",
    "a@",
    "(a|",
    "//",
    "中",
    "a\u0301",
    '",',
)
PREFIXES = ("", "http://", "P", "2026-01-01T", "a@")
PATTERNS = (
    "^(a+)+$",
    "(x+x+)+y",
    "^(?:a|aa)+$",
    r"\ba.*\bb",
    "(a|b)*c$",
    "[ab]*a[ab]{200}c",
    "(?=.*[A-Z])(?=.*[0-9]).{8,}",
    r"(a+)\1b",
)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_s2_every_format_takes_linear_time(name: str) -> None:
    """Fourfold text takes about fourfold time, whatever it repeats and begins with."""
    judge = compile_schema({"format": name}).judge
    slow = [
        (prefix, unit)
        for prefix in PREFIXES
        for unit in UNITS
        if grows_faster_than_linear(
            lambda size, prefix=prefix, unit=unit: judge(prefix + unit * (size // len(unit))),  # type: ignore[misc]
            10_000,
        )
    ]
    assert slow == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_s2_every_pattern_takes_linear_time(pattern: str) -> None:
    """Patterns that are exponential or quadratic in other engines are linear here, or judge texts
    of limited length.
    """
    for schema in ({"pattern": pattern}, {"pattern": pattern, "maxLength": 100}):
        judge = compile_schema(schema).judge
        for unit in ("a", "ab", "x", "A1", "é"):
            assert not grows_faster_than_linear(
                lambda size, unit=unit, judge=judge: judge(unit * (size // len(unit))),  # type: ignore[misc]
                100_000,
            )
