"""Translation of a JSON Schema to a form: one control per member, of the few kinds that ``static/editors.js`` implements.

The form does not validate. The runtime does, by the schema itself, and the page shows its errors at the fields.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jackfield.json_tools.walk import Schema, branches, extension, is_secret, target
from jackfield.surfaces.console.components import line

_DEEPEST = 3
_SHOWN = 10
"""Members shown at once; further optional ones are behind 'More fields'."""
_RANKS = ("files", "file", "pairs", "list", "choice", "text", "textarea", "password", "boolean", "integer", "number", "object", "json")
"""Kinds of controls by precedence: when a schema allows several, the first one is used."""
_TYPED = frozenset({"type", "$ref", "anyOf", "oneOf", "enum", "const"})
_SCALARS = {"string": "text", "integer": "integer", "number": "number"}


def form_schema(schema: Schema, *, stored: Collection[str] = (), fixed: Collection[str] = ()) -> dict[str, Any]:
    """Build json-editor's schema for an object. ``stored`` are secrets with a stored value, ``fixed`` are members that only the runtime sets."""
    form = _object(schema, schema, 0)
    for name, member in form["properties"].items():
        if name in stored:
            member["options"]["placeholder"] = "Stored; type to replace the value"
            member["options"]["required"] = False
        if name in fixed:
            member["options"]["kind"] = "fixed"
    return {**form, "options": {"kind": "object", "root": True}}


def _object(node: Schema, root: Schema, depth: int) -> dict[str, Any]:
    members = node.get("properties", {})
    required = set(node.get("required", ()))
    offered = [item for item in members.items() if not extension(item[1]).get("hidden")]
    placed = sorted(enumerate(offered), key=lambda item: (extension(item[1][1]).get("order", 1000), item[0]))
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
    about = {**node, **{key: given[key] for key in ("title", "description", "default", "examples", "x-jackfield") if key in given}}
    options: dict[str, Any] = {"kind": kind}
    if about.get("description"):
        options["hint"] = line(str(about["description"]))
    options |= _control(kind, node, root) | _hints(kind, about)
    field: dict[str, Any] = {"title": str(about.get("title") or name), "options": options}
    if kind == "object":
        field |= _object(node, root, depth + 1)
    return field


def _control(kind: str, node: Schema, root: Schema) -> dict[str, Any]:
    """Return the options that this kind of control takes from its schema."""
    if kind == "choice":
        return {"choices": node["enum"] if "enum" in node else [node["const"]]}
    if kind == "list":
        return {"item": _SCALARS.get(_type(_resolved(node["items"], root)), "text")}
    if kind in ("files", "pairs"):
        return {"as": "list" if _type(node) == "array" else "map"}
    return {}


def _hints(kind: str, about: Schema) -> dict[str, Any]:
    """Return the author's presentation hints: default, option source, example as placeholder."""
    marks, found = extension(about), {}
    if "default" in about:
        found["default"] = about["default"]
    if "options" in marks:
        found["optionsFrom"] = marks["options"]
    if "fromConnection" in marks:
        found["fromConnection"] = marks["fromConnection"]
    examples = [item for item in about.get("examples", ()) if isinstance(item, str | int | float)]
    if examples and kind not in ("boolean", "choice"):
        found["placeholder"] = f"for example {examples[0]}"
    elif found.get("default") not in (None, "") and kind in ("text", "integer", "number"):
        found["placeholder"] = f"{found['default']} by default"
    return found


def _kind(given: Schema, root: Schema, depth: int) -> tuple[str, Schema]:
    """Choose the kind of control for a node, and return it with the branch of the node that it edits."""
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
    if is_secret(node) and (node.get("format") == "password" or not extension(node).get("sensitive")):
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
    """Return whether a node is a FILE (docs/reference/connectors/aws-ses.md): a string, or an object with ``data``."""
    branches = [_resolved(branch, root) for branch in _branches(node)]
    texts = any(_type(branch) == "string" for branch in branches)
    return texts and any("data" in branch.get("properties", {}) and "data" in branch.get("required", ()) for branch in branches)


def _branches(node: Schema) -> Iterator[Schema]:
    """Select the branches that declare a type; the others only constrain which members are present."""
    return (branch for branch in branches(node) if not _TYPED.isdisjoint(branch))


def _resolved(given: Any, root: Schema) -> Schema:
    """Resolve the node's ``$ref``; a dangling or circular reference allows anything."""
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
