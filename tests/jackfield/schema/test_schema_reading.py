"""Strings become values only where nothing is lost."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import strategies as st

from drawing import drawn
from jackfield.schema.plan import read_text

NUMBER = frozenset({"integer", "fraction"})
INTEGER = frozenset({"integer"})
BOOLEAN = frozenset({"boolean"})


@pytest.mark.parametrize(
    ("text", "kinds", "expected"),
    [
        ("true", BOOLEAN, True),
        ("False", BOOLEAN, False),
        (" TRUE\n", BOOLEAN, True),
        ("true", BOOLEAN | NUMBER, True),
        ("0", INTEGER, 0),
        ("-7", INTEGER, -7),
        (" 12\t", INTEGER, 12),
        ("1.0", INTEGER, 1),
        ("1e3", INTEGER, 1000),
        ("-2.50e1", INTEGER, -25),
        ("1" * 308, INTEGER, int("1" * 308)),
        ("1e307", INTEGER, 10**307),
        ("5", BOOLEAN | INTEGER, 5),
        ("1.5", NUMBER, 1.5),
        ("0.1", NUMBER, 0.1),
        ("1.0", NUMBER, 1.0),
        ("1e2", NUMBER, 100.0),
        ("3", NUMBER, 3),
        ("-0.0", NUMBER, -0.0),
        ("9007199254740993", NUMBER, 9007199254740993),
        ("1e308", NUMBER, 1e308),
        ("5e-324", NUMBER, 5e-324),
        ("1.10", NUMBER, 1.1),
    ],
)
def test_a_text_that_says_exactly_a_value_is_read(text: str, kinds: Any, expected: Any) -> None:
    """JSON's own spellings of booleans and numbers, blanks around them tolerated; booleans in any
    case.
    """
    value = read_text(text, kinds)
    assert (type(value), value, math.copysign(1, value) if type(value) is float else 1) == (
        type(expected),
        expected,
        math.copysign(1, expected) if type(expected) is float else 1,
    )


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("", NUMBER),
        ("yes", BOOLEAN),
        ("1", BOOLEAN),
        ("true", NUMBER),
        ("truefalse", BOOLEAN),
        ("01", INTEGER),
        ("+1", INTEGER),
        ("1.", NUMBER),
        (".5", NUMBER),
        ("1_000", INTEGER),
        ("1,5", NUMBER),
        ("0x10", INTEGER),
        ("NaN", NUMBER),
        ("Infinity", NUMBER),
        ("٣", INTEGER),
        ("1\u00a0", INTEGER),
        ("1 2", INTEGER),
        ("1.5", INTEGER),
        ("1e-1", INTEGER),
        ("--1", INTEGER),
        ("null", NUMBER),
        ("1e400", NUMBER),
        ("-1e400", NUMBER),
        ("1e-400", NUMBER),
        ("0.1000000000000000055511151231257827", NUMBER),
        ("9007199254740993.0", NUMBER),
        ("1" * 309, INTEGER),
        ("1e308", INTEGER),
        ("1e999999999999999999999", INTEGER),
        ("0e999999999999999999999", NUMBER),
        ("1" * 5000, NUMBER),
        (" " * 5000 + "1", NUMBER),
    ],
)
def test_a_text_that_would_lose_something_stays_a_text(text: str, kinds: Any) -> None:
    """No spelling that JSON does not have, no digit that a double cannot hold, no overflow."""
    assert read_text(text, kinds) is text


@drawn(st.floats(allow_nan=False, allow_infinity=False), few=150, many=500)
def test_every_double_is_read_back_from_its_own_digits(number: float) -> None:
    """What JSON writes for a double is read as that double."""
    assert read_text(repr(number), NUMBER) == number


@drawn(st.text(), st.sets(st.sampled_from(["boolean", "integer", "fraction"])), few=150, many=500)
def test_any_text_is_read_or_kept(text: str, kinds: set[str]) -> None:
    """Reading raises nothing: the answer is a value of an allowed kind or the text."""
    value = read_text(text, frozenset(kinds))
    assert value is text or isinstance(value, bool | int | float)
