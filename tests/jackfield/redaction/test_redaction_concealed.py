"""Secrets of outputs: found by the schema's marks alone, wherever they are and whatever they look
like.
"""

from __future__ import annotations

from typing import Any

import pytest

from jackfield.redaction.marks import Concealed
from jackfield.schema import compile_schema

_SECRET = {"writeOnly": True}
_TREE: dict[str, Any] = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "properties": {
                "key": _SECRET,
                "below": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                "name": {},
            }
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "output", "kept"),
    [
        (
            {"properties": {"a": _SECRET}},
            {"a": {"$env": "x", "b": [1, None, True]}, "b": 1},
            {"a": {"$env": "***", "b": ["***", None, "***"]}, "b": 1},
        ),
        (
            {"properties": {"a": {"format": "password"}}},
            {"a": "", "b": "https://u:p@x"},
            {"a": "***", "b": "https://u:p@x"},
        ),
        (
            _TREE,
            {"key": "k", "below": [{"key": "l", "below": [{"name": "n", "key": 1}]}]},
            {"key": "***", "below": [{"key": "***", "below": [{"name": "n", "key": "***"}]}]},
        ),
        (
            {"properties": {"m": {"additionalProperties": _SECRET}}},
            {"m": {"x": "1", "y": "2"}},
            {"m": {"x": "***", "y": "***"}},
        ),
        ({"patternProperties": {"^k_": _SECRET}}, {"k_a": "s", "b": "s"}, {"k_a": "***", "b": "s"}),
        (
            {
                "properties": {
                    "l": {"prefixItems": [{}, _SECRET], "items": {"properties": {"s": _SECRET}}}
                }
            },
            {"l": [1, 2, {"s": 3}, {"s": 4}]},
            {"l": [1, "***", {"s": "***"}, {"s": "***"}]},
        ),
        (
            {"anyOf": [{"properties": {"a": _SECRET}}, {"properties": {"b": {}}}]},
            {"a": 1, "b": 2},
            {"a": "***", "b": 2},
        ),
        (
            {"properties": {"a": _SECRET}, "additionalProperties": False},
            {"A": "misspelt"},
            {"A": "***"},
        ),
    ],
)
def test_what_the_schema_marks_is_masked_whole(
    schema: dict[str, Any], output: dict[str, Any], kept: dict[str, Any]
) -> None:
    """In lists, maps, branches and trees; nothing in an output is taken for a reference, and what
    is not marked stays as it is.
    """
    places = compile_schema(schema).secret_places
    assert places is not None
    for _ in range(2):  # what is known of the schema by then finds the same
        assert Concealed(output, places).output == kept


def test_a_schema_without_secrets_has_no_places() -> None:
    """Not even if it marks what logs leave out."""
    assert (
        compile_schema({"properties": {"a": {"x-jackfield": {"sensitive": True}}}}).secret_places
        is None
    )
