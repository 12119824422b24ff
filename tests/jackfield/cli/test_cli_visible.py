"""Characters that are not seen, or that reorder others, are seen wherever somebody decides: as
escapes that are read back as they were.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield.cli.output import Output
from jackfield.kernel.hidden import has_hidden, hidden_parts, trimmed, visible, without_hidden
from jackfield.kernel.scripts import mixed_words
from jackfield_service.shell.pages.layout.components import json_text
from jackfield_service.subjects.mcp.tool_results import _encoded

pytest_plugins = ["shell_fixture"]

ODD = st.sampled_from(
    "\u202e\u2066\u200b\u200d\u00ad\u2028\u2029\ue000\u3164\u2800\u034f\ufeff\x7f\x85\x00\n\U000e0041\U000f0001\ufe01a\u0430"
)
TEXTS = st.text(st.one_of(ODD, st.characters(exclude_categories=["Cs"])), max_size=20)
SCALARS = TEXTS | st.integers() | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


def written(value: Any, *, whole: bool) -> str:
    """What the command line writes, on one line or indented."""
    before, sys.stdout = sys.stdout, StringIO()
    try:
        output = Output(one_line=not whole)
        output.value(value)
        return sys.stdout.getvalue()
    finally:
        sys.stdout = before


@settings(deadline=None)  # the machine may be busy
@given(VALUES)
def test_json_that_is_shown_is_equal(value: Any) -> None:
    """Of the console, of the command line and of MCP: what is read of it is the value, and nothing
    in it is hidden.
    """
    for text in (
        json_text([value]),
        written([value], whole=False),
        written([value], whole=True),
        _encoded({"": value})[1],
    ):
        found = json.loads(text)
        assert (found[0] if isinstance(found, list) else found[""]) == value
        assert not has_hidden(text, kept="\n")


def test_every_hidden_character_is_known() -> None:
    """Those that Unicode calls control, format, private and separating ones, and letters that show
    nothing.
    """
    categories = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    every = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in categories
    ]
    assert [f"{ord(one):x}" for one in every if not has_hidden(one)] == []
    assert all(has_hidden(one) for one in "\u3164\u2800\u034f\u115f\u1160\uffa0\ufe00\U000e0100")
    assert not has_hidden(
        "Zo\u00eb \u00dcnal, \u6771\u4eac, \u043f\u0440\u0438\u043c\u0435\u0440, \u05e9\u05dc, "
        "\U0001f44d\U0001f3fd \u2764\ufe0f e\u0301"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bob\u202e\u2066gnp", "bob\\u202e\\u2066gnp"),
        ("pay\u200bpal", "pay\\u200bpal"),
        ("x\U000e0041", "x\\udb40\\udc41"),
        ("a\nb", "a\nb"),
        ("\x1b[31m", "\\u001b[31m"),
    ],
)
def test_a_text_that_is_shown(text: str, shown: str) -> None:
    """Each hidden character is its escape, at its place; without them it has lost them."""
    assert visible(text) == shown
    assert not has_hidden(without_hidden(text))
    assert "".join(hidden_parts(text, kept="")) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("p\u0430yp\u0430l", r"p\u0430yp\u0430l"),
        ("\u0430p", r"\u0430p"),
        ("b\u03bfb \u6771\u4eacTower", "b\\u03bfb \u6771\u4eacTower"),
        ("a\n\u041f\u0440\u0438", "a\\n\u041f\u0440\u0438"),
        ("\np\u0430y", r"\np\u0430y"),
        ("\\n\u043f\u0440", r"\\n\u043f\u0440"),
        ("\u202e\u0418\u0432\u0430\u043d", "\\u202e\u0418\u0432\u0430\u043d"),
        ("\u0418\u0432\u0430, Bob", "\u0418\u0432\u0430, Bob"),
        ("na\u00efve \u0438 \u0430\u00e9", "na\u00efve \u0438 \\u0430\u00e9"),
    ],
)
def test_json_of_the_command_line_tells_alphabets_apart(text: str, shown: str) -> None:
    """In a word with Latin letters, those of Cyrillic or Greek are escapes; words of one alphabet
    are as they were.
    """
    assert written(text, whole=False) == f'"{shown}"\n'
    assert json.loads(written({text: [text]}, whole=True)) == {text: [text]}


def test_joiners_stay_where_a_script_needs_them() -> None:
    """On pages: in emoji and Persian, not between Latin letters."""
    assert [
        len(hidden_parts(text))
        for text in (
            "\U0001f468\u200d\U0001f469\u200d\U0001f467",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "pay\u200dpal",
        )
    ] == [1, 1, 3]


def test_words_of_several_alphabets() -> None:
    """Latin with Cyrillic or Greek in one word; not beside each other in a sentence."""
    assert mixed_words("p\u0430ypal for \u0418\u0432\u0430\u043d, b\u03bfb") == [
        "p\u0430ypal",
        "b\u03bfb",
    ]
    assert (
        mixed_words(
            "\u041f\u0440\u0438\u0432\u0435\u0442, Bob! Zo\u00eb na\u00efve "
            "\u03a9\u03bc\u03ad\u03b3\u03b1 \u6771\u4eacTower"
        )
        == []
    )


def test_ends_that_are_not_seen() -> None:
    """Of both ends everything that is not seen is cut, and nothing within."""
    assert [
        trimmed(text) for text in ("\ufeff \u200ba b\u00a0\n", "\u3164", "", "ab", "\u00df ")
    ] == ["a b", "", "", "ab", "\u00df"]
