"""From a JSON Schema to what the form shows: one control for each member, of the few kinds that ``static/form.js`` knows.

The form takes what is given and judges nothing: the runtime does, by the schema itself, and its faults are shown at the fields.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jackfield.schema_walk import Schema, branches, extension, is_secret, target
from jackfield.surfaces.console.markdown import line

__all__ = ["form_schema"]

_DEEPEST = 3
_SHOWN = 10
"""Members that are shown at once; further ones that nobody must give are behind 'More fields'."""
_RANKS = ("files", "file", "pairs", "list", "choice", "text", "textarea", "password", "boolean", "integer", "number", "object", "json")
"""Where a schema leaves a choice between kinds, the first of these is shown."""
_TYPED = frozenset({"type", "$ref", "anyOf", "oneOf", "enum", "const"})
_SCALARS = {"string": "text", "integer": "integer", "number": "number"}


def form_schema(schema: Schema, *, kept: Collection[str] = (), fixed: Collection[str] = ()) -> dict[str, Any]:
    """What json-editor is given for an object's schema. ``kept`` are secrets that have a value already, ``fixed`` members that only the
    runtime sets."""
    form = _object(schema, schema, 0)
    for name, member in form["properties"].items():
        if name in kept:
            member["options"]["placeholder"] = "Kept as it is. Type to change it"
            member["options"]["required"] = False
        if name in fixed:
            member["options"]["kind"] = "fixed"
    return {**form, "options": {"kind": "object", "root": True}}


def _object(node: Schema, root: Schema, depth: int) -> dict[str, Any]:
    members = node.get("properties", {})
    required = set(node.get("required", ()))
    placed = sorted(enumerate(members.items()), key=lambda item: (extension(item[1][1]).get("order", 1000), item[0]))
    properties = {}
    for place, (_, (name, member)) in enumerate(placed):
        found = _member(name, member, root, depth)
        found["options"]["required"] = name in required
        found["options"]["more"] = depth == 0 and place >= _SHOWN and name not in required
        properties[name] = {**found, "propertyOrder": place}
    return {"type": "object", "properties": properties}


def _member(name: str, given: Any, root: Schema, depth: int) -> dict[str, Any]:
    given = given if isinstance(given, Mapping) else {}
    kind, node = _kind(given, root, depth)
    told = {**node, **{key: given[key] for key in ("title", "description", "default", "examples", "x-jackfield") if key in given}}
    options: dict[str, Any] = {"kind": kind}
    if told.get("description"):
        options["hint"] = line(str(told["description"]))
    options |= _control(kind, node, root) | _hints(kind, told)
    field: dict[str, Any] = {"title": str(told.get("title") or name), "options": options}
    if kind == "object":
        field |= _object(node, root, depth + 1)
    return field


def _control(kind: str, node: Schema, root: Schema) -> dict[str, Any]:
    """What a kind of control needs to know of its schema."""
    if kind == "choice":
        return {"choices": node["enum"] if "enum" in node else [node["const"]]}
    if kind == "list":
        return {"item": _SCALARS.get(_type(_resolved(node["items"], root)), "text")}
    if kind in ("files", "pairs"):
        return {"as": "list" if _type(node) == "array" else "map"}
    return {}


def _hints(kind: str, told: Schema) -> dict[str, Any]:
    """What the author says about how the member is shown."""
    marks, found = extension(told), {}
    if "default" in told:
        found["default"] = told["default"]
    if "options" in marks:
        found["optionsFrom"] = marks["options"]
    if "fromConnection" in marks:
        found["fromConnection"] = marks["fromConnection"]
    examples = [item for item in told.get("examples", ()) if isinstance(item, str | int | float)]
    if examples and kind not in ("boolean", "choice"):
        found["placeholder"] = f"for example {examples[0]}"
    elif found.get("default") not in (None, "") and kind in ("text", "integer", "number"):
        found["placeholder"] = f"{found['default']} by default"
    return found


def _kind(given: Schema, root: Schema, depth: int) -> tuple[str, Schema]:
    """The kind of control for a node, and the branch of the node that it is for."""
    node = _resolved(given, root)
    if _is_file(node, root):
        return "file", node
    branches = [branch for branch in _branches(node) if _type(_resolved(branch, root)) != "null"]
    if branches:
        shared = {key: node[key] for key in ("type", "x-jackfield") if key in node}
        found = [_kind({**shared, **_resolved(branch, root)}, root, depth) for branch in branches]
        return min(found, key=lambda pair: _RANKS.index(pair[0]))
    return _plain_kind(node, root, depth), node


def _plain_kind(node: Schema, root: Schema, depth: int) -> str:
    kind = _type(node)
    if "enum" in node or "const" in node:
        return "choice"
    if kind == "array":
        return _array_kind(node, root)
    if kind == "object" or "properties" in node:
        return _object_kind(node, root, depth)
    if kind == "string":
        return _text_kind(node)
    return {**_SCALARS, "boolean": "boolean"}.get(kind, "json")


def _text_kind(node: Schema) -> str:
    if is_secret(node):
        return "password"
    return "textarea" if extension(node).get("multiline") else "text"


def _array_kind(node: Schema, root: Schema) -> str:
    items = _resolved(node.get("items") or {}, root)
    if _type(items) in _SCALARS and "enum" not in items:
        return "list"
    pair = items.get("properties", {})
    if set(pair) == {"key", "value"}:
        return _pair_kind(pair["value"], root)
    return "json"


def _object_kind(node: Schema, root: Schema, depth: int) -> str:
    if node.get("properties"):
        return "object" if depth < _DEEPEST else "json"
    rest = node.get("additionalProperties")
    return _pair_kind(rest, root) if isinstance(rest, Mapping) else "json"


def _pair_kind(value: Schema, root: Schema) -> str:
    node = _resolved(value, root)
    if _is_file(node, root):
        return "files"
    return "pairs" if _type(node) == "string" and "enum" not in node else "json"


def _is_file(node: Schema, root: Schema) -> bool:
    """Whether a node is a FILE (contract §9): a text, or an object with ``data``."""
    branches = [_resolved(branch, root) for branch in _branches(node)]
    texts = any(_type(branch) == "string" for branch in branches)
    return texts and any("data" in branch.get("properties", {}) and "data" in branch.get("required", ()) for branch in branches)


def _branches(node: Schema) -> Iterator[Schema]:
    """The branches that say of which type the value is; others only say what must be there."""
    return (branch for branch in branches(node) if not _TYPED.isdisjoint(branch))


def _resolved(given: Any, root: Schema) -> Schema:
    """The node with its reference to ``$defs`` followed; a reference that leads nowhere, or round in a circle, allows anything."""
    node, seen = given if isinstance(given, Mapping) else {}, set()
    while "$ref" in node:
        reference = str(node["$ref"])
        if reference in seen or not reference.startswith("#/"):
            return {}
        seen.add(reference)
        found = target(root, reference)
        rest = {key: value for key, value in node.items() if key != "$ref"}
        node = {**(found if isinstance(found, Mapping) else {}), **rest}
    return node


def _type(node: Schema) -> str:
    kind = node.get("type", "")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    return str(kind)
