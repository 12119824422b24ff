"""Short texts for patterns: what is made matches, by the validator that judges the examples."""

from __future__ import annotations

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jackfield_openapi.shortest import shortest


@pytest.mark.parametrize(
    ("pattern", "least"),
    [
        ("^AC[0-9a-fA-F]{32}$", 0),
        (r"^(foo|bar)-\d{3}$", 0),
        (r"^arn:aws[a-z-]*:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$", 40),
        (r"^[^\s]{2,}$", 8),
        ("^#(?:[0-9a-f]{3}){1,2}$", 5),
        (r"^\p{L}+$", 3),
        (r"^[\w.-]+@[\w.-]+\.\w{2,4}$", 0),
        ("^$|^[A-Z]{3}$", 0),
        (r"^\u0041\x42[^aA0-]$", 0),
        ("^[-+]?[0-9]+?$", 4),
        (r"\S", 0),
        ("a|b|", 1),
    ],
)
def test_the_text_matches(pattern: str, least: int) -> None:
    """The text fits the pattern, has the length, and is not much longer than needed."""
    made = shortest(pattern, least)
    assert made is not None
    assert jsonschema_rs.Draft202012Validator({"pattern": pattern, "minLength": least}).is_valid(
        made
    )
    assert len(made) <= max(40, least + 3)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)b",
        r"(a)\1",
        "[]",
        "(a",
        "a)",
        "[a",
        "\\",
        "((a{999}){999}){999}",
        "(" * 5000,
        r"\u12",
        r"\P{L}",
    ],
)
def test_others_are_given_up(pattern: str) -> None:
    """What is not understood, broken or too long gives no text, at once."""
    assert shortest(pattern) is None


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(
    pattern=st.text(alphabet="ab01^$.[](){}|\\-,?*+dwsWpu:", max_size=40), least=st.integers(0, 50)
)
def test_any_text_may_be_a_pattern(pattern: str, least: int) -> None:
    """No pattern is an error, or gives a text of more than some thousand characters."""
    made = shortest(pattern, least)
    assert made is None or len(made) <= 10_000
