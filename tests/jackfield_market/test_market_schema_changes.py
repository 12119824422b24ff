"""Changes of schemas are classified for callers: what breaks them, what only adds, and what is
text; jsoncompat gives a second opinion.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from jackfield_market.schema_changes import schema_changes

_TEXT: dict[str, Any] = {"type": "string"}


def closed(required: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    """A closed object."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


def one(**field: Any) -> dict[str, Any]:
    """A closed object with the one field ``a``."""
    return closed(a=field)


def of(kind: str, **keywords: Any) -> dict[str, Any]:
    """A closed object whose field ``a`` has a type and keywords."""
    return one(type=kind, **keywords)


_B, _A, _T = "breaking", "additive", "textual"

MUTATIONS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    # name: old, new, level as inputs, level as output
    "an optional member is added": (closed(a=_TEXT), closed(a=_TEXT, b=_TEXT), _A, _A),
    "a required member is added": (closed(a=_TEXT), closed(("b",), a=_TEXT, b=_TEXT), _B, _A),
    "a required member with a default is added": (
        closed(a=_TEXT),
        closed(("b",), a=_TEXT, b={**_TEXT, "default": "x"}),
        _A,
        _A,
    ),
    "a member is removed": (closed(a=_TEXT, b=_TEXT), closed(a=_TEXT), _B, _B),
    "a member becomes required": (closed(a=_TEXT), closed(("a",), a=_TEXT), _B, _A),
    "a member is no longer required": (closed(("a",), a=_TEXT), closed(a=_TEXT), _A, _B),
    "a type is added": (of("string"), one(type=["string", "null"]), _A, _B),
    "a type is removed": (one(type=["string", "null"]), of("string"), _B, _A),
    "another type": (of("string"), of("boolean"), _B, _B),
    "integer becomes number": (of("integer"), of("number"), _A, _B),
    "number becomes integer": (of("number"), of("integer"), _B, _A),
    "an enum grows": (one(enum=["x"]), one(enum=["x", "y"]), _A, _B),
    "an enum shrinks": (one(enum=["x", "y"]), one(enum=["x"]), _B, _A),
    "an enum changes": (one(enum=["x", "y"]), one(enum=["x", "z"]), _B, _B),
    "an enum in another order": (
        one(enum=["x", "y"], title="A"),
        one(enum=["y", "x"], title="B"),
        _T,
        _T,
    ),
    "an enum is added": (of("string"), of("string", enum=["x"]), _B, _A),
    "an enum is removed": (of("string", enum=["x"]), of("string"), _A, _B),
    "a constant becomes an enum with it": (one(const="x"), one(enum=["x", "y"]), _A, _B),
    "a constant changes": (one(const=1), one(const=2), _B, _B),
    "a constant changes to a boolean": (one(const=1), one(const=True), _B, _B),
    "an enum becomes bounds around it": (
        of("integer", enum=[25, 465]),
        of("integer", minimum=1, maximum=999),
        _A,
        _B,
    ),
    "an enum becomes bounds that exclude a value": (
        of("integer", enum=[0, 25]),
        of("integer", minimum=1),
        _B,
        _B,
    ),
    "bounds become an enum within": (
        of("integer", minimum=1, maximum=999),
        of("integer", enum=[25]),
        _B,
        _A,
    ),
    "minLength rises": (of("string", minLength=1), of("string", minLength=2), _B, _A),
    "minLength is added": (of("string"), of("string", minLength=1), _B, _A),
    "minLength falls": (of("string", minLength=2), of("string", minLength=1), _A, _B),
    "maxLength rises": (of("string", maxLength=5), of("string", maxLength=9), _A, _B),
    "maxLength falls": (of("string", maxLength=9), of("string", maxLength=5), _B, _A),
    "maxLength is removed": (of("string", maxLength=9), of("string"), _A, _B),
    "minimum rises": (of("number", minimum=0), of("number", minimum=1), _B, _A),
    "maximum rises": (of("number", maximum=1), of("number", maximum=2.5), _A, _B),
    "exclusiveMinimum is added": (of("number"), of("number", exclusiveMinimum=0), _B, _A),
    "multipleOf becomes coarser": (
        of("integer", multipleOf=2),
        of("integer", multipleOf=4),
        _B,
        _A,
    ),
    "multipleOf becomes finer": (of("integer", multipleOf=4), of("integer", multipleOf=2), _A, _B),
    "multipleOf changes": (of("integer", multipleOf=4), of("integer", multipleOf=6), _B, _B),
    "a pattern is added": (of("string"), of("string", pattern="^a"), _B, _A),
    "a pattern is removed": (of("string", pattern="^a"), of("string"), _A, _B),
    "a pattern changes": (of("string", pattern="^a"), of("string", pattern="^[ab]"), _B, _B),
    "a format is added": (of("string"), of("string", format="email"), _B, _A),
    "a format is removed": (of("string", format="email"), of("string"), _A, _B),
    "a format changes": (of("string", format="email"), of("string", format="uri"), _B, _B),
    "maxItems falls": (
        of("array", items=_TEXT, maxItems=9),
        of("array", items=_TEXT, maxItems=5),
        _B,
        _A,
    ),
    "uniqueItems is added": (
        of("array", items=_TEXT),
        of("array", items=_TEXT, uniqueItems=True),
        _B,
        _A,
    ),
    "items become wider": (
        of("array", items=_TEXT),
        of("array", items={"type": ["string", "integer"]}),
        _A,
        _B,
    ),
    "items get a schema": (of("array"), of("array", items=_TEXT), _B, _A),
    "a member of items is removed": (
        of("array", items=closed(x=_TEXT, y=_TEXT)),
        of("array", items=closed(x=_TEXT)),
        _B,
        _B,
    ),
    "a nested member is added": (
        closed(a=closed(x=_TEXT)),
        closed(a=closed(x=_TEXT, y=_TEXT)),
        _A,
        _A,
    ),
    "an anyOf grows": (one(anyOf=[_TEXT]), one(anyOf=[_TEXT, {"type": "integer"}]), _A, _B),
    "an anyOf shrinks": (one(anyOf=[_TEXT, {"type": "integer"}]), one(anyOf=[_TEXT]), _B, _A),
    "a oneOf of constants grows": (
        one(oneOf=[{"const": "x"}]),
        one(oneOf=[{"const": "x"}, {"const": "y"}]),
        _A,
        _B,
    ),
    "a oneOf gets a branch that overlaps": (
        one(oneOf=[_TEXT]),
        one(oneOf=[_TEXT, {"minLength": 3}]),
        _B,
        _B,
    ),
    "an allOf grows": (one(allOf=[_TEXT]), one(allOf=[_TEXT, {"minLength": 1}]), _B, _A),
    "a not is added": (of("string"), of("string", **{"not": {"const": "x"}}), _B, _A),
    "a dependency is added": (
        closed(a=_TEXT, b=_TEXT),
        {**closed(a=_TEXT, b=_TEXT), "dependentRequired": {"a": ["b"]}},
        _B,
        _A,
    ),
    "a condition is added": (
        of("string"),
        of("string", **{"if": {"minLength": 3}, "then": {"maxLength": 5}}),
        _B,
        _B,
    ),
    "the object is opened": (
        closed(a=_TEXT),
        {**closed(a=_TEXT), "additionalProperties": True},
        _A,
        _A,
    ),
    "the object is closed": (
        {**closed(a=_TEXT), "additionalProperties": True},
        closed(a=_TEXT),
        _B,
        _A,
    ),
    "a map's values become narrower": (
        one(additionalProperties=_TEXT),
        one(additionalProperties={**_TEXT, "maxLength": 5}),
        _B,
        _A,
    ),
    "a map is closed": (
        one(type="object", additionalProperties=_TEXT),
        one(type="object", additionalProperties=False),
        _B,
        _B,
    ),
    "a map's names become narrower": (
        of("object"),
        of("object", propertyNames={"maxLength": 5}),
        _B,
        _A,
    ),
    "a default changes": (of("string", default="x"), of("string", default="y"), _B, _T),
    "a default is removed": (of("string", default="x"), of("string"), _B, _T),
    "a default is added": (of("string"), of("string", default="x"), _A, _T),
    "a title changes": (of("string", title="A"), of("string", title="B"), _T, _T),
    "an example is added": (of("string"), of("string", examples=["x"]), _T, _T),
    "the place in the form changes": (
        of("string", **{"x-jackfield": {"order": 1}}),
        of("string", **{"x-jackfield": {"order": 2}}),
        _T,
        _T,
    ),
    "the connection no longer fills it in": (
        of("string", **{"x-jackfield": {"fromConnection": "x"}}),
        of("string"),
        _B,
        _B,
    ),
    "the connection's value decides": (
        of("string"),
        of("string", **{"x-jackfield": {"fixed": True}}),
        _B,
        _B,
    ),
    "it is trimmed": (of("string"), of("string", **{"x-jackfield": {"trim": True}}), _A, _A),
    "a secret is shown": (of("string", writeOnly=True, format="password"), of("string"), _B, _B),
    "a value becomes a secret": (
        of("string"),
        of("string", writeOnly=True, format="password"),
        _A,
        _A,
    ),
    "a reference that narrows": (
        {**one(**{"$ref": "#/$defs/x"}), "$defs": {"x": _TEXT}},
        {**one(**{"$ref": "#/$defs/x"}), "$defs": {"x": {**_TEXT, "maxLength": 5}}},
        _B,
        _A,
    ),
}


def _level(old: dict[str, Any], new: dict[str, Any], role: Any) -> str | None:
    found = {change.level for change in schema_changes(old, new, role)}
    return next((level for level in (_B, _A, _T) if level in found), None)


def test_mutations(subtests: pytest.Subtests) -> None:
    """Each mutation has its level, as inputs and as output; an unchanged schema has no change."""
    for name, (old, new, inputs, output) in MUTATIONS.items():
        with subtests.test(name=name):
            assert (_level(old, new, "inputs"), _level(old, new, "output")) == (inputs, output)
            assert list(schema_changes(new, json.loads(json.dumps(new)), "inputs")) == []


def test_jsoncompat_agrees(subtests: pytest.Subtests) -> None:
    """What jsoncompat calls incompatible is breaking here, except that callers ignore additional
    members of an output.

    It does not know that defaults are filled in, and refuses every change of an ``allOf``.
    """
    jsoncompat = pytest.importorskip("jsoncompat")  # which has no wheels for CPython 3.14
    for name, (old, new, inputs, output) in MUTATIONS.items():
        with subtests.test(name=name):
            texts = json.dumps(old), json.dumps(new)
            if not jsoncompat.check_compat(*texts, "deserializer") and "default" not in name:
                assert inputs == _B
            if not jsoncompat.check_compat(*texts, "serializer") and not {
                "added",
                "opened",
                "default",
                "allOf",
            } & set(name.split()):
                assert output == _B


def test_places_and_reasons() -> None:
    """A change points at the changed member, in the old document where it was removed, and says why
    it matters.
    """
    old = closed(a=closed(x={**_TEXT, "maxLength": 9}), gone=_TEXT)
    new = closed(("more",), a=closed(x={**_TEXT, "maxLength": 5}), more=_TEXT)
    found = [
        (change.path, change.document)
        for change in schema_changes(old, new, "inputs", ("/old", "/new"))
    ]
    assert found == [
        ("/new/properties/a/properties/x/maxLength", "new"),
        ("/old/properties/gone", "old"),
        ("/new/properties/more", "new"),
    ]
    assert all(change.reason for change in schema_changes(old, new, "inputs"))


def test_recursive_schemas_end() -> None:
    """A schema that refers to itself, in many branches, is compared once."""
    node = {"type": "object", "properties": {name: {"$ref": "#/$defs/n"} for name in "abcdefgh"}}
    old = {"$ref": "#/$defs/n", "$defs": {"n": node}}
    new = {"$ref": "#/$defs/n", "$defs": {"n": {**node, "maxProperties": 3}}}
    assert _level(old, new, "inputs") == _B


def test_foreign_schemas_do_no_harm() -> None:
    """Keywords of a wrong type and very deep schemas give an answer, not a traceback."""
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(90):
        deep = {"items": deep}
    odd: dict[str, Any] = {
        "type": 5,
        "enum": 3,
        "required": [1],
        "properties": [],
        "anyOf": "x",
        "minLength": "x",
        "x-jackfield": 1,
        "$ref": "#/nowhere",
    }
    for old, new in (
        (odd, {}),
        ({}, odd),
        (odd, {**odd, "minLength": 3}),
        (deep, {"items": deep}),
        (False, True),
        (True, False),
    ):
        assert list(schema_changes(old, new, "inputs")) is not None
