"""Numbers of strangers in schemas: none is a size, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jackfield.schema import SchemaError, compile_schema

_KEYWORDS = (
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minContains",
    "maxContains",
)
_NUMBERS = (10**9, 10**400, -1, 1e308, -(10**400), 1e-308)
_VALUES: tuple[Any, ...] = ("x", ["a", "b"], {"a": 1}, 5, 1e308, -1e308, 10**400)
_PATTERNS = (
    "(a){1000000000}",
    "a{0,1000000000}",
    "[a-z]{1000}{1000}{1000}",
    "^(?:[a-z]{1,99999}){1,99999}$",
    "(a+)+$",
)


def _nested(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema in the places that have schemas."""
    yield schema
    yield {"properties": {"a": schema}, "items": schema, "additionalProperties": schema}
    yield {
        "prefixItems": [schema],
        "propertyNames": schema,
        "patternProperties": {"a": schema},
        "contains": schema,
    }
    yield {"$defs": {"a": schema}, "$ref": "#/$defs/a"}
    yield from ({name: [schema]} for name in ("allOf", "anyOf", "oneOf"))
    yield {
        "not": schema,
        "if": schema,
        "then": schema,
        "else": schema,
        "dependentSchemas": {"a": schema},
    }
    yield {"contains": True, **schema}


def _judge(schema: dict[str, Any]) -> None:
    """Refuse a schema, or judge values by it."""
    try:
        judge = compile_schema(schema)
    except SchemaError:
        return
    for value in _VALUES:
        tuple(judge.judge(value))


@pytest.mark.parametrize("keyword", _KEYWORDS)
def test_a_number_of_any_size_is_judged_or_refused(keyword: str) -> None:
    """A schema with such a number is refused as a schema, or judges any value: nothing else is
    raised.
    """
    for number in _NUMBERS:
        for schema in _nested({keyword: number}):
            _judge(schema)


@pytest.mark.parametrize("pattern", _PATTERNS)
def test_a_pattern_with_any_count_is_judged_or_refused(pattern: str) -> None:
    """Counts of a pattern are no size either."""
    for schema in _nested({"pattern": pattern}):
        _judge(schema)
