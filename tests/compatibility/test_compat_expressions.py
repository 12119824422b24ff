"""``${ … }``: our own evaluator says what jq says, and hands on to jq what is beyond it."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import jq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield.connections.foreign.expression import ExpressionError, check, evaluate, substitute

DATA = {
    "name": "Kim",
    "user": {"email": "kim@rcpt.test", "roles": ["dev", "ops"], "a b": 1},
    "count": 3,
    "half": 0.5,
    "off": False,
    "none": None,
    "list": [1, 2],
}
OURS = [
    ".",
    ".name",
    ".user.email",
    '.user["email"]',
    '."name"',
    '.user."a b"',
    ".user.roles[0]",
    ".user.roles[-1]",
    ".user.roles[9]",
    '.["name"]',
    ".absent",
    ".absent.deeper",
    '.none // "x"',
    '.off // "x"',
    ".absent // .none // 5",
    '"a\\(.name)b\\(.count + 1)"',
    '"\\(.user.roles)"',
    '"quote \\" slash \\\\ line \\n tab \\t \\u00e9"',
    "[.name, .count, [.half]]",
    "[]",
    ".count + 1",
    '.name + "!"',
    '.user.roles + ["x"]',
    "null + 1",
    ".absent + 1",
    ".count == 3",
    ".count != 3",
    '.half < .count and .name >= "Kil"',
    ".off or .count > 2",
    ".off | not",
    '.name | . + "x"',
    "if .off then 1 else 2 end",
    "if .off then 1 elif .count == 3 then 2 else 3 end",
    "if .off then 1 end | .name",
    "(.count + 1) == 4",
    "-1",
    "true",
    "1.5",
]


@pytest.mark.parametrize("text", OURS)
def test_our_evaluator_agrees_with_jq(text: str) -> None:
    """Each form that we evaluate ourselves comes to what jq makes of it."""
    assert evaluate(text, DATA, {}) == jq.first(text, DATA)


def test_texts_may_be_in_single_quotes() -> None:
    """Single quotes are quotes, as the original reads them; an apostrophe in double quotes stays one."""
    assert evaluate("'a' + \"it's\"", {}, {}) == "ait's"


def test_variables_are_what_is_given() -> None:
    """A variable is looked up by its name, and an unknown one is an error."""
    assert evaluate("$context.user.email", {}, {"context": DATA}) == "kim@rcpt.test"
    with pytest.raises(ExpressionError, match=r"'\$other' is not defined"):
        evaluate("$other", {}, {"context": DATA})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (".list | map(. + 1)", [2, 3]),
        ('.user.roles | join(", ")', "dev, ops"),
        ("'x' | ascii_upcase", "X"),
        ("{a: .name}", {"a": "Kim"}),
        ("[$context.list[] | select(. > 1)]", [2]),
        (".count * 2 - 1", 5),
    ],
)
def test_more_than_that_is_jq_s(text: str, result: object) -> None:
    """With the extra jq every expression of jq works, variables too."""
    assert evaluate(text, DATA, {"context": DATA}) == result


@pytest.mark.parametrize("text", [".list[]", "empty", ".name | error", ".name | explode | .x"])
def test_one_value_is_expected(text: str) -> None:
    """An expression of jq that gives none, several or an error is an error."""
    with pytest.raises(ExpressionError, match=r"values where one is expected|cannot be evaluated"):
        evaluate(text, DATA, {})


def test_without_jq_the_error_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the error names it."""
    monkeypatch.setitem(sys.modules, "jq", None)
    with pytest.raises(ExpressionError, match="needs the extra 'jq'"):
        evaluate(".list | add / 3", DATA, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (".name.x", "a text has no members that a text would name"),
        (".list.x", "a list has no members that a text would name"),
        (".user[0]", "an object has no members that a number would name"),
        (".user[true]", "no members that a boolean would name"),
        (".name + 1", "a text and a number cannot be added"),
        (".name < 1", "a text and a number have no order"),
    ],
)
def test_faults_tell_kinds_and_no_values(text: str, says: str) -> None:
    """What does not fit is told with the expression, and without any value."""
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, DATA, {})
    assert says in str(caught.value)
    assert "Kim" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["${ ( }", '${ "a }', "${ .a + }", "${ if }", "${ .a b }", "${ [1, }", '${ "\\q" }', "${ @ }", '${ "\\(1" }', "${ . . }"]
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    """Neither we nor jq can read it; a check finds it without evaluating anything."""
    with pytest.raises(ExpressionError, match="cannot be read"):
        check({"a": [text]})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${   .a | nosuch }", "nosuch/0 is not defined at column 6"),
        ("${ {a: } }", "syntax error, unexpected '}' at column 5"),
        ("${ .a |\n nosuch }", "nosuch/0 is not defined at line 2, column 2"),
        ("${ .a + }", "it ends too soon, or closes what it has not opened"),
    ],
)
def test_a_fault_of_jq_has_its_place_in_what_was_written(text: str, says: str) -> None:
    """Columns count from the expression's first letter, and the field that it stands in is named."""
    with pytest.raises(ExpressionError) as caught:
        check({"a": [{"b": text}]})
    assert str(caught.value).startswith("a[0].b: the expression ")
    assert str(caught.value).endswith(f" cannot be read: {says}")


@pytest.mark.parametrize("text", ["(" * 300 + "1" + ")" * 300, "1" + " + 1" * 5000, "[" * 5000])
def test_endless_expressions_come_to_an_end(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Depth and length are bounded."""
    monkeypatch.setitem(sys.modules, "jq", None)
    with pytest.raises(ExpressionError):
        evaluate(text, {}, {})


def test_a_whole_text_keeps_its_kind_and_a_part_becomes_text() -> None:
    """An expression that is all of a text gives its value, one inside of it gives text; what is none stays."""
    given = {"n": 1, "s": "x", "nothing": None}
    value = {
        "whole": " ${ .n } ",
        "part": "a ${ .n } b ${ .s }${ .nothing }",
        "plain": "$5 {x}",
        "other": "cost: ${HOME} ok",
        "list": ["${ .s }"],
        "n": 5,
    }
    assert substitute(value, given, {}) == {
        "whole": 1,
        "part": "a 1 b x",
        "plain": "$5 {x}",
        "other": "cost: ${HOME} ok",
        "list": ["x"],
        "n": 5,
    }
    assert substitute("a ${ .n }", given, {}, embedded=False) == "a ${ .n }"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=5,
)
LEAVES = st.sampled_from([".", ".a", ".b.a", '"x"', "1", "null", "true", "[]", ".[0]", '"\\(.)"', '"\\(.a)"'])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "//", "==", "and", "or", "|"]), inner).map(lambda part: f"({part[0]} {part[1]} {part[2]})"),
        inner.map(lambda part: f"[{part}]"),
        st.tuples(inner, inner, inner).map(lambda part: f"(if {part[0]} then {part[1]} else {part[2]} end)"),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, JSON)
def test_any_expression_comes_to_what_jq_says(text: str, value: Any) -> None:
    """Whatever is composed of what we know, over any value, we and jq agree; where jq fails we fail, too."""
    try:
        wanted = jq.first(text, value)
    except ValueError:
        with pytest.raises(ExpressionError):
            evaluate(text, value, {})
    else:
        assert evaluate(text, value, {}) == wanted


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    """No text makes the reader fail in any other way."""
    with suppress(ExpressionError):
        substitute(f"${{ {text} }}", DATA, {})
