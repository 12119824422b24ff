"""Schemas of a manifest that share definitions are judged together, with the verdict that each of
them has alone.
"""

from __future__ import annotations

from typing import Any

import pytest

from jackfield.kernel.errors import UnknownConnector
from jackfield.manifest.manifest import Manifest
from jackfield.schema import SchemaError, compile_schema
from jackfield.schema.cache import check_schemas

SHARED: dict[str, Any] = {
    "Name": {"type": "string", "minLength": 1},
    "Tree": {
        "type": "object",
        "properties": {
            "name": {"$ref": "#/$defs/Name"},
            "below": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
        },
    },
    "a/b": {"type": "integer"},
}


def _manifest(inputs: dict[str, Any], shared: dict[str, Any]) -> Manifest:
    plain = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"tree": {"$ref": "#/$defs/Tree"}},
    }
    action = {
        "title": "Do it",
        "description": "Do it.",
        "effect": "read",
        "examples": [],
        "output": {"type": "object"},
    }
    return Manifest.from_json(
        {
            "manifestVersion": 1,
            "key": "acme",
            "title": "Acme",
            "description": "Acme.",
            "version": "1.0.0",
            "connectionTypes": [],
            "actions": [
                {**action, "key": "plain", "inputs": plain},
                {**action, "key": "other", "inputs": {"type": "object", **inputs}},
            ],
            "$defs": {**SHARED, **shared},
        }
    )


def _holds(manifest: Manifest) -> bool:
    """Return whether each schema compiles on its own."""
    try:
        for action in manifest.actions.values():
            compile_schema(action.inputs)
            compile_schema(action.output)
    except SchemaError:
        return False
    return True


@pytest.mark.parametrize(
    ("inputs", "shared", "is_valid"),
    [
        ({"properties": {"tree": {"$ref": "#/$defs/Tree"}}}, {}, True),
        ({"properties": {"n": {"$ref": "#/$defs/a~1b"}}}, {}, True),
        ({"properties": {"n": {"$ref": "#/$defs/Missing"}}}, {}, False),
        ({"properties": {"n": {"minimum": "1"}}}, {}, False),
        ({"properties": {"n": {"pattern": "("}}}, {}, False),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, {}, False),
        ({"properties": {"n": {"$ref": "#/$defs/Tree/properties/name"}}}, {}, False),
        ({"properties": {"n": {"$ref": "#/properties/0"}}}, {}, False),
        ({"properties": {"n": {"$ref": "#/properties/m"}, "m": True}}, {}, True),
        (
            {"properties": {"n": {"$ref": "#/$defs/Own"}}, "$defs": {"Own": {"type": "null"}}},
            {},
            True,
        ),
        (
            {"properties": {"n": {"$ref": "#/$defs/Loop"}}},
            {"Loop": {"$ref": "#/$defs/Loop"}},
            False,
        ),
        ({"properties": {"n": {"$ref": "#/$defs/Broken"}}}, {"Broken": {"minLength": "1"}}, False),
        ({}, {"Unused": {"minLength": "1"}}, True),
    ],
)
def test_the_verdict_is_that_of_each_schema_alone(
    inputs: dict[str, Any], shared: dict[str, Any], is_valid: bool
) -> None:
    """A broken schema is refused by the name of its action, and nothing else is."""
    manifest = _manifest(inputs, shared)
    assert _holds(manifest) is is_valid
    if is_valid:
        check_schemas(manifest)
    else:
        with pytest.raises(UnknownConnector, match="the schema of inputs other"):
            check_schemas(manifest)
