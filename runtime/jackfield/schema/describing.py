"""Short descriptions of what a schema accepts: "a string, or an array", "an object with 'data'"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.schema.facts import types_of
from jackfield.schema.formats import FORMATS
from jackfield.schema.json_types import ALL_KINDS, TYPES, type_words
from jackfield.schema.wording import either, listed, name_of, one_of, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json, Node

__all__ = ["described", "described_each"]


def described(facts: SchemaFacts, node: Node) -> str:
    """Return a noun phrase for the values that a schema accepts."""
    if isinstance(node, bool):
        return "any value" if node else "nothing"
    if "const" in node:
        return quote(node["const"])
    if "enum" in node:
        return one_of(node["enum"])
    hint = node.get("x-jackfield", {}).get("expects")
    if hint:
        return str(hint)
    for sub in facts.references(node):
        return described(facts, sub)
    return _by_shape(facts, node)


def described_each(facts: SchemaFacts, nodes: list[Node]) -> str:
    """Return the alternatives among several schemas, without duplicates."""
    return either(list(dict.fromkeys(described(facts, node) for node in nodes)))


def _by_shape(facts: SchemaFacts, node: Mapping[str, Json]) -> str:
    noun = FORMATS.get(node.get("format", ""))
    kinds = facts.accepted(node)
    if noun is not None and kinds == {"string"}:
        return noun
    if node.get("required") and kinds in ({"object"}, ALL_KINDS):
        return f"an object with {listed([name_of(name) for name in node['required']], 'and')}"
    if "type" in node:
        return either(type_words(types_of(node)))
    if kinds == ALL_KINDS:
        return "of the required form"
    return either(type_words(_types(kinds)))


def _types(kinds: frozenset[str]) -> list[str]:
    names = [name for name, members in TYPES.items() if members <= kinds]
    return [name for name in names if not (name == "integer" and "number" in names)]
