"""No message ever holds a part of a secret."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import strategies as st

from drawing import drawn
from jackfield.kernel.errors import Detail
from jackfield.schema import CompiledSchema, compile_schema

SECRET = "Zq7"  # the characters that must not appear; no sentence, name or schema below holds them
RULES: list[dict[str, Any]] = [
    {"enum": ["a", "b"]},
    {"const": 1},
    {"minLength": 500},
    {"maxLength": 0},
    {"pattern": "^$"},
    {"not": {"pattern": "Z"}},
    {"format": "email"},
    {"format": "mailbox"},
    {"format": "mailbox-list"},
    {"format": "uri"},
    {"type": "integer"},
    {"type": "array"},
    {"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "null"}]},
    {"oneOf": [{"type": "string"}, {"minLength": 0}]},
    {"if": {"minLength": 1}, "then": {"maxLength": 1}},
    {"allOf": [{"$ref": "#/$defs/Short"}]},
    {"pattern": "^$", "x-jackfield": {"expects": "empty"}},
    {"propertyNames": {"maxLength": 1}},
    {"contains": {"type": "null"}},
    {"uniqueItems": True, "maxItems": 0},
    {"additionalProperties": {"type": "integer"}},
    {"items": {"pattern": "^$", "const": 3}},
    {"unevaluatedProperties": {"type": "integer"}},
    {"multipleOf": 7, "maximum": -1},
]
MARKS: list[dict[str, Any]] = [
    {"writeOnly": True},
    {"format": "password"},
    {"x-jackfield": {"sensitive": True}},
    {"x-jackfield": {"mask": "last4"}},
    {"$ref": "#/$defs/Secret"},
    {"allOf": [{"anyOf": [{"writeOnly": True}, True]}]},
]
SECRETS = st.builds(
    lambda before, after: before + SECRET + after,
    st.text("@.,x<\n ", max_size=6),
    st.text("@.io,ö>", max_size=6),
)
VALUES = (
    SECRETS
    | st.lists(SECRETS, max_size=3)
    | st.dictionaries(st.sampled_from(["p", "q"]), SECRETS, max_size=2)
    | st.just(7770777)
)


def schemas(rule: dict[str, Any], mark: dict[str, Any]) -> list[dict[str, Any]]:
    """Objects whose member ``v`` has the rule and, in one of many ways, the mark."""
    defs = {"$defs": {"Secret": {"writeOnly": True}, "Short": {"maxLength": 1}}}
    return [
        {"properties": {"v": {"allOf": [rule, mark]}}, **defs},
        {"properties": {"v": rule}, "allOf": [{"properties": {"v": mark}}], **defs},
        {"properties": {"v": rule}, "if": {"properties": {"v": mark}}, **defs},
        {"properties": {"v": rule}, **mark, **defs},
        {"patternProperties": {"^v$": {"allOf": [rule, mark]}}, **defs},
        {"additionalProperties": {"allOf": [mark, rule]}, **defs},
        {"unevaluatedProperties": {"allOf": [mark, rule]}, **defs},
        {
            "anyOf": [
                {"properties": {"v": rule}, "required": ["v"]},
                {"properties": {"v": mark}, "required": ["x"]},
            ],
            **defs,
        },
        {"dependentSchemas": {"v": {"properties": {"v": mark}}}, "properties": {"v": rule}, **defs},
    ]


@functools.cache
def every_schema() -> list[CompiledSchema]:
    """Each rule with each mark in each way, compiled: no work for who only collects tests."""
    return [
        compile_schema(schema) for rule in RULES for mark in MARKS for schema in schemas(rule, mark)
    ]


@drawn(VALUES, few=4, many=60)
def test_no_part_of_a_secret_is_quoted(value: Any) -> None:
    """Whatever marks it, wherever the mark stands, whichever rule it breaks: not three characters
    of a secret are in any Detail.
    """
    for compiled in every_schema():
        for detail in compiled.check({"v": value}).details:
            assert SECRET not in str(detail)
            assert "777" not in detail.message


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_without_a_mark_the_same_values_may_be_quoted(rule: dict[str, Any]) -> None:
    """The rules above do break for some value, so the property means something."""
    compiled = compile_schema({"properties": {"v": rule}, "$defs": {"Short": {"maxLength": 1}}})
    assert any(
        compiled.judge({"v": value})
        for value in (SECRET, [SECRET, SECRET], {SECRET: SECRET}, 7770777)
    )


@pytest.mark.parametrize(
    ("rule", "value", "message"),
    [
        ({"format": "mailbox"}, "jörg@x.io", "is not an email address"),
        ({"format": "mailbox-list"}, "ada", "is not a list of email addresses"),
        ({"enum": ["a", "b"]}, "c", "must be one of 'a' or 'b'"),
        ({"enum": ["a"]}, "c", "must be 'a'"),
        ({"const": "a"}, "c", "must be 'a'"),
        ({"pattern": "^a", "x-jackfield": {"expects": "a key"}}, "c", "is not a key"),
        ({"minLength": 8}, "c", "must be at least 8 characters long"),
        ({"type": "integer"}, 1.5, "must be a whole number"),
        ({"maximum": 3}, 4, "must be at most 3"),
        ({"multipleOf": 3}, 4, "must be a multiple of 3"),
        ({"not": {"const": "c"}}, "c", "is not allowed here"),
        ({"items": False}, [1], "must be empty"),
        ({"prefixItems": [True], "items": False}, [1, 2], "must be at most 1 item long"),
        ({"uniqueItems": True}, [1, 1], "must not contain an item twice"),
        ({"contains": {"type": "null"}}, [1], "must contain at least 1 item that is null"),
    ],
)
def test_a_secret_is_told_what_it_must_be(rule: dict[str, Any], value: Any, message: str) -> None:
    """For a secret the limits are told, its own value, length and likeness are not."""
    details = compile_schema({"properties": {"v": {"writeOnly": True, **rule}}}).judge({"v": value})
    assert [detail.message for detail in details] == [message]


def test_marks_on_items_cover_each_item() -> None:
    """Marks inside arrays count, by position, for the rest and in ``contains``."""
    schema = {
        "items": {
            "prefixItems": [{"writeOnly": True, "const": 1}],
            "items": {"x-jackfield": {"sensitive": True}, "const": 1},
        }
    }
    assert {detail.message for detail in compile_schema(schema).judge([["a", "b"]])} == {
        "must be 1"
    }


def test_unmarked_neighbours_of_a_secret_are_quoted() -> None:
    """A mark hides its own value only."""
    schema = {
        "properties": {"key": {"writeOnly": True, "const": 1}, "id": {"const": 1}},
        "additionalProperties": False,
    }
    assert compile_schema(schema).judge({"key": "k", "id": "i", "kee": "x"}) == (
        Detail("/key", "must be 1", "const"),
        Detail("/id", "must be 1, not 'i'", "const"),
        Detail("/kee", "'kee' is not an input; did you mean 'key'?", "additionalProperties"),
    )


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("http://user:SECRETPW@127.0.0.1:9", "'http://***@127.0.0.1:9'"),
        ("https://user:SEC/R#E?T@PW@example.com", "'https://***@example.com'"),
        (f"https://user:{'SECRETPW' * 9}@example.com", "'https://***@example.com'"),
        ("ada@example.com", "'ada@example.com'"),
    ],
)
def test_a_password_in_a_url_is_not_quoted(value: str, quoted: str) -> None:
    """Nobody marks a URL as secret, but its user name and password are; a long one is masked before
    it is cut.
    """
    (detail,) = compile_schema({"properties": {"v": {"pattern": "^$"}}}).check({"v": value}).details
    assert detail.message == f"{quoted} does not match the pattern '^$'"
