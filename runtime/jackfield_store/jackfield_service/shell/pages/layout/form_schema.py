"""Translation of a JSON Schema to a form: one control per member, of the few kinds that
``static/editors.js`` implements.

The form does not validate. The runtime validates by the schema itself, and the page shows its
errors at the fields.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from string import ascii_lowercase
from types import MappingProxyType
from typing import Any

from jackfield.kernel.walk import Schema, SecretPlaces, branches, extension, is_secret, target
from jackfield.manifest.manifest import ActionManifest
from jackfield_service.shell.pages.layout.components import parted

_DEEPEST = 3
_SHOWN, _FEW = 10, 7
"""Number of members visible at once, and the number for an action with more members; further
optional members are behind 'More fields'.
"""
_MOST = 1_000
"""Maximum number of fields of one form, also of rows that can be added; further members are written
as JSON.
"""
_MOST_BRANCHES = 6
"""Maximum depth of nested branches in a search for the kind of control."""
_RANKS = (
    "files",
    "file",
    "pairs",
    "list",
    "choices",
    "items",
    "entries",
    "choice",
    "text",
    "textarea",
    "date",
    "moment",
    "password",
    "masked",
    "mixed",
    "boolean",
    "integer",
    "number",
    "object",
    "json",
)
"""Kinds of controls by precedence: when a schema allows several scalars, lists or files, the first
one is used.
"""
_MADE = frozenset({"object", "items", "entries", "union"})
"""Kinds of controls that consist of other controls."""
_MADE_OR_FILE = _MADE | {"file"}
_TEXTS = frozenset({"text", "textarea", "date", "moment", "password", "masked"})
_LONG = 500
"""Length in characters above which an input without format or pattern has several lines."""
_PROSE = frozenset(
    {
        "body",
        "comment",
        "comments",
        "content",
        "description",
        "html",
        "markdown",
        "message",
        "note",
        "notes",
        "text",
    }
)
"""Last words of names of inputs that have several lines even if their schema gives no length."""
_INITIALS = frozenset(
    {
        "api",
        "arn",
        "aws",
        "csv",
        "dns",
        "html",
        "http",
        "https",
        "id",
        "ip",
        "json",
        "pdf",
        "sms",
        "sql",
        "uri",
        "url",
        "uuid",
        "xml",
    }
)
"""Parts of names that are written in capitals."""
_NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TYPED = frozenset({"type", "$ref", "anyOf", "oneOf", "enum", "const"})
_SCALARS = {"string": "text", "integer": "integer", "number": "number"}


def form_schema(
    schema: Schema,
    *,
    stored: Collection[str] = (),
    fixed: Collection[str] = (),
    seldom: Collection[str] = (),
    ranks: Mapping[str, int] = MappingProxyType({}),
    given: Collection[str] = (),
    auth: str = "",
) -> dict[str, Any]:
    """Build json-editor's schema for an object. ``stored`` are secrets with a stored value,
    ``fixed`` are members that only the runtime sets, ``seldom`` are behind 'More fields', like
    deprecated ones. Hidden members in ``given``, which have a value, are visible, since only
    members in the form are sent. ``auth`` is the sign-in method of a connection; a form without it
    is for inputs, where strings that probably have several lines get a larger control.

    Members are sorted by their ``ranks``, then in the author's order; members without an order
    follow, required ones first.
    """
    drawing = _Drawing(schema, auth)
    form = drawing.object(schema, 0, seldom, ranks, given)
    for name, member in form["properties"].items():
        if name in stored:
            member["options"]["placeholder"] = "Stored; type to replace the value"
            member["options"]["required"] = False
        if name in fixed:
            member["options"]["kind"] = "fixed"
    places = SecretPlaces(schema)
    secrets = [
        name
        for name in form["properties"]
        if (place := places.below(name)) is None or place.reaches
    ]
    return {
        **form,
        "options": {"kind": "object", "root": True, **({"secrets": secrets} if secrets else {})},
    }


def call_schema(action: ActionManifest, given: Collection[str] = ()) -> dict[str, Any]:
    """Build json-editor's schema for the inputs of an action, with inputs for pages behind 'More
    fields'. ``given`` are the inputs with a value.
    """
    return form_schema(action.inputs, seldom=_of_pages(action), given=given)


def _of_pages(action: ActionManifest) -> list[str]:
    pages = action.pagination
    if pages is None:
        return []
    further = [name for name, _ in pages.further_tokens]
    return [
        name
        for name in (pages.token_input, pages.all_input, pages.size_input, *further)
        if name is not None
    ]


class _Drawing:
    """Builder of one schema's form, within the number of fields that it may still have."""

    def __init__(self, root: Schema, auth: str) -> None:
        self._root = root
        self._auth = auth
        self._left = _MOST

    def object(
        self,
        node: Schema,
        depth: int,
        seldom: Collection[str] = (),
        ranks: Mapping[str, int] = MappingProxyType({}),
        given: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return the fields of an object's members, in the order of display."""
        required = set(node.get("required", ()))
        offered = [
            item
            for item in node.get("properties", {}).items()
            if item[0] in given or not extension(item[1]).get("hidden")
        ]
        late = {
            name
            for name, member in offered
            if name not in required and (name in seldom or _is_deprecated(member))
        }
        placed = sorted(
            offered,
            key=lambda item: (
                ranks.get(item[0], 0),
                _place(item[1]),
                item[0] in late,
                item[0] not in required,
            ),
        )
        shown = _SHOWN if self._auth or len(placed) <= _SHOWN else _FEW
        properties = {}
        for place, (name, member) in enumerate(placed):
            found = self.member(name, member, depth)
            found["options"]["required"] = name in required
            found["options"]["more"] = name in late or (
                depth == 0 and place >= shown and name not in required
            )
            properties[name] = {**found, "propertyOrder": place}
        return {"type": "object", "properties": properties}

    def member(self, name: str, given: Any, depth: int) -> dict[str, Any]:
        """Return the field of one member."""
        given = given if isinstance(given, Mapping) else {}
        self._left -= 1
        kind, node = self._kind(given, depth)
        kind = "textarea" if not self._auth and kind == "text" and _is_prose(name, node) else kind
        about = {
            **node,
            **{
                key: given[key]
                for key in ("title", "description", "default", "examples", "x-jackfield")
                if key in given
            },
        }
        options: dict[str, Any] = {"kind": kind}
        if about.get("description"):
            options["hint"], rest = parted(str(about["description"]))
            options |= {} if rest is None else {"rest": rest}
        title = " ".join(map(_capitals, str(about.get("title") or spelled(name)).split(" ")))
        if kind == "files" and _type(node) != "array":
            options["hint"] = "Each file goes under its own name."
        options |= (
            self._control(kind, node, title, depth)
            | self._fitting(kind, node)
            | _hints(kind, about)
        )
        if kind == "list" and "optionsFrom" not in options:  # choices for each of its values
            options |= {
                key: value
                for key, value in _hints(kind, _resolved(node["items"], self._root)).items()
                if key == "optionsFrom"
            }
        field: dict[str, Any] = {"title": title, "options": options}
        if kind == "object":
            field |= self.object(node, depth + 1)
        return field

    def _kind(self, given: Schema, depth: int) -> tuple[str, Schema]:
        """Choose the kind of control for a node, and return it with the branch of the node that it
        edits.
        """
        kind, node = _kind(given, self._root, depth)
        return ("json", node) if kind in _MADE and self._left <= 0 else (kind, node)

    def _control(self, kind: str, node: Schema, title: str, depth: int) -> dict[str, Any]:
        """Return the options of this kind of control from its schema."""
        if kind == "choice":
            values, titles = _values(node), extension(node).get("titles", {})
            return {
                "choices": values,
                **(
                    {"labels": [titles.get(str(value), str(value)) for value in values]}
                    if titles
                    else {}
                ),
            }
        if kind in ("list", "choices"):
            items = _resolved(node["items"], self._root)
            # text, or an object as JSON
            usual = "mixed" if _variants(items, self._root) else "text"
            return (
                {"choices": items["enum"]}
                if kind == "choices"
                else {"item": _SCALARS.get(_type(items), usual)}
            )
        if kind in ("files", "pairs"):
            return {"as": "list" if _type(node) == "array" else "map"}
        if kind in ("items", "entries"):
            part = node["items" if kind == "items" else "additionalProperties"]
            return {
                "part": self.member(
                    str(_resolved(part, self._root).get("title") or title), part, depth + 1
                )
            }
        if kind == "union":
            return {"forms": [self._form(branch, depth) for branch in _variants(node, self._root)]}
        return {}

    def _fitting(self, kind: str, node: Schema) -> dict[str, Any]:
        """Return the corrections of ``static/typing.js`` for typed values: an address gets a
        scheme, a token loses it, and an input may have several lines.
        """
        if kind == "text" and not self._auth:
            return {"lines": True} if {"format", "pattern"}.isdisjoint(node) else {}
        takes = (
            "address"
            if kind == "text" and node.get("format") == "uri"
            else "token"
            if (kind, self._auth) == ("password", "bearer")
            else ""
        )
        return {"takes": takes} if takes else {}

    def _form(self, branch: Schema, depth: int) -> dict[str, Any]:
        node = _resolved(branch, self._root)
        return self.member(str(node.get("title") or _variant_name(node)), node, depth)


def _place(member: Any) -> float:
    """Return the order that the author gave to a member; 1000 without such an order."""
    place = extension(member).get("order", 1000)
    return place if isinstance(place, int | float) else 1000


def _is_deprecated(member: Any) -> bool:
    return isinstance(member, Mapping) and member.get("deprecated") is True


def _variant_name(node: Schema) -> str:
    """Return a name for one of the alternative forms of a value."""
    members = list(node.get("properties", ()))
    if members:
        return f"With {', '.join(members[:3])}{' …' if len(members) > 3 else ''}"
    return _NAMES.get(_type(node), "Other")


_NAMES = {
    "string": "Text",
    "integer": "Whole number",
    "number": "Number",
    "boolean": "Yes or no",
    "array": "List",
    "object": "Object",
}


def _hints(kind: str, about: Schema) -> dict[str, Any]:
    """Return the author's presentation hints: default, option source, example as placeholder."""
    marks, found = extension(about), {}
    if "default" in about:
        found["default"] = about["default"]
    if "options" in marks:
        found["optionsFrom"] = marks["options"]
    if marks.get("values"):
        found["suggested"] = marks["values"]
    if "shownFor" in marks:
        found["shownFor"] = next(iter(marks["shownFor"].items()))
    if "fromConnection" in marks:
        found["fromConnection"] = marks["fromConnection"]
    examples = [item for item in about.get("examples", ()) if isinstance(item, str | int | float)]
    if examples and kind not in ("boolean", "choice"):
        found |= {"placeholder": f"for example {examples[0]}", "example": examples[0]}
    elif found.get("default") not in (None, "") and kind in ("text", "integer", "number"):
        found["placeholder"] = f"{found['default']} by default"
    return found


def _kind(given: Schema, root: Schema, depth: int, within: int = 0) -> tuple[str, Schema]:
    """Choose the kind of control for a node, and return it with the branch of the node that it
    edits. ``within`` counts the branches that contain the node.
    """
    node = _resolved(given, root) if within <= _MOST_BRANCHES else {}
    if _is_file(node, root):
        return "file", node
    variants = _variants(node, root)
    if variants:
        found = [_kind(branch, root, depth, within + 1) for branch in variants]
        kinds = [kind for kind, _ in found]
        if len(variants) > 1 and not _MADE_OR_FILE.isdisjoint(kinds):
            return ("union" if depth < _DEEPEST else "json"), node
        if "json" in kinds and not _TEXTS.isdisjoint(kinds):
            return "mixed", node
        return _one_of(
            [pair for pair in found if pair[0] == "choice"],
            [pair for pair in found if pair[0] != "choice"],
            node,
        )
    return _plain_kind(node, root, depth), node


def _one_of(
    choices: list[tuple[str, Schema]], others: list[tuple[str, Schema]], node: Schema
) -> tuple[str, Schema]:
    """Choose the kind of control for a value that has one of several simple forms: the control that
    accepts all of them.

    Choices in addition to a string or a number are suggestions for it; in addition to a boolean
    they are further choices.
    """
    values = [value for _, branch in choices for value in _values(branch)]
    kind, branch = min(others, key=lambda pair: _RANKS.index(pair[0]), default=("choice", node))
    if not choices:
        return kind, branch
    if kind == "boolean":
        values = [
            True,
            False,
            *(value for value in values if str(value).lower() not in ("true", "false")),
        ]
    if kind in ("choice", "boolean"):
        return "choice", {**node, "enum": values}
    if kind == "json":
        return "mixed", node
    return kind, {**branch, "x-jackfield": {**extension(branch), "values": values}}


def _values(node: Schema) -> list[Any]:
    return list(node["enum"]) if "enum" in node else [node["const"]]


def _variants(node: Schema, root: Schema) -> list[Schema]:
    """Return the forms that a value may have, without null and the empty string by which some APIs
    remove a value.
    """
    shared = {key: node[key] for key in ("type", "x-jackfield") if key in node}
    resolved = (_resolved(branch, root) for branch in _branches(node))
    return [
        {**shared, **branch}
        for branch in resolved
        if _type(branch) != "null" and branch.get("enum") != [""]
    ]


def _plain_kind(node: Schema, root: Schema, depth: int) -> str:
    kind = _type(node)
    if "enum" in node or "const" in node:
        return "choice"
    if kind == "array":
        return _array_kind(node, root, depth)
    if kind == "object" or (not kind and "properties" in node):
        return _object_kind(node, root, depth)
    if kind == "string":
        return _text_kind(node)
    return {**_SCALARS, "boolean": "boolean"}.get(kind, "json")


def _text_kind(node: Schema) -> str:
    has_lines = extension(node).get("multiline")
    if is_secret(node) and (
        node.get("format") == "password" or not extension(node).get("sensitive")
    ):
        return "masked" if has_lines else "password"
    return (
        "textarea"
        if has_lines
        else {"date-time": "moment", "date": "date"}.get(str(node.get("format")), "text")
    )


def spelled(name: str) -> str:
    """Return the name of a member without a title as words, ``bigId`` as "Big ID"; a name that is
    no identifier is unchanged.
    """
    if not (name.isascii() and name.isidentifier()):
        return name
    parts = _NAME_PARTS.findall(name)
    return " ".join(_capitals(part[:1].upper() + part[1:]) for part in parts) or name


def _capitals(word: str) -> str:
    """Return a word of a title, in capitals if it is one of ``_INITIALS``."""
    return word.upper() if word[:1].isupper() and word.lower() in _INITIALS else word


def _is_prose(name: str, node: Schema) -> bool:
    """Return whether a string without a known format has several lines, by its limit or its
    name.
    """
    if not {"format", "pattern"}.isdisjoint(node) or not {
        "options",
        "values",
        "trim",
        "fromConnection",
    }.isdisjoint(extension(node)):
        return False
    before = name.rstrip(ascii_lowercase)
    last = name[len(before) - before[-1:].isupper() :].lower()
    return node.get("maxLength", 0) > _LONG or last in _PROSE


def _array_kind(node: Schema, root: Schema, depth: int) -> str:
    items = _resolved(node.get("items") or {}, root)
    if isinstance(items.get("enum"), list) and items["enum"]:
        return "choices"
    if _type(items) in _SCALARS or any(
        _type(one) == "string" and "enum" not in one for one in _variants(items, root)
    ):
        return "list"
    pair = items.get("properties", {})
    if set(pair) == {"key", "value"} and (kind := _pair_kind(pair["value"], root)) != "json":
        return kind
    return "items" if depth < _DEEPEST and _kind(items, root, depth + 1)[0] != "json" else "json"


def _object_kind(node: Schema, root: Schema, depth: int) -> str:
    if node.get("properties"):
        return "object" if depth < _DEEPEST else "json"
    rest = node.get("additionalProperties")
    if not isinstance(rest, Mapping) or (kind := _pair_kind(rest, root)) != "json":
        return kind if isinstance(rest, Mapping) else "json"
    return "entries" if depth < _DEEPEST and rest else "json"


def _pair_kind(value: Schema, root: Schema) -> str:
    node = _resolved(value, root)
    if _is_file(node, root):
        return "files"
    return "pairs" if _type(node) in (*_SCALARS, "boolean") and "enum" not in node else "json"


def _is_file(node: Schema, root: Schema) -> bool:
    """Return whether a node is a FILE (docs/reference/connectors/aws-ses.md): a string, or an
    object with ``data``.
    """
    branches = [_resolved(branch, root) for branch in _branches(node)]
    texts = any(_type(branch) == "string" for branch in branches)
    objects = [(branch.get("properties", {}), branch.get("required", ())) for branch in branches]
    return texts and any(
        "data" in members and ("data" in required or "contentType" in members)
        for members, required in objects
    )


def _branches(node: Schema) -> Iterator[Schema]:
    """Select the branches that declare a type; the others only constrain which members are
    present.
    """
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
