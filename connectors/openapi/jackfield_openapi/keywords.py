"""Keywords of a schema that hold plain values: valid values in JSON Schema 2020-12, and the repair
of common errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import jsonschema_rs

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_COUNTS = (
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_TEXTS = ("title", "description", "contentMediaType", "contentEncoding", "$comment")
_MARKS = ("uniqueItems", "deprecated")
_SLIPS = {
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "text": "string",
    "date": "string",
}
"""Types of other languages that documents use by mistake, with their types in JSON Schema."""


def number(value: object) -> int | float | None:
    """Return a number, also from a string; None for other values."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # a whole number may be beyond all of float's
    return value if isinstance(value, int) or isfinite(value) else None


def count(value: object) -> int | None:
    """Return a number of items or characters; None for other values."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def _positive(value: object) -> int | float | None:
    found = number(value)
    return found if found is not None and found > 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _mark(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


PLAIN: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(_COUNTS, count),
    **dict.fromkeys(_BOUNDS, number),
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_MARKS, _mark),
    "multipleOf": _positive,
}
"""Reader of each keyword; it returns None for an invalid value."""


def types_of(node: Mapping[str, Any]) -> tuple[list[str], list[object]]:
    """Return a schema's types in the document's order, and the values of ``type`` that are no JSON
    Schema type.
    """
    given = node.get("type")
    listed = given if isinstance(given, list) else [] if given is None else [given]
    found = [_SLIPS.get(name, name) if isinstance(name, str) else name for name in listed]
    types = list(dict.fromkeys(name for name in found if name in TYPES))
    return types, [name for name in found if name not in TYPES and name != "any"]


def enum_of(values: object, types: Sequence[str]) -> list[Any]:
    """Return an enumeration's distinct values, converted to the schema's types where the conversion
    is lossless.
    """
    found: dict[str, Any] = {}
    for value in values if isinstance(values, list) else [values]:
        fitting = _fitting(value, types)
        found.setdefault(json.dumps(fitting, sort_keys=True), fitting)
    return list(found.values())


def _fitting(value: Any, types: Sequence[str]) -> Any:
    if not types or any(is_type(value, name) for name in types):
        return value
    if isinstance(value, str):
        read = number(value)
        if read is not None and any(is_type(read, name) for name in types):
            return read
        if "boolean" in types and value.lower() in ("true", "false"):
            return value.lower() == "true"
    elif "string" in types and isinstance(value, bool | int | float):
        return json.dumps(value)
    return value


def is_type(value: object, name: str) -> bool:
    """Return whether a JSON value is of a type of JSON Schema."""
    if isinstance(value, bool):
        return name == "boolean"
    if isinstance(value, int | float):
        return name == "number" or (name == "integer" and value == int(value))
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "array": list,
        "object": dict,
        "null": type(None),
    }
    return name in kinds and isinstance(value, kinds[name])


_SLASHED = re.compile(r"/(\^.*|.*[^\\]\$)/([a-z]*)", re.DOTALL)


def unslashed(pattern: object) -> object:
    """Return a pattern without JavaScript's slashes, which would match no string; None if it has
    flags other than ``g`` and ``u``.
    """
    found = _SLASHED.fullmatch(pattern) if isinstance(pattern, str) else None
    if found is None:
        return pattern
    return None if set(found[2]) - {"g", "u"} else found[1]


class Patterns:
    """Validator of regular expressions: one pattern that the engine refuses would invalidate the
    whole schema.
    """

    def __init__(self) -> None:
        self._judged: dict[str, bool] = {}

    def holds(self, pattern: object) -> bool:
        """Return whether the engine accepts ``pattern``."""
        if not isinstance(pattern, str):
            return False
        found = self._judged.get(pattern)
        if found is None:
            try:
                jsonschema_rs.Draft202012Validator({"pattern": pattern})
                jsonschema_rs.meta.validate(
                    {"$schema": "https://json-schema.org/draft/2020-12/schema", "pattern": pattern}
                )
            except ValueError:
                found = False
            else:
                found = True
            self._judged[pattern] = found
        return found
