"""Conditions on a member of an answer, as the schema of manifests describes them."""

from __future__ import annotations

from generated.words import Json

_TEXT: Json = {"type": "string", "minLength": 1}
_POINTER: Json = {"type": "string", "pattern": "^(/|$)"}
_VALUE: Json = {"type": ["string", "number", "boolean", "null"]}
VALUES: Json = {"anyOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}]}
TESTS = ("equals", "unless", "contains")
"""Members of which a condition of a row has one."""


def condition() -> Json:
    """The members of a condition. Without any but ``member``, it is there and not empty, false or 0."""
    return {
        "member": {**_POINTER, "description": "The member that says it."},
        "equals": {**VALUES, "description": "Its value, or one of several."},
        "unless": {**VALUES, "description": "It is there and not empty, and has none of these values."},
        "contains": {**_TEXT, "description": "Text that it has, in whatever case."},
        "without": {**_POINTER, "description": "Member that is missing or empty."},
    }
