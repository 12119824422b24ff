"""The types of JSON values, and their names in messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

Json: TypeAlias = Any
"""Any JSON value: None, bool, int, float, str, list or dict with string keys."""
Node: TypeAlias = bool | Mapping[str, Any]
"""JSON Schema or subschema."""

MAX_DEPTH = 100
"""Maximum nesting of arrays and objects (docs/reference/invocation.md)."""
MAX_DIGITS = 308
"""Maximum digits of an integer, as of the largest double. The engine's time to compare an integer
grows with its square.
"""

TYPES: Mapping[str, frozenset[str]] = {
    "null": frozenset({"null"}),
    "boolean": frozenset({"boolean"}),
    "integer": frozenset({"integer"}),
    "number": frozenset({"integer", "fraction"}),
    "string": frozenset({"string"}),
    "array": frozenset({"array"}),
    "object": frozenset({"object"}),
}
"""Kinds of value that each type of JSON Schema accepts. ``fraction`` is a number that is not an
integer.
"""
ALL_KINDS: frozenset[str] = frozenset().union(*TYPES.values())

_KINDS: Mapping[type, str] = {
    str: "string",
    dict: "object",
    list: "array",
    bool: "boolean",
    int: "integer",
    type(None): "null",
}
_TYPE_WORDS = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "array": "an array",
    "object": "an object",
}


class Unreadable:
    """Placeholder for a value whose own class raises an exception when it is read."""

    __slots__ = ("name",)

    def __init__(self, kind: type) -> None:
        self.name = kind.__name__


class SchemaError(ValueError):
    """Error for an invalid schema. ``pointer`` is a JSON Pointer to the fault in the schema,
    ``reason`` describes it.
    """

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(pointer, reason)
        self.pointer = pointer
        self.reason = reason

    def __str__(self) -> str:
        return f"the schema is not valid at '{self.pointer or '/'}': {self.reason}"


def kind_of(value: Json) -> str:
    """Return the kind of a JSON value. 1.0 is an integer, as in JSON Schema (draft 2020-12
    §4.2.3).
    """
    if type(value) is float:
        return "integer" if value.is_integer() else "fraction"
    return _KINDS[type(value)]


def value_word(value: Json) -> str:
    """Return the noun for a value's type, for "…, not a number"."""
    kind = kind_of(value)
    return _TYPE_WORDS["number" if kind in ("integer", "fraction") else kind]


def type_words(types: Iterable[str]) -> list[str]:
    """Return the nouns for types of JSON Schema, without duplicates, in the given order."""
    return [_TYPE_WORDS[name] for name in dict.fromkeys(types)]


def lookup_key(value: Json) -> Hashable:
    """Return a key that is equal for two values if and only if JSON Schema considers them equal."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, dict):
        return ("object", frozenset((name, lookup_key(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(lookup_key(item) for item in value))
    return value  # type: ignore[no-any-return]  # None, a number (1 == 1.0) or a string


def is_same(one: Json, other: Json) -> bool:
    """Return whether two values are equal as JSON."""
    return lookup_key(one) == lookup_key(other)


def first_twins(items: Sequence[Json]) -> tuple[int, int] | None:
    """Return the indexes of the first item that occurs again and of its duplicate; None if there is
    no duplicate. It takes linear time.
    """
    seen: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        earlier = seen.setdefault(lookup_key(item), index)
        if earlier != index:
            return earlier, index
    return None
