"""What each keyword says, word for word; in which order is the engine's affair."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from jackfield.kernel.errors import MAX_DETAILS, Detail
from jackfield.schema import compile_schema

AB = {"anyOf": [{"required": ["text"]}, {"required": ["html"]}]}
ONE = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
FILE = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "required": ["data"],
            "properties": {"data": {"type": "string"}},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string"}},
            "additionalProperties": False,
        },
    ]
}
SHAPE = {
    "oneOf": [
        {
            "type": "object",
            "required": ["kind", "radius"],
            "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}},
        },
        {
            "type": "object",
            "required": ["kind", "side"],
            "properties": {"kind": {"const": "square"}, "side": {"type": "number"}},
        },
    ]
}
FORM_A, FORM_B = (
    {
        "allOf": [
            {"properties": {"name": {"type": "string"}}},
            {"type": "object", "properties": {"d": form}, "required": ["d"]},
        ],
        "unevaluatedProperties": False,
    }
    for form in (
        {"properties": {name: {"type": "string"}}, "additionalProperties": False}
        for name in ("s", "p")
    )
)
TWELVE = [f"v{number}" for number in range(12)]

# schema of the member "v", its value, then where (below /v), what, and which keyword
MEMBERS: list[tuple[Any, Any, list[tuple[str, str, str | None]]]] = [
    ({"type": "string"}, 3, [("", "must be a string, not a number", "type")]),
    ({"type": "string"}, None, [("", "must be a string, not null", "type")]),
    ({"type": "boolean"}, "x", [("", "must be true or false, not a string", "type")]),
    ({"type": "number"}, "x", [("", "must be a number, not a string", "type")]),
    ({"type": "number"}, "1,50", [("", "must be a number, not '1,50': write 1.50", "type")]),
    (
        {"type": "number"},
        "1.234,56",
        [("", "must be a number, not '1.234,56': write 1234.56", "type")],
    ),
    (
        {"type": "number"},
        "1,234",
        [("", "must be a number, not '1,234': write 1234, or 1.234 with a point", "type")],
    ),
    (
        {"type": "integer"},
        "1,234,567",
        [("", "must be a whole number, not '1,234,567': write 1234567", "type")],
    ),
    (
        {"type": "integer", "format": "password", "writeOnly": True},
        "1,5",
        [("", "must be a whole number, not a string", "type")],
    ),
    ({"type": "integer"}, 1.5, [("", "must be a whole number, not 1.5", "type")]),
    ({"type": "integer"}, [], [("", "must be a whole number, not an array", "type")]),
    (
        {"type": ["string", "null"]},
        True,
        [("", "must be a string or null, not true or false", "type")],
    ),
    (
        {"type": ["boolean", "array"]},
        {},
        [("", "must be true or false, or an array, not an object", "type")],
    ),
    (
        {"enum": ["low", "high"]},
        "hihg",
        [("", "'hihg' is not one of 'low' or 'high'; did you mean 'high'?", "enum")],
    ),
    ({"enum": ["low", "high"]}, 7, [("", "7 is not one of 'low' or 'high'", "enum")]),
    ({"enum": ["low"]}, "zzz", [("", "'zzz' is not 'low'", "enum")]),
    ({"enum": [1, None, "x"]}, {}, [("", "must be one of 1, null or 'x'", "enum")]),
    ({"enum": [["x"]]}, {}, [("", 'must be ["x"]', "enum")]),
    (
        {"enum": TWELVE},
        "zzz",
        [
            (
                "",
                (
                    "'zzz' is not one of 'v0', 'v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7', 'v8', "
                    "'v9' and 2 more"
                ),
                "enum",
            )
        ],
    ),
    ({"const": "x"}, "y", [("", "must be 'x', not 'y'", "const")]),
    ({"const": 1}, True, [("", "must be 1, not true", "const")]),
    ({"const": 1}, [1], [("", "must be 1", "const")]),
    ({"minimum": 1}, 0, [("", "must be at least 1, not 0", "minimum")]),
    ({"maximum": 10}, 10.5, [("", "must be at most 10, not 10.5", "maximum")]),
    ({"exclusiveMinimum": 0}, 0, [("", "must be above 0, not 0", "exclusiveMinimum")]),
    ({"exclusiveMaximum": 5}, 5.0, [("", "must be below 5, not 5.0", "exclusiveMaximum")]),
    ({"multipleOf": 0.1}, 0.35, [("", "must be a multiple of 0.1, not 0.35", "multipleOf")]),
    ({"minLength": 1}, "", [("", "must not be empty", "minLength")]),
    ({"minLength": 3}, "ab", [("", "must be at least 3 characters long, not 2", "minLength")]),
    ({"maxLength": 1}, "abc", [("", "must be at most 1 character long, not 3", "maxLength")]),
    ({"minItems": 2}, [1], [("", "must be at least 2 items long, not 1", "minItems")]),
    ({"maxItems": 50}, [0] * 51, [("", "must be at most 50 items long, not 51", "maxItems")]),
    ({"minProperties": 1}, {}, [("", "must not be empty", "minProperties")]),
    (
        {"maxProperties": 1},
        {"a": 1, "b": 2},
        [("", "must have at most 1 member, not 2", "maxProperties")],
    ),
    ({"pattern": "^[a-z]$"}, "A1", [("", "'A1' does not match the pattern '^[a-z]$'", "pattern")]),
    ({"pattern": "^[a-z]$"}, "A" * 300, [("", "does not match the pattern '^[a-z]$'", "pattern")]),
    (
        {"pattern": "^eu-", "x-jackfield": {"expects": "an AWS region such as eu-west-1"}},
        "foo",
        [("", "'foo' is not an AWS region such as eu-west-1", "pattern")],
    ),
    ({"format": "email"}, "ada", [("", "'ada' is not an email address", "format")]),
    (
        {"format": "mailbox-list"},
        "ada, b@x.io",
        [("", "'ada, b@x.io' contains 'ada', which is not an email address", "format")],
    ),
    (
        {"format": "date"},
        "2026-02-30",
        [("", "'2026-02-30' is not a date such as 2026-01-31", "format")],
    ),
    ({"format": "date"}, "9" * 250, [("", "is not a date such as 2026-01-31", "format")]),
    (
        {"uniqueItems": True},
        ["a", 1, 1.0],
        [("", "must not contain an item twice: items 1 and 2 are equal", "uniqueItems")],
    ),
    (
        {"contains": {"type": "string"}},
        [1],
        [("", "must contain at least 1 item that is a string, not 0", "contains")],
    ),
    (
        {"contains": {"type": "string"}, "minContains": 2, "maxContains": 2},
        ["a", "b", "c"],
        [("", "must contain at most 2 items that are each a string, not 3", "maxContains")],
    ),
    (
        {"prefixItems": [{"type": "string"}], "items": False},
        [1, 2],
        [
            ("/0", "must be a string, not a number", "type"),
            ("", "must be at most 1 item long, not 2", "items"),
        ],
    ),
    ({"items": False}, [1], [("", "must be empty", "items")]),
    ({"items": {"type": "string"}}, ["a", 1], [("/1", "must be a string, not a number", "type")]),
    (
        {"prefixItems": [True], "unevaluatedItems": False},
        [1, 2],
        [("", "must be at most 1 item long, not 2", "unevaluatedItems")],
    ),
    (
        {"contains": {"const": 1}, "unevaluatedItems": {"type": "string"}},
        [1, 2],
        [("/1", "must be a string, not a number", "type")],
    ),
    ({"required": ["subject"]}, {}, [("/subject", "'subject' is missing", "required")]),
    (
        {"properties": {"data": True}, "additionalProperties": False},
        {"datta": 1, "zz": 2},
        [
            (
                "/datta",
                "'datta' is not a member of this object; did you mean 'data'?",
                "additionalProperties",
            ),
            ("/zz", "'zz' is not a member of this object", "additionalProperties"),
        ],
    ),
    (
        {"additionalProperties": {"type": "string"}},
        {"a": 1},
        [("/a", "must be a string, not a number", "type")],
    ),
    (
        {"patternProperties": {"^x-": {"type": "string"}}},
        {"x-a": 1},
        [("/x-a", "must be a string, not a number", "type")],
    ),
    (
        {"properties": {"a": True}, "unevaluatedProperties": False},
        {"b": 1},
        [
            ("/b", "'b' is not a member of this object", "unevaluatedProperties"),
        ],
    ),
    (
        {"propertyNames": {"pattern": "^[a-z]+$"}},
        {"A": 1},
        [
            (
                "/A",
                "has a name that is not allowed: 'A' does not match the pattern '^[a-z]+$'",
                "propertyNames",
            ),
        ],
    ),
    (
        {"dependentRequired": {"id": ["key"]}},
        {"id": 1},
        [
            ("/key", "'key' is missing: it is needed together with 'id'", "dependentRequired"),
        ],
    ),
    (
        {"dependentSchemas": {"id": {"required": ["key"]}}},
        {"id": 1},
        [("/key", "'key' is missing", "required")],
    ),
    (
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
        {"a": 1},
        [("/b", "'b' is missing", "required")],
    ),
    (
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
        {},
        [("/c", "'c' is missing", "required")],
    ),
    (
        {"allOf": [{"minLength": 3}, {"pattern": "^a"}]},
        "b",
        [
            ("", "must be at least 3 characters long, not 1", "minLength"),
            ("", "'b' does not match the pattern '^a'", "pattern"),
        ],
    ),
    (AB, {}, [("/text", "give at least one of 'text' and 'html'", "required")]),
    (ONE, {}, [("/a", "give exactly one of 'a' and 'b'", "required")]),
    (ONE, {"a": 1, "b": 2}, [("/a", "give only one of 'a' and 'b'", "oneOf")]),
    (
        {
            "anyOf": [
                {"required": ["a"], "properties": {"a": {"minLength": 1}}},
                {"required": ["b"]},
            ]
        },
        {"a": ""},
        [
            ("/a", "must not be empty", "minLength"),
        ],
    ),
    (
        {"oneOf": [{"type": "integer"}, {"minimum": 2}]},
        3,
        [
            ("", "must fit exactly one of the 2 forms that are allowed here, and fits 2", "oneOf"),
        ],
    ),
    (
        {"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]},
        "a",
        [("", "must be at least 2 characters long, not 1", "minLength")],
    ),
    (
        {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
        3,
        [
            ("", "must be an array or a string, not a number", "anyOf"),
        ],
    ),
    (
        {"anyOf": [{"type": "boolean"}, {"type": "string", "format": "uuid"}, {"const": 7}]},
        [],
        [
            ("", "must be true or false, a UUID, or 7, not an array", "anyOf"),
        ],
    ),
    (
        {"anyOf": [{"type": "object"}, {"type": "string", "enum": [""]}]},
        "4711",
        [("", "must be an object or '', not '4711'", "anyOf")],
    ),
    (
        {"anyOf": [{"type": "integer"}, {"const": "auto"}]},
        "x",
        [("", "must be a whole number or 'auto', not 'x'", "anyOf")],
    ),
    (
        {"anyOf": [{"type": "integer"}, {"enum": ["off", "on"]}]},
        "onn",
        [
            ("", "'onn' is not one of 'off' or 'on'; did you mean 'on'?", "enum"),
        ],
    ),
    (
        {"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]},
        "x",
        [
            ("", "must be an IPv4 address or an IPv6 address", "anyOf"),
        ],
    ),
    (
        FILE,
        {"datta": "x"},
        [("", "must be an object with 'data' or an object with 'file'", "anyOf")],
    ),
    (FILE, {"data": 3}, [("/data", "must be a string, not a number", "type")]),
    (SHAPE, {"kind": "square"}, [("/side", "'side' is missing", "required")]),
    (
        {
            "anyOf": [
                False,
                {"x-jackfield": {"expects": "a number of days"}, "maximum": 3},
                {"minimum": 9},
                {"enum": [7, 8]},
            ]
        },
        5,
        [
            ("", "must be a number of days, of the required form, or 7 or 8", "anyOf"),
        ],
    ),
    (
        {"anyOf": [{"$ref": "#/$defs/Name"}, {"allOf": [{"type": "integer"}]}]},
        [],
        [("", "must be a string or a whole number, not an array", "anyOf")],
    ),
    (
        {"anyOf": [FORM_A, FORM_B]},
        {"name": "x", "extra": 1, "d": {"s": "1"}},
        [("/extra", "'extra' is not a member of this object", "unevaluatedProperties")],
    ),
    (
        {"anyOf": [FORM_A, FORM_B]},
        {"d": {"z": "1"}},
        [("/d/z", "'z' is not a member of this object", "additionalProperties")],
    ),
    (
        {"anyOf": [FORM_A, FORM_B]},
        {"name": 1, "d": {"p": "1"}},
        [("/name", "must be a string, not a number", "type")],
    ),
    (
        {
            "oneOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "array", "items": {"type": "integer"}},
            ]
        },
        ["a", 1, "b"],
        [
            ("/1", "must be a string, not a number", "type"),
        ],
    ),
    ({"not": {"const": "x"}}, "x", [("", "must not be 'x'", "not")]),
    (
        {"not": {"required": ["a", "b"]}},
        {"a": 1, "b": 1},
        [("", "must not have 'a' and 'b' together", "not")],
    ),
    ({"not": {"required": ["a"]}}, {"a": 1}, [("", "must not have 'a'", "not")]),
    ({"not": {"minLength": 1}}, "x", [("", "is of a form that is not allowed here", "not")]),
    ({"not": {}}, "x", [("", "is not allowed here", "not")]),
    (False, "x", [("", "is not allowed here", None)]),
    ({"$ref": "#/$defs/Name"}, 1, [("", "must be a string, not a number", "type")]),
    ({"$ref": "#name"}, "", [("", "must not be empty", "minLength")]),
]


def test_each_keyword_in_the_words_of_json() -> None:
    """A broken keyword is told at its place, in our words."""
    wrong = []
    for member, value, expected in MEMBERS:
        schema = {
            "properties": {"v": member},
            "$defs": {"Name": {"$anchor": "name", "type": "string", "minLength": 1}},
        }
        details = compile_schema(schema).judge({"v": value})
        wanted = [Detail(f"/v{path}", message, keyword) for path, message, keyword in expected]
        wrong += [] if Counter(details) == Counter(wanted) else [(member, value, details, wanted)]
    assert wrong == []


ABOUT_OTHERS: list[tuple[Any, Any]] = [
    *[
        ({keyword: 9}, "x")
        for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
    ],
    *[
        ({keyword: 0 if keyword.startswith("max") else 9}, 5)
        for keyword in ("minLength", "maxLength", "minItems", "maxItems")
    ],
    *[
        ({keyword: 0 if keyword.startswith("max") else 9}, [1])
        for keyword in ("minProperties", "maxProperties", "minLength", "maxLength")
    ],
    ({"pattern": "z"}, 1),
    ({"format": "email"}, 1),
    ({"items": False}, "x"),
    ({"prefixItems": [False]}, "x"),
    ({"contains": False}, "x"),
    ({"unevaluatedItems": False}, "x"),
    ({"uniqueItems": True}, "xx"),
    ({"required": ["a"]}, "x"),
    ({"dependentRequired": {"a": ["b"]}}, "a"),
    ({"properties": {"a": False}}, "a"),
    ({"patternProperties": {"a": False}}, "a"),
    ({"additionalProperties": False}, ["a"]),
    ({"unevaluatedProperties": False}, ["a"]),
    ({"propertyNames": False}, ["a"]),
    ({"dependentSchemas": {"a": False}}, ["a"]),
    ({"dependentSchemas": {"a": False}}, {"b": 1}),
    ({"uniqueItems": False}, [1, 1]),
    ({"contains": {"const": 1}, "minContains": 0}, [2]),
    ({"if": {"const": 1}}, 2),
    ({"if": {"const": 1}}, 1),
    ({"oneOf": [{"const": 1}, {"const": 2}]}, 1),
    ({"not": {"const": 1}}, 2),
    ({"patternProperties": {"^a": False}}, {"b": 1}),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}),
    ({"format": "html"}, "x"),
    ({"unevaluatedItems": False, "items": True}, [1]),
    ({"unevaluatedItems": False, "dependentSchemas": {"a": True}}, []),
    ({"unevaluatedProperties": False, "items": True}, {}),
]


def test_keywords_leave_other_types_alone() -> None:
    """A limit for numbers says nothing about a string, and so on; what is right is not mentioned
    beside what is wrong.
    """
    wrong = []
    for member, value in ABOUT_OTHERS:
        details = compile_schema({"properties": {"v": member, "w": False}}).judge(
            {"v": value, "w": 1}
        )
        wrong += (
            [] if details == (Detail("/w", "is not allowed here"),) else [(member, value, details)]
        )
    assert wrong == []


def test_all_faults_are_told_at_once() -> None:
    """A missing, an unknown and a wrong member are three Details of one check, each at its own
    name.
    """
    schema = {
        "type": "object",
        "required": ["subject", "to"],
        "additionalProperties": False,
        "properties": {
            "subject": {"type": "string"},
            "to": {"type": "array", "items": {"type": "string", "format": "mailbox"}},
        },
    }
    assert set(compile_schema(schema).check({"subjct": "Hi", "to": ["ada"]}).details) == {
        Detail("/subject", "'subject' is missing", "required"),
        Detail(
            "/subjct", "'subjct' is not an input; did you mean 'subject'?", "additionalProperties"
        ),
        Detail("/to/0", "'ada' is not an email address", "format"),
    }


def test_the_noun_for_members_can_be_chosen() -> None:
    """Connections have values, not inputs; a nested object has members."""
    schema = {"properties": {"o": {"additionalProperties": False}}, "additionalProperties": False}
    details = compile_schema(schema, noun="value").judge({"x": 1, "o": {"y": 1}})
    assert [detail.message for detail in details] == [
        "'y' is not a member of this object",
        "'x' is not a value",
    ]


def test_unknown_names_are_suggested_from_branches_and_references() -> None:
    """The nearest name is searched for among the members that references and branches know too."""
    schema = {
        "$ref": "#/$defs/Base",
        "anyOf": [{"properties": {"subject": True}}, True],
        "unevaluatedProperties": False,
        "$defs": {"Base": {"properties": {"sender": True}}},
    }
    assert [
        detail.message for detail in compile_schema(schema).judge({"sendr": 1, "subjet": 1})
    ] == [
        "'sendr' is not an input; did you mean 'sender'?",
        "'subjet' is not an input; did you mean 'subject'?",
    ]


_BODY: dict[str, Any] = {
    "type": "object",
    "required": ["channel"],
    "additionalProperties": False,
    "properties": {
        "channel": {"type": "string"},
        "text": {"type": "string"},
        "deep": {"$ref": "#/$defs/Deep"},
    },
}
_NESTED: dict[str, Any] = {
    "type": "object",
    "required": ["body"],
    "additionalProperties": False,
    "properties": {"body": {"$ref": "#/$defs/Body"}},
    "$defs": {
        "Body": _BODY,
        "Deep": {
            "type": "object",
            "properties": {"far": {}, "text": {}, "again": {"$ref": "#/$defs/Deep"}},
        },
    },
}


def test_a_name_that_belongs_elsewhere_is_shown_its_place() -> None:
    """An input that is a member of another one says so, and a missing object names what it must
    have, at its place.
    """
    found = compile_schema(_NESTED).check({"channel": "C1", "text": "x", "far": 1, "chanel": 2})
    assert [(detail.path, detail.message) for detail in found.details] == [
        ("/channel", "'channel' is in 'body'; write body.channel"),
        ("/text", "'text' is in 'body'; write body.text"),
        ("/far", "'far' is in 'body.deep'; write body.deep.far"),
        ("/chanel", "'chanel' is not an input"),
        ("/body/channel", "'channel' is missing"),
    ]


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        (
            {
                "type": "object",
                "required": ["b", "c"],
                "properties": {"b": {"type": "string"}, "c": {"type": "object"}},
            },
            ["/a/b", "/a/c"],
        ),
        ({"type": "object", "required": ["b"], "properties": {"b": {"default": 1}}}, ["/a"]),
        ({"type": "object", "required": ["b"]}, ["/a"]),
        ({"type": "object", "properties": {"b": {}}}, ["/a"]),
        ({"type": ["object", "null"], "required": ["b"], "properties": {"b": {}}}, ["/a"]),
        (
            {"type": "object", "required": ["b"], "properties": {"b": {"$ref": "#/properties/a"}}},
            ["/a/b/b/b/b/b"],
        ),
        (
            {
                "type": "object",
                "required": list("bcdefghijklmnopqrstuvwxyz"),
                "properties": {n: {} for n in "bcdefghijklmnopqrstuvwxyz"},
            },
            20,
        ),
        (True, ["/a"]),
    ],
)
def test_a_missing_object_names_what_it_must_have(schema: Any, paths: Any) -> None:
    """The fault is at the members to give, at most 20 and four levels down; at the object itself if
    it may be empty or another value.
    """
    details = compile_schema(
        {"type": "object", "required": ["a"], "properties": {"a": schema}}
    ).judge({})
    found = [detail.path for detail in details]
    assert (found if isinstance(paths, list) else len(found)) == paths
    assert {detail.message for detail in details} == {f"'{path[-1]}' is missing" for path in found}


def test_a_name_of_many_places_is_not_shown_any() -> None:
    """With two places both are named; with four none is, since one of them would be a guess."""
    inner = {"type": "object", "properties": {"enabled": {}}}
    for names, message in (
        ("xy", "'enabled' is in 'x' and in 'y'; write x.enabled, for instance"),
        ("wxyz", "'enabled' is not an input"),
    ):
        schema = {"properties": dict.fromkeys(names, inner), "additionalProperties": False}
        assert [detail.message for detail in compile_schema(schema).judge({"enabled": 1})] == [
            message
        ]


def test_long_values_and_names_are_cut() -> None:
    """At most 60 characters of a value and 80 of a name are shown, and nothing of a string longer
    than 200.
    """
    compiled = compile_schema(
        {"properties": {"v": {"const": 1}, "w": {"const": 1}}, "additionalProperties": False}
    )
    details = compiled.judge({"v": "x" * 61, "w": "y" * 201, "n" * 90: 1})
    assert details == (
        Detail("/v", f"must be 1, not '{'x' * 60}…'", "const"),
        Detail("/w", "must be 1", "const"),
        Detail(f"/{'n' * 80}…", f"'{'n' * 80}…' is not an input", "additionalProperties"),
    )


def test_control_characters_are_escaped() -> None:
    """A value or a name cannot steer the terminal that shows the message."""
    compiled = compile_schema({"properties": {"v": {"const": 1}}, "additionalProperties": False})
    assert [detail.message for detail in compiled.judge({"v": "a\n\x1b[31m\u202e", "\x07": 1})] == [
        "must be 1, not 'a\\n\\u001b[31m\\u202e'",
        "'\\u0007' is not an input",
    ]


def test_pointers_are_escaped_and_bounded() -> None:
    """Slashes and tildes in names are escaped (RFC 6901), names of more than 255 characters cut."""
    compiled = compile_schema({"additionalProperties": {"type": "string"}})
    assert [detail.path for detail in compiled.judge({"a/b~c": 1, "n" * 300: 1})] == [
        "/a~1b~0c",
        f"/{'n' * 255}…",
    ]


def test_the_number_of_details_is_bounded() -> None:
    """Of very many faults the first are told, and how many there are besides."""
    details = compile_schema({"additionalProperties": False}).judge(
        {f"n{number}": 1 for number in range(1000)}
    )
    assert len(details) == MAX_DETAILS + 1
    assert details[-1] == Detail("", "and 900 more faults")


def test_all_faults_are_counted() -> None:
    """How many faults there are is known, where one Detail stands for many of them, too."""
    compiled = compile_schema({"additionalProperties": False})
    counts = [
        compiled.check({f"n{number}": 1 for number in range(faults)}).count
        for faults in (0, 1, MAX_DETAILS, 1000)
    ]
    assert counts == [0, 1, MAX_DETAILS, 1000]


def test_a_fault_that_two_schemas_find_is_told_once() -> None:
    """The same sentence at the same place appears once."""
    schema = {"allOf": [{"required": ["a"]}, {"required": ["a"]}]}
    assert compile_schema(schema).judge({}) == (Detail("/a", "'a' is missing", "required"),)


def test_a_member_of_a_failing_base_is_not_called_unknown() -> None:
    """What a failing ``$ref`` or ``allOf`` knows is not reported as unevaluated on top of its own
    fault.
    """
    schema = {"allOf": [{"properties": {"a": {"type": "string"}}}], "unevaluatedProperties": False}
    assert compile_schema(schema).judge({"a": 1}) == (
        Detail("/a", "must be a string, not a number", "type"),
    )


def test_unevaluated_parts_follow_branches_and_conditions() -> None:
    """``unevaluatedProperties`` and ``unevaluatedItems`` see what fitting branches, conditions and
    dependents have looked at.
    """
    schema = {
        "properties": {
            "list": {
                "anyOf": [{"prefixItems": [{"type": "string"}]}, {"items": {"type": "null"}}],
                "unevaluatedItems": False,
            }
        },
        "anyOf": [
            {"properties": {"a": {"const": 1}}, "required": ["a"]},
            {"properties": {"b": True}},
        ],
        "if": {"properties": {"c": {"const": 1}}, "required": ["c"]},
        "then": {"properties": {"d": True}},
        "dependentSchemas": {"a": {"properties": {"e": True}}},
        "allOf": [
            {"additionalProperties": True, "required": ["all"]},
            {"unevaluatedProperties": True, "required": ["all"]},
        ],
        "unevaluatedProperties": False,
    }
    compiled = compile_schema(schema | {"allOf": [True]})
    assert compiled.judge({"a": 1, "c": 1, "d": 1, "e": 1, "list": ["x"]}) == ()
    assert [
        detail.path for detail in compiled.judge({"a": 2, "c": 2, "d": 1, "list": ["x", 2]})
    ] == ["/list", "/a", "/c", "/d"]
    assert [detail.path for detail in compile_schema(schema).judge({"zzz": 1})] == ["/all"]


def test_nested_unevaluated_items_count() -> None:
    """A reference with its own ``unevaluatedItems`` has looked at all items."""
    schema = {
        "items": {"$ref": "#/$defs/All", "unevaluatedItems": False, "maxItems": 1},
        "$defs": {"All": {"unevaluatedItems": True}},
    }
    assert compile_schema(schema).judge([[1, 2]]) == (
        Detail("/0", "must be at most 1 item long, not 2", "maxItems"),
    )


NUMBERED: list[tuple[Any, Any, list[tuple[str, str]]]] = [
    (
        {"additionalProperties": {"type": "string"}},
        {"0": 1},
        [("/0", "must be a string, not a number")],
    ),
    (
        {"additionalProperties": {"type": "string"}},
        {"007": 1, "+7": None, "7": "x"},
        [("/007", "must be a string, not a number"), ("/+7", "must be a string, not null")],
    ),
    (
        {"anyOf": [{"type": "object", "additionalProperties": {"minLength": 3}}, {"type": "null"}]},
        {"1": "xyz", "01": "b"},
        [("/01", "must be at least 3 characters long, not 1")],
    ),
    (
        {"properties": {"00": {"contains": {"type": "string"}}}},
        {"00": [1]},
        [("/00", "must contain at least 1 item that is a string, not 0")],
    ),
    (
        {
            "properties": {
                "5": {"properties": {"06": True}, "unevaluatedProperties": {"maxLength": 1}}
            }
        },
        {"5": {"07": "xy"}},
        [("/5/07", "must be at most 1 character long, not 2")],
    ),
    (
        {"properties": {"05": {"items": False}, "06": False}},
        {"05": [1], "06": 1},
        [("/05", "must be empty"), ("/06", "is not allowed here")],
    ),
    (
        {
            "properties": {
                "": {"properties": {"": {"type": "string"}, "a/~b%41": {"minLength": 2}}}
            },
            "additionalProperties": {"type": "null"},
        },
        {"": {"": 1, "a/~b%41": "x"}, "a": 1},
        [
            ("//", "must be a string, not a number"),
            ("//a~1~0b%41", "must be at least 2 characters long, not 1"),
            ("/a", "must be null, not a number"),
        ],
    ),
    (
        {"properties": {"7": {"minLength": 2}, "07": {"type": "string"}}},
        {"7": "x", "07": 1},
        [
            ("/7", "must be at least 2 characters long, not 1"),
            ("/07", "must be a string, not a number"),
        ],
    ),
    (
        {"additionalProperties": {"type": "string"}},
        {'a"]["7': 1, "7": "x"},
        [('/a"]["7', "must be a string, not a number")],
    ),
    (
        {"items": {"propertyNames": {"maxLength": 1}}},
        [{"01": 1}],
        [("/0/01", "has a name that is not allowed: must be at most 1 character long, not 2")],
    ),
    (
        {"patternProperties": {"^0": {"required": ["12"], "dependentRequired": {"1": ["02"]}}}},
        {"012": {"1": 1}},
        [
            ("/012/12", "'12' is missing"),
            ("/012/02", "'02' is missing: it is needed together with '1'"),
        ],
    ),
]


@pytest.mark.parametrize(("schema", "value", "expected"), NUMBERED, ids=lambda item: str(item)[:40])
def test_a_member_named_by_a_number_is_told_by_its_name(
    schema: Any, value: Any, expected: list[tuple[str, str]]
) -> None:
    """The engine gives the names ``7``, ``007`` and ``+7`` as the number 7, and leaves empty ones
    out; the Detail has the right one.
    """
    assert sorted(
        (detail.path, detail.message) for detail in compile_schema(schema).judge(value)
    ) == sorted(expected)


def test_many_members_named_by_numbers_are_told_in_linear_time() -> None:
    """Twenty thousand members that the engine names by other numbers do not search each other."""
    compiled = compile_schema({"additionalProperties": {"type": "string"}})
    started = time.process_time()
    assert len(compiled.judge({f"{number:06}": number for number in range(20_000)})) == 100
    assert compiled.judge({"0" * zeros: zeros for zeros in range(1, 5_000)})[0].path == "/0"
    assert time.process_time() - started < 20


def test_dynamic_references_are_followed() -> None:
    """Within one schema ``$dynamicRef`` points where ``$ref`` would."""
    schema = {
        "items": {"$dynamicRef": "#item"},
        "$defs": {"item": {"$dynamicAnchor": "item", "type": "string"}},
    }
    assert compile_schema(schema).judge([1]) == (
        Detail("/0", "must be a string, not a number", "type"),
    )


def test_a_refusal_that_we_cannot_explain_still_gives_a_detail() -> None:
    """If the engine ever refuses what our explanation finds no fault in, one Detail says so: never
    an empty refusal.
    """
    compiled = compile_schema({})
    compiled._is_valid = lambda _value: False
    assert compiled.judge({}) == (Detail("", "is not what the schema describes"),)
