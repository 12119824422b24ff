"""Schemas of inputs, outputs and connections as tables for people: name, type with its limits,
meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.kernel.markup import Markup, Node
from jackfield_market.site.markup import h, line, table

_DEEPEST = 4
_CHOICES = 12
_LONGEST = 120
_RANGES = (
    ("minLength", "maxLength", "character"),
    ("minItems", "maxItems", "item"),
    ("minProperties", "maxProperties", "member"),
    ("minimum", "maximum", ""),
)
_OTHERS = (
    ("exclusiveMinimum", "above"),
    ("exclusiveMaximum", "below"),
    ("multipleOf", "a multiple of"),
    ("pattern", "pattern"),
)


def members(schema: Mapping[str, Any], label: str, nothing: str) -> Markup:
    """Return the properties of an object schema as a table, or the text ``nothing`` if it has no
    properties.
    """
    properties = schema.get("properties")
    required = schema.get("required") or ()
    shown = (
        sorted(properties.items(), key=lambda item: item[0] not in required)
        if isinstance(properties, Mapping)
        else ()
    )
    rows = [_row(name, _node(field, schema), name in required, schema) for name, field in shown]
    return table(label, ("Name", "Type", "Meaning"), rows, empty=nothing)


def _row(
    name: str, field: Mapping[str, Any], required: bool, root: Mapping[str, Any]
) -> Sequence[Node]:
    kind = [_kind(field, root, 0), [[h.br(), h.small(limit)] for limit in _limits(field, root)]]
    title, about = field.get("title"), field.get("description")
    meaning = [
        h.strong(title) if title else None,
        h.br() if title and about else None,
        line(about) if about else None,
    ]
    return [h.code(name), " ", h.small("required" if required else "optional")], kind, meaning


def _node(field: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with its local reference resolved."""
    node = field if isinstance(field, Mapping) else {}
    name = str(node.get("$ref", "")).removeprefix("#/$defs/")
    defined = root.get("$defs")
    target = defined.get(name) if isinstance(defined, Mapping) else None
    return (
        {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        if isinstance(target, Mapping)
        else node
    )


def _kind(field: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> str:
    if depth > _DEEPEST:
        return "value"
    if "const" in field:
        return f"always {_json(field['const'])}"
    for word in ("anyOf", "oneOf"):
        branches = field.get(word)
        if isinstance(branches, Sequence) and "type" not in field:
            found = dict.fromkeys(
                _kind(_node(branch, root), root, depth + 1) for branch in branches
            )
            return " or ".join(found) or "value"
    stated = field.get("type", "value")
    kinds = [str(kind) for kind in stated] if isinstance(stated, list) else [str(stated)]
    return " or ".join(_kind_name(kind, field, root, depth) for kind in kinds)


def _kind_name(kind: str, field: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> str:
    if kind == "array" and "items" in field:
        return f"list of {_kind(_node(field['items'], root), root, depth + 1)}"
    if kind == "string" and field.get("writeOnly"):
        return "secret"
    if kind == "string" and field.get("format"):
        return f"string ({field['format']})"
    return kind


def _limits(field: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    choices = field.get("enum")
    if isinstance(choices, list):
        more = f" and {len(choices) - _CHOICES} more" if len(choices) > _CHOICES else ""
        yield f"one of {', '.join(map(_json, choices[:_CHOICES]))}{more}"
    for least, most, noun in _RANGES:
        found = _range(field.get(least), field.get(most), noun)
        if found:
            yield found
    for word, said in _OTHERS:
        if word in field:
            yield f"{said} {_short(str(field[word]))}"
    if field.get("uniqueItems"):
        yield "no item twice"
    if "default" in field and not field.get("writeOnly"):
        yield f"default {_json(field['default'])}"
    items = field.get("items")
    if isinstance(items, Mapping):
        yield from (f"each: {limit}" for limit in _limits(_node(items, root), {}))


def _range(least: Any, most: Any, noun: str) -> str:
    if least is None and most is None:
        return ""
    words = (
        f"{least} to {most}"
        if least is not None and most is not None
        else f"at least {least}"
        if most is None
        else f"at most {most}"
    )
    number = most if most is not None else least
    return words if not noun else f"{words} {noun}{'' if number == 1 else 's'}"


def _json(value: Any) -> str:
    return _short(json.dumps(value, ensure_ascii=False))


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
