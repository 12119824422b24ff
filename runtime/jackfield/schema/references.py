"""The schemas inside a schema, and the targets of its references.

The engine checks everything else about a schema. References are resolved here because preparing and
explaining need their targets. References that leave the schema or form a circle are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.pointers import child, follow
from jackfield.schema.json_types import Json, Node, SchemaError
from jackfield.schema.wording import name_of

SUBSCHEMA = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
    }
    | {"unevaluatedItems", "unevaluatedProperties"}
)
"""Keywords whose value is a schema."""
SUBSCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords whose value is an array of schemas."""
SUBSCHEMA_MAPS = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)
"""Keywords whose value is an object of schemas."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Schemas inside a schema with their places, the targets of its references, and its patterns,
    with those for names listed separately.
    """

    placed: tuple[tuple[str, Mapping[str, Json]], ...]
    targets: Mapping[str, Node]
    patterns: frozenset[str]
    name_patterns: frozenset[str]

    @property
    def nodes(self) -> list[Mapping[str, Json]]:
        """Schemas without their places."""
        return [node for _, node in self.placed]


def check_references(root: Json, check_form: Callable[[Json], None]) -> Outline:
    """Collect the schemas inside a well-formed schema and the targets of its references, checking
    the form of each target.

    :raises SchemaError: at the first fault.
    """
    check = _Check(root, check_form)
    check.schema(root, "")
    check.resolve()
    check.refuse_loops()
    return Outline(
        tuple(check.nodes),
        check.targets,
        frozenset(node["pattern"] for _, node in check.nodes if "pattern" in node),
        frozenset(
            pattern for _, node in check.nodes for pattern in node.get("patternProperties", ())
        ),
    )


class _Check:
    def __init__(self, root: Json, check_form: Callable[[Json], None]) -> None:
        self.root = root
        self.targets: dict[str, Node] = {}
        self.nodes: list[tuple[str, Mapping[str, Json]]] = []
        self._check_form = check_form
        self._own_id = root.get("$id") if isinstance(root, dict) else None
        self._seen: set[int] = set()
        self._anchors: dict[str, Node] = {}
        self._references: list[tuple[str, str]] = []

    def schema(self, node: Json, place: str) -> None:
        if isinstance(node, bool) or id(node) in self._seen:
            return
        self._seen.add(id(node))
        self.nodes.append((place, node))
        if not isinstance(node.get("x-jackfield", {}), dict):
            raise SchemaError(child(place, "x-jackfield"), "'x-jackfield' must be an object")
        for keyword in ("$id", "$schema"):
            if place and keyword in node:
                raise SchemaError(child(place, keyword), f"'{keyword}' may stand at the root only")
        if "dependencies" in node:  # the engine judges this one of older drafts
            raise SchemaError(
                child(place, "dependencies"),
                "is of older drafts: write 'dependentSchemas' or 'dependentRequired'",
            )
        for keyword, value in node.items():
            if keyword in ("$anchor", "$dynamicAnchor"):
                self._anchors[value] = node
            elif keyword in ("$ref", "$dynamicRef"):
                self._references.append((value, child(place, keyword)))
            for below, sub in _subschemas(keyword, value):
                self.schema(sub, child(place, keyword) + below)

    def resolve(self) -> None:
        # grows while checking targets that nothing else reached
        for reference, place in self._references:
            if reference not in self.targets:
                self.targets[reference] = target = self._target(reference, place)
                if id(target) not in self._seen:
                    self._check_target(target, reference.partition("#")[2])

    def _check_target(self, target: Json, place: str) -> None:
        try:
            self._check_form(target)
        except SchemaError as error:
            raise SchemaError(place + error.pointer, error.reason) from None
        self.schema(target, place)

    def _target(self, reference: str, place: str) -> Node:
        base, _, fragment = reference.partition("#")
        if base and base != self._own_id:
            raise SchemaError(
                place,
                f"{name_of(reference)} points outside the schema; references within it "
                "('#/$defs/…') are followed",
            )
        if fragment in self._anchors:
            return self._anchors[fragment]
        try:
            target: Node = follow(self.root, fragment)
        except LookupError:
            raise SchemaError(place, f"{name_of(reference)} points to nothing") from None
        return target

    def refuse_loops(self) -> None:
        """Refuse a schema that refers to itself at the same place of the value, since traversing it
        would never end.
        """
        done: set[int] = set()
        for place, node in self.nodes:
            self._walk(node, place, done)

    def _walk(self, start: Node, place: str, done: set[int]) -> None:
        begun: set[int] = set()
        stack = [(start, False)]  # instead of recursion: chains of references may be long
        while stack:
            node, left = stack.pop()
            if left:
                begun.discard(id(node))
                done.add(id(node))
            elif id(node) in begun:
                raise SchemaError(place, "the schema refers to itself without end")
            elif id(node) not in done and not isinstance(node, bool):
                begun.add(id(node))
                stack.append((node, True))
                stack.extend((sub, False) for sub in in_place(node, self.targets))


def _subschemas(keyword: str, value: Json) -> Iterator[tuple[str, Json]]:
    if keyword in SUBSCHEMA:
        yield "", value
    elif keyword in SUBSCHEMA_LISTS:
        yield from ((child("", index), sub) for index, sub in enumerate(value))
    elif keyword in SUBSCHEMA_MAPS:
        yield from ((child("", name), sub) for name, sub in value.items())


def in_place(node: Mapping[str, Json], targets: Mapping[str, Node]) -> Iterator[Node]:
    """Yield the schemas that a schema applies to its own value."""
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in node:
            yield targets[node[keyword]]
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from node.get(keyword, ())
    for keyword in ("not", "if", "then", "else"):
        if keyword in node:
            yield node[keyword]
    yield from node.get("dependentSchemas", {}).values()
