"""What is known of one schema after compiling it: its references, its patterns, which kinds of value each part takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jackfield.schema.kinds import ALL_KINDS, TYPES, Json, Node, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Known", "is_sensitive", "types_of"]

_NO_KINDS: frozenset[str] = frozenset()


def is_sensitive(node: Mapping[str, Json]) -> bool:
    """Whether a schema marks its value as one that no message may quote."""
    hints = node.get("x-jackfield", {})
    return bool(node.get("writeOnly") is True or node.get("format") == "password" or hints.get("sensitive") or hints.get("mask"))


@dataclass(frozen=True, slots=True)
class Known:
    """A schema that has been checked. ``noun`` is what its top-level members are called."""

    root: Node
    targets: Mapping[str, Node]
    matchers: Mapping[str, Callable[[str], bool]]
    noun: str
    has_secrets: bool
    _kinds: dict[int, frozenset[str]] = field(default_factory=dict)  # a cache; two threads would write the same

    def matches(self, pattern: str, text: str) -> bool:
        """Whether the pattern is found anywhere in the text."""
        return self.matchers[pattern](text)

    def references(self, node: Mapping[str, Json]) -> Iterator[Node]:
        """What the schema refers to for the very same value."""
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in node:
                yield self.targets[node[keyword]]

    def accepted(self, node: Node) -> frozenset[str]:
        """The kinds of value that the schema can take at all, by its types, values and branches."""
        if isinstance(node, bool):
            return ALL_KINDS if node else _NO_KINDS
        found = self._kinds.get(id(node))
        if found is None:
            found = self._kinds[id(node)] = self._accepted(node)
        return found

    def _accepted(self, node: Mapping[str, Json]) -> frozenset[str]:
        kinds = ALL_KINDS
        if "type" in node:
            kinds &= _NO_KINDS.union(*(TYPES[name] for name in types_of(node)))
        if "enum" in node:
            kinds &= {kind_of(value) for value in node["enum"]}
        if "const" in node:
            kinds &= {kind_of(node["const"])}
        for sub in (*self.references(node), *node.get("allOf", ())):
            kinds &= self.accepted(sub)
        for keyword in ("anyOf", "oneOf"):
            if keyword in node:
                kinds &= _NO_KINDS.union(*map(self.accepted, node[keyword]))
        return kinds


def types_of(node: Mapping[str, Json]) -> list[str]:
    """The declared types, in the order of the schema."""
    types = node["type"]
    return [types] if isinstance(types, str) else types
