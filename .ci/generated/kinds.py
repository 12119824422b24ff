"""One sentence that says what a value must be, told from its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FORMATS = {
    "mailbox": "an email address, with or without a display name",
    "mailbox-list": "email addresses with commas between them",
    "email": "an email address",
    "uri": "an absolute URL",
    "date-time": "a time (RFC 3339)",
    "password": "text",
}
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "object": "an object",
}


def kind_of(schema: Mapping[str, Any]) -> str:
    """Such as "An array of email addresses, or text." Nothing for plain text, which needs no
    word.
    """
    said = _phrase(schema)
    return "" if said in ("", "text") else said[:1].upper() + said[1:] + "."


def _phrase(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if branches and "type" not in schema:
        return ", or ".join(dict.fromkeys(filter(None, map(_phrase, branches))))
    if schema.get("type") == "array":
        inner = _phrase(schema.get("items", {}))
        return f"an array, each item {inner}" if inner else "an array"
    if schema.get("type") == "object":
        return _object(schema)
    return _FORMATS.get(
        schema.get("format", ""), _TYPES.get(str(schema.get("type")), "")
    ) + _limits(schema)


def _object(schema: Mapping[str, Any]) -> str:
    names = schema.get("properties")
    if names:
        return "an object with " + ", ".join(f"`{name}`" for name in names)
    inner = schema.get("additionalProperties")
    return (
        f"an object from names to values, each {_phrase(inner)}"
        if isinstance(inner, Mapping) and _phrase(inner)
        else "an object"
    )


def _limits(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    return f" from {low} to {high}" if low is not None and high is not None else ""
