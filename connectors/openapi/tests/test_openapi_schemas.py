"""Schemas of a document become JSON Schema 2020-12: closed where something is sent, open where it
is received, nothing lost in silence.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from jackfield_openapi.conversion import Choices, Converted, converted
from openapi_rig import document, operation

_REF = "#/components/schemas/"


def convert(
    schema: Any, schemas: dict[str, Any] | None = None, *, version: str = "3.0.3"
) -> Converted:
    """Convert a document whose only operation takes and returns ``schema``."""
    media = {"application/json": {"schema": schema}}
    responses = {"200": {"description": "", "content": media}}
    whole = {"x-jackfield": {"flatten": False}}
    posted = operation(
        operationId="put",
        requestBody={"required": True, "content": media},
        responses=responses,
        **whole,
    )
    return converted(
        {
            **document({"/a": {"post": posted}}, components={"schemas": schemas or {}}),
            "openapi": version,
        },
        Choices(),
    )


def is_valid(made: Converted, value: Any, *, role: str = "inputs") -> bool:
    """Whether the body, or the output, of the only action takes a value."""
    action = made.manifest["actions"][0]
    schema = {**action[role], "$defs": made.manifest.get("$defs", {})}
    return bool(
        jsonschema_rs.Draft202012Validator(schema).is_valid(
            {"body": value} if role == "inputs" else value
        )
    )


_OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "nullable": True}, [None, "x"], [1]),
        ({"nullable": True, "allOf": [{"type": "string"}]}, [None, "x"], [1]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, [None, "a"], ["b"]),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, [2], [1]),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": False}, [9], [10]),
        ({"type": "string", "enum": ["yes", 1, "yes"]}, ["yes", "1"], ["no"]),
        ({"type": "array", "enum": ["a", "b"]}, [["a"]], [["c"]]),
        (
            {"type": "array", "items": {"type": "string"}, "enum": ["a", "b"]},
            [["a"], []],
            [["c"], [1]],
        ),
        ({"type": "array", "items": {"enum": ["a"]}, "enum": ["a", "b"]}, [["a"]], [["b"]]),
        (_OBJECT, [{"a": "x"}, {}], [{"b": 1}]),
        ({"type": "object"}, [{"b": 1}], [1]),
        ({**_OBJECT, "additionalProperties": {"type": "integer"}}, [{"b": 1}], [{"b": "x"}]),
        (
            {**_OBJECT, "required": ["a", "b"]},
            [{"a": "x", "b": [1]}],
            [{"a": "x"}, {"a": "x", "b": 1, "c": 1}],
        ),
        (
            {"allOf": [_OBJECT, {"properties": {"b": {"type": "integer"}}}]},
            [{"a": "x", "b": 1}],
            [{"c": 1}, {"b": "x"}],
        ),
        (
            {"oneOf": [_OBJECT, {"type": "object", "properties": {"b": {}}, "required": ["b"]}]},
            [{"b": 1}],
            [{"c": 1}],
        ),
        (
            {
                "type": "object",
                "properties": {"id": {"readOnly": True}, "a": {}},
                "required": ["id", "a"],
            },
            [{"a": 1}, {"a": 1, "id": 2}],
            [{"id": 2}],
        ),
        ({"type": "string", "pattern": "[\\w-.]+"}, ["anything"], []),
        ({"type": "string", "minLength": "2"}, ["ab"], ["a"]),
        ({"type": "string", "default": 5}, ["x"], [5]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_inputs_mean_what_the_document_means(schema: Any, good: list[Any], bad: list[Any]) -> None:
    """What the document allows is accepted; what it forbids, and members that it does not know, are
    refused.
    """
    made = convert(schema)
    assert [value for value in good if not is_valid(made, value)] == []
    assert [value for value in bad if is_valid(made, value)] == []


def test_recursive_definitions_are_closed_at_every_level() -> None:
    """A definition that refers to itself needs no unrolling, and refuses unknown members at any
    depth.
    """
    node = {
        "type": "object",
        "properties": {
            "next": {"$ref": f"{_REF}Node"},
            "all": {"type": "array", "items": {"$ref": f"{_REF}Node"}},
        },
    }
    made = convert({"$ref": f"{_REF}Node"}, {"Node": node})
    assert is_valid(made, {"next": {"all": [{"next": {}}]}})
    assert not is_valid(made, {"next": {"all": [{"nxt": {}}]}})


def test_inherited_members_count_once_closed() -> None:
    """A child that inherits by allOf takes the members of its base and its own, and no others."""
    base = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string"}},
        "discriminator": {"propertyName": "kind"},
    }
    child = {
        "allOf": [
            {"$ref": f"{_REF}Base"},
            {"type": "object", "properties": {"a": {"type": "integer"}}},
        ]
    }
    made = convert({"$ref": f"{_REF}Child"}, {"Base": base, "Child": child})
    assert is_valid(made, {"kind": "x", "a": 1})
    assert not is_valid(made, {"kind": "x", "b": 1})
    assert is_valid(
        convert({"$ref": f"{_REF}Base"}, {"Base": base, "Child": child}), {"kind": "child", "a": 1}
    )


def test_a_circle_of_definitions_is_cut_and_reported() -> None:
    """A base whose oneOf lists children that inherit it would apply itself without end."""
    schemas = {
        "Pet": {"type": "object", "properties": {"name": {}}, "oneOf": [{"$ref": f"{_REF}Cat"}]},
        "Cat": {"allOf": [{"$ref": f"{_REF}Pet"}, {"properties": {"claws": {"type": "integer"}}}]},
    }
    made = convert({"$ref": f"{_REF}Pet"}, schemas)
    assert "reference in a circle" in made.report.counts()
    assert is_valid(made, {"name": "x"})


def test_outputs_stay_open() -> None:
    """Members that the document does not know, and those that it forbids, are no difference."""
    closed = {**_OBJECT, "additionalProperties": False}
    assert is_valid(convert(closed), {"a": "x", "new": 1}, role="output")
    assert not is_valid(convert(closed), {"a": 1}, role="output")


def test_a_reference_with_siblings_follows_its_version() -> None:
    """OpenAPI 3.0 ignores keywords beside $ref, which is reported; 3.1 applies them."""
    schema, schemas = {"$ref": f"{_REF}A", "minLength": 3}, {"A": {"type": "string"}}
    old, new = convert(schema, schemas), convert(schema, schemas, version="3.1.0")
    assert (is_valid(old, "x"), is_valid(new, "x"), is_valid(new, "xyz")) == (True, False, True)
    assert old.report.counts() == {"keywords beside a reference": 2}


@pytest.mark.parametrize(
    ("schema", "cause"),
    [
        ({"type": "string", "pattern": "(?<x"}, "pattern"),
        ({"$ref": "#/components/schemas/None"}, "broken reference"),
        ({"$ref": "other.json#/A"}, "broken reference"),
        ({"type": "object", "required": True}, "required on a property"),
        ({"type": "thing"}, "unknown type"),
        ({"type": "string", "maxLength": -1}, "keyword is not valid"),
        ({"type": "string", "madeUp": 1}, "unknown keyword"),
    ],
)
def test_what_is_lost_is_reported_at_its_place(schema: Any, cause: str) -> None:
    """Every loss has an entry, once for each direction at most, with a pointer into the
    document.
    """
    made = convert(schema)
    notes = [note for note in made.report if note.cause == cause]
    assert notes
    assert all(note.at.startswith("/paths/~1a/post/") for note in notes)


def test_a_password_is_secret_and_a_default_is_prose() -> None:
    """A password is masked in journal and logs; a default is the provider's to apply."""
    schema = {
        "type": "object",
        "properties": {
            "p": {"type": "string", "format": "password"},
            "n": {"type": "integer", "default": 5},
        },
    }
    body = convert(schema).manifest["actions"][0]["inputs"]["properties"]["body"]["properties"]
    assert body["p"] == {"format": "password", "writeOnly": True, "type": "string"}
    assert body["n"] == {"type": "integer", "description": "Default of the provider: 5."}


@pytest.mark.parametrize("sends", [True, False])
def test_a_document_may_send_its_defaults(sends: bool) -> None:
    """Then the input may be left out, at any depth, in a body, a path or a query; else the provider
    is said to assume it.
    """
    members = {"n": {"type": "integer", "default": 5}, "s": {"type": "string"}}
    inner = {"type": "object", "required": ["n", "s"], "properties": members}
    body = {"type": "object", "required": ["b", "n"], "properties": {"b": inner, **members}}
    about = {
        "operationId": "put",
        "parameters": [
            {
                "name": "p",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "default": "root"},
            },
            {
                "name": "q",
                "in": "query",
                "required": True,
                "schema": {"type": "string", "default": "all"},
            },
        ],
        "requestBody": {"content": {"application/json": {"schema": body}}, "required": True},
        "responses": {"200": {"description": "Done."}},
    }
    made = converted(
        document({"/a/{p}": {"post": about}}, **{"x-jackfield": {"sendsDefaults": sends}}),
        Choices(),
    )
    inputs = made.manifest["actions"][0]["inputs"]
    given = {name: inputs["properties"][name].get("default") for name in ("n", "p", "q")}
    assert given == (
        {"n": 5, "p": "root", "q": "all"} if sends else {"n": None, "p": None, "q": None}
    )
    assert sorted(inputs["required"]) == (["b"] if sends else ["b", "n", "p", "q"])
    assert inputs["properties"]["b"]["required"] == (["s"] if sends else ["n", "s"])
    assert ("Default of the provider" in json.dumps(inputs)) is not sends


_PASSWORD = r"(?=.*[A-Z])(?=.*[0-9]).{8,}"


def test_s2_a_pattern_with_look_around_gets_a_length() -> None:
    """A password's pattern takes quadratic time, so that generation bounds its text and says so;
    other patterns stay as they are.
    """
    made = convert(
        {
            "type": "object",
            "properties": {
                "pw": {"type": "string", "pattern": _PASSWORD},
                "b": {"pattern": "^(a+)+$"},
            },
        }
    )
    members = made.manifest["actions"][0]["inputs"]["properties"]["body"]["properties"]
    assert members["pw"] == {"type": "string", "pattern": _PASSWORD, "maxLength": 1_000}
    assert members["b"] == {"pattern": "^(a+)+$"}
    assert "has look-around or back-references: at most 1,000 characters are accepted" in str(
        made.report.to_json()
    )


def test_s1_a_document_whose_schemas_double_is_degraded() -> None:
    """An action whose inputs cost too much to judge is left out, and any output is accepted where
    its schema does; both are reported.
    """
    schemas: dict[str, Any] = {
        f"D{level}": {"anyOf": [{"$ref": f"{_REF}D{level + 1}"}] * 2} for level in range(30)
    }
    made = convert({"$ref": f"{_REF}D0"}, {**schemas, "D30": {"type": "integer"}})
    assert made.manifest["actions"] == []
    assert "branches multiply" in str(made.report.to_json())


def test_security_2_9_long_texts_are_cut() -> None:
    """A description of more than 8,000 characters could be neither packed nor installed; generation
    cuts it and says so.
    """
    made = convert(
        {"type": "object", "properties": {"n": {"type": "string", "description": "word " * 2_000}}}
    )
    found = made.manifest["actions"][0]["inputs"]["properties"]["body"]["properties"]["n"][
        "description"
    ]
    assert (len(found) <= 8_000, found[-5:]) == (True, "word…")
    assert "/actions/0/inputs/properties/body/properties/n/description" in str(
        made.report.to_json()
    )
