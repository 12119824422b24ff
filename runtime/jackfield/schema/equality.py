"""Equality of JSON values: exact, without rounding.

Source: JSON Schema 2020-12 core §4.2.2 (1 equals 1.0, true does not equal 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from jackfield.schema.json_types import Json

__all__ = ["first_twins", "is_same", "lookup_key"]


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
    """Return the indexes of the first item that occurs again and of its duplicate, or None. Takes linear time."""
    seen: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        earlier = seen.setdefault(lookup_key(item), index)
        if earlier != index:
            return earlier, index
    return None
