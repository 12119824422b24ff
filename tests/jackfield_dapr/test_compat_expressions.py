"""``${ … }``: expressions of jq over the input and variables, with faults that name places and no
values.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_formats.expression import ExpressionError, check, evaluate, substitute

DATA = {
    "name": "Kim",
    "user": {"email": "kim@rcpt.test", "roles": ["dev", "ops"], "a b": 1},
    "count": 3,
    "half": 0.5,
    "off": False,
    "none": None,
    "list": [1, 2],
}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (".user.email", "kim@rcpt.test"),
        ('.user."a b"', 1),
        (".user.roles[-1]", "ops"),
        (".absent.deeper", None),
        (".absent // .off // 5", 5),
        ('"a\\(.name)b\\(.count + 1)"', "aKimb4"),
        ('"\\(.user.roles)"', '["dev","ops"]'),
        ("[.name, .count, [.half]]", ["Kim", 3, [0.5]]),
        ("null + 1", 1),
        ('.half < .count and .name >= "Kil"', True),
        (".off or .count > 2 | not", False),
        ("if .off then 1 elif .count == 3 then 2 else 3 end", 2),
    ],
)
def test_an_expression_gives_its_value(text: str, result: object) -> None:
    """Paths, alternatives, texts, lists, comparisons and conditions give values of their own
    type.
    """
    assert evaluate(text, DATA, {}) == result


def test_texts_may_be_in_single_quotes() -> None:
    """Single quotes are quotes, as the original reads them; an apostrophe in double quotes stays
    one.
    """
    assert evaluate("'a' + \"it's\"", {}, {}) == "ait's"


def test_variables_are_what_is_given() -> None:
    """A variable is looked up by its name, and an unknown one is an error."""
    assert evaluate("$context.user.email", {}, {"context": DATA}) == "kim@rcpt.test"
    with pytest.raises(ExpressionError, match=r"\$other is not defined"):
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
def test_all_of_jq_works(text: str, result: object) -> None:
    """Functions, objects and arithmetic of jq work, with variables too."""
    assert evaluate(text, DATA, {"context": DATA}) == result


@pytest.mark.parametrize(
    "text",
    [
        ".list[]",
        "range(infinite)",
        "repeat(1)",
        "empty",
        ".name | error",
        ".name | [explode[]] | .x",
    ],
)
def test_one_value_is_expected(text: str) -> None:
    """An expression that gives no value, several, an endless stream or an error is an error."""
    with pytest.raises(ExpressionError, match=r"values; one is expected|cannot be|no members"):
        evaluate(text, DATA, {})


def test_without_jq_the_error_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the error names it."""
    monkeypatch.setitem(sys.modules, "jq", None)
    with pytest.raises(ExpressionError, match=r"pip install 'jackfield\[workflow\]'"):
        evaluate(".list | add / 3.0", DATA, {})
    with pytest.raises(ExpressionError, match=r"pip install"):
        substitute("a ${ .name | length }", DATA, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (".name.x", "a text has no members named by a text"),
        (".list.x", "a list has no members named by a text"),
        (".user[0]", "an object has no members named by a number"),
        (".user[true]", "an object has no members named by a boolean"),
        (".name + 1", "a text and a number cannot be added"),
        (".name[]", "a text cannot be iterated over"),
        (".name | error", "it cannot be evaluated"),
    ],
)
def test_faults_tell_kinds_and_no_values(text: str, says: str) -> None:
    """What does not fit is told with the expression, and without any value."""
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, DATA, {})
    assert says in str(caught.value)
    assert "Kim" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "${ ( }",
        '${ "a }',
        "${ .a + }",
        "${ if }",
        "${ .a b }",
        "${ [1, }",
        '${ "\\q" }',
        "${ @ }",
        '${ "\\(1" }',
        "${ . . }",
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    """A check finds an expression that cannot be read, without evaluating anything."""
    with pytest.raises(ExpressionError, match="cannot be read"):
        check({"a": [text]})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${   .a | nosuch }", "nosuch/0 is not defined at column 6"),
        ("${ {a: } }", "syntax error, unexpected '}' at column 5"),
        ("${ .a |\n nosuch }", "nosuch/0 is not defined at line 2, column 2"),
        ("${ .a + }", "it ends too early, or a bracket is closed that was not opened"),
    ],
)
def test_a_fault_of_jq_has_its_place_in_what_was_written(text: str, says: str) -> None:
    """Columns count from the expression's first letter, and the field that it stands in is
    named.
    """
    with pytest.raises(ExpressionError) as caught:
        check({"a": [{"b": text}]})
    assert str(caught.value).startswith("a[0].b: the expression ")
    assert str(caught.value).endswith(f" cannot be read: {says}")


@pytest.mark.parametrize(
    "text", ["(" * 5000 + "1" + ")" * 5000, "1" + " + 1" * 5000, "[" * 8000, "{a:" * 2000]
)
def test_endless_expressions_come_to_an_end(text: str) -> None:
    """Depth and length are bounded."""
    with pytest.raises(ExpressionError):
        evaluate(text, {}, {})


def test_a_whole_text_keeps_its_kind_and_a_part_becomes_text() -> None:
    """An expression that is all of a text gives its value, one inside of it gives text; what is
    none stays.
    """
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


@pytest.mark.parametrize("text", ["env.NAME", "$ENV.NAME", "def all: env; all.NAME", "env | .[$k]"])
def test_expressions_read_no_variable_of_our_own(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workflow could send the master key to its author: jq reads the whole environment of the
    process.
    """
    for name, result in (("JACKFIELD_MASTER_KEY", None), ("DESK", "hush-4711")):
        monkeypatch.setenv(name, "hush-4711")
        assert evaluate(text.replace("NAME", name), {}, {"k": name}) == result


@pytest.mark.parametrize(
    "text", ["as ${env} says", "${HOME}/x", "at ${now}.", "a ${ b c } d", "cost ${ .name"]
)
def test_what_is_no_expression_stays_inside_a_text(text: str) -> None:
    """Bare words, though some are functions of jq, and texts that cannot be read stay as they
    are.
    """
    assert substitute(text, DATA, {}) == text


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    """No text makes the reader fail in any other way."""
    with suppress(ExpressionError):
        substitute(f"${{ {text} }}", DATA, {})
