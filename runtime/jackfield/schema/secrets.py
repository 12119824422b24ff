"""Which places of a value are secret: marked by any schema that applies there, be it beside the one that finds a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.schema.known import is_sensitive
from jackfield.schema.pointer import child
from jackfield.schema.wellformed import in_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jackfield.schema.kinds import Json, Node
    from jackfield.schema.known import Known

__all__ = ["secret_places"]


def secret_places(known: Known, value: Json) -> frozenset[str]:
    """Pointers to the marked places. Branches that do not apply count too: better one quotation less."""
    places: set[str] = set()
    seen: set[tuple[int, str]] = set()
    pending: list[tuple[Node, Json, str]] = [(known.root, value, "")]
    while pending:
        node, part, path = pending.pop()
        if isinstance(node, bool) or (id(node), path) in seen:
            continue
        seen.add((id(node), path))
        if is_sensitive(node):
            places.add(path)
            continue
        pending.extend((sub, part, path) for sub in in_place(node, known.targets))
        pending.extend((sub, item, child(path, name)) for sub, item, name in _members(known, node, part))
    return frozenset(places)


def _members(known: Known, node: Mapping[str, Json], value: Json) -> Iterator[tuple[Node, Json, str | int]]:
    if isinstance(value, dict):
        for name, item in value.items():
            for sub in _member_schemas(known, node, name):
                yield sub, item, name
    elif isinstance(value, list):
        prefix = node.get("prefixItems", ())
        for index, item in enumerate(value):
            if index < len(prefix):
                yield prefix[index], item, index
            for keyword in ("items", "contains", "unevaluatedItems"):
                if keyword in node:
                    yield node[keyword], item, index


def _member_schemas(known: Known, node: Mapping[str, Json], name: str) -> Iterator[Node]:
    properties = node.get("properties", {})
    if name in properties:
        yield properties[name]
    for pattern, sub in node.get("patternProperties", {}).items():
        if known.matches(pattern, name):
            yield sub
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if keyword in node and name not in properties:
            yield node[keyword]
