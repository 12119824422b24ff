"""Whether a schema is one, before any engine sees it, and what its references point to.

Both engines check schemas too, each with its own words and places; this check comes first, so that authors read the same sentence
with either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from jackfield.schema.kinds import TYPES, Json, Node, SchemaError
from jackfield.schema.pointer import child, follow
from jackfield.schema.wording import name_of, one_of

__all__ = ["SUBSCHEMA", "SUBSCHEMA_LISTS", "SUBSCHEMA_MAPS", "Outline", "check_schema", "in_place"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SUBSCHEMA = frozenset(
    {"additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
"""Keywords whose value is a schema."""
SUBSCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords whose value is an array of schemas."""
SUBSCHEMA_MAPS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
"""Keywords whose value is an object of schemas."""


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Json) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_flag(value: Json) -> bool:
    return isinstance(value, bool)


def _is_object(value: Json) -> bool:
    return isinstance(value, dict)


def _is_names(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)


def _is_type(value: Json) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in TYPES for name in names) and len(set(names)) == len(names)


_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_RULES: Mapping[str, tuple[Callable[[Json], bool], str]] = {
    "type": (_is_type, f"must be one or several of {one_of(list(TYPES))}"),
    "enum": (lambda value: isinstance(value, list) and bool(value), "must be an array of values"),
    "required": (_is_names, "must be an array of different names"),
    "dependentRequired": (
        lambda value: isinstance(value, dict) and all(map(_is_names, value.values())),
        "must be an object whose members are arrays of different names",
    ),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "must be a number above 0"),
    **dict.fromkeys(_NUMBERS, (_is_number, "must be a number")),
    **dict.fromkeys(_COUNTS, (_is_count, "must be a whole number of at least 0")),
    **dict.fromkeys(("uniqueItems", "writeOnly"), (_is_flag, "must be true or false")),
    **dict.fromkeys(("pattern", "format", "$ref", "$dynamicRef", "$anchor", "$dynamicAnchor", "$id"), (_is_text, "must be a string")),
    **dict.fromkeys(("x-jackfield", *SUBSCHEMA_MAPS), (_is_object, "must be an object")),
    **dict.fromkeys(SUBSCHEMA_LISTS, (lambda value: isinstance(value, list) and bool(value), "must be an array of schemas")),
    "$schema": (lambda value: isinstance(value, str) and value.rstrip("#") == DIALECT, f"must be {DIALECT}"),
}


@dataclass(frozen=True, slots=True)
class Outline:
    """What a schema refers to: what each reference (``$ref``, ``$dynamicRef``) points to, and each pattern with its place."""

    targets: Mapping[str, Node]
    patterns: Mapping[str, str]
    nodes: tuple[Mapping[str, Json], ...]


def check_schema(root: Json) -> Outline:
    """Check a schema, which is plain JSON, and every schema in it; only references into the schema itself are followed.

    :raises SchemaError: at the first fault.
    """
    check = _Check(root)
    check.schema(root, "")
    check.resolve()
    check.refuse_loops()
    return Outline(check.targets, check.patterns, tuple(node for _, node in check.nodes))


class _Check:
    def __init__(self, root: Json) -> None:
        self.root = root
        self.targets: dict[str, Node] = {}
        self.patterns: dict[str, str] = {}
        self._own_id = root.get("$id") if isinstance(root, dict) else None
        self._places: dict[int, str] = {}
        self._anchors: dict[str, Node] = {}
        self._references: list[tuple[str, str]] = []
        self.nodes: list[tuple[str, Mapping[str, Json]]] = []

    def schema(self, node: Json, place: str) -> None:
        if isinstance(node, bool) or id(node) in self._places:
            return
        if not isinstance(node, dict):
            raise SchemaError(place, "a schema must be an object, true or false")
        self._places[id(node)] = place
        self.nodes.append((place, node))
        for keyword, value in node.items():
            holds, reason = _RULES.get(keyword, (None, ""))
            if holds is not None and not holds(value):
                raise SchemaError(child(place, keyword), f"'{keyword}' {reason}")
            self._names(node, keyword, value, place)
            for below, sub in _subschemas(keyword, value):
                self.schema(sub, child(place, keyword) + below)

    def _names(self, node: Node, keyword: str, value: Json, place: str) -> None:
        if keyword in ("$anchor", "$dynamicAnchor"):
            self._anchors[value] = node
        elif keyword in ("$ref", "$dynamicRef"):
            self._references.append((value, child(place, keyword)))
        elif keyword == "pattern":
            self.patterns.setdefault(value, child(place, keyword))
        elif keyword == "patternProperties":
            for pattern in value:
                self.patterns.setdefault(pattern, child(child(place, keyword), pattern))
        elif keyword == "$id" and place:
            raise SchemaError(child(place, keyword), "'$id' may stand at the root only")

    def resolve(self) -> None:
        for reference, place in self._references:  # grows while targets are checked that nothing else had reached
            if reference not in self.targets:
                self.targets[reference] = target = self._target(reference, place)
                self.schema(target, reference.partition("#")[2])

    def _target(self, reference: str, place: str) -> Node:
        base, _, fragment = reference.partition("#")
        if base and base != self._own_id:
            raise SchemaError(place, f"{name_of(reference)} points out of the schema; only references into it ('#/$defs/…') are followed")
        if fragment in self._anchors:
            return self._anchors[fragment]
        try:
            target: Node = follow(self.root, fragment)
        except LookupError:
            raise SchemaError(place, f"{name_of(reference)} points to nothing") from None
        return target

    def refuse_loops(self) -> None:
        """A schema that refers to itself at the same place of the value could never be judged."""
        done: set[int] = set()
        for place, node in self.nodes:
            self._walk(node, place, set(), done)

    def _walk(self, node: Node, place: str, open_nodes: set[int], done: set[int]) -> None:
        if id(node) in open_nodes:
            raise SchemaError(place, "the schema refers to itself without end")
        if id(node) in done or isinstance(node, bool):
            return
        open_nodes.add(id(node))
        for sub in in_place(node, self.targets):
            self._walk(sub, place, open_nodes, done)
        open_nodes.discard(id(node))
        done.add(id(node))


def _subschemas(keyword: str, value: Json) -> Iterator[tuple[str, Json]]:
    if keyword in SUBSCHEMA:
        yield "", value
    elif keyword in SUBSCHEMA_LISTS:
        yield from ((child("", index), sub) for index, sub in enumerate(value))
    elif keyword in SUBSCHEMA_MAPS:
        yield from ((child("", name), sub) for name, sub in value.items())


def in_place(node: Mapping[str, Json], targets: Mapping[str, Node]) -> Iterator[Node]:
    """The schemas that a schema applies to the very value that it is applied to."""
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in node:
            yield targets[node[keyword]]
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from node.get(keyword, ())
    for keyword in ("not", "if", "then", "else"):
        if keyword in node:
            yield node[keyword]
    yield from node.get("dependentSchemas", {}).values()
