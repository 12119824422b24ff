"""Facts about one compiled schema: its references, its patterns, and the JSON types that each part
accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent_encoded

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.pointers import follow, names
from jackfield.kernel.walk import Nodes, extension, is_secret, nodes
from jackfield.schema.engine import NAME, compile_part
from jackfield.schema.formats import FORMATS
from jackfield.schema.json_types import ALL_KINDS, TYPES, Json, Node, kind_of, type_words
from jackfield.schema.references import SUBSCHEMA_LISTS, SUBSCHEMA_MAPS
from jackfield.schema.wording import either, listed, name_of, one_of, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from jackfield.schema.cost import Numbers
    from jackfield.schema.json_types import Json, Node
    from jackfield.schema.references import Outline
    from jackfield.schema.shallow import Shallow

_OF_NAMES = SUBSCHEMA_LISTS | SUBSCHEMA_MAPS
_NO_KINDS: frozenset[str] = frozenset()


def is_sensitive(node: Mapping[str, Json]) -> bool:
    """Return True if a schema marks its value as one that no message may quote."""
    hints = extension(node)
    return is_secret(node) or bool(hints.get("sensitive") or hints.get("mask"))


@dataclass(frozen=True, slots=True)
class SchemaFacts:
    """Checked schema, in the form compiled for the engine.

    ``noun`` denotes its top-level members in messages. ``spread`` is roughly the maximum number of
    errors of one part of a value, ``cost`` the number of steps to judge it, ``numbers`` the values
    of its comparisons. ``slow`` are the formats of slow patterns, ``again`` the schemas (by ``id``)
    to which recursion leads back.
    """

    root: Node
    outline: Outline
    cost: int
    numbers: Numbers
    again: frozenset[int]
    slow: frozenset[str]
    matchers: Mapping[str, Callable[[str], bool]]
    patterns: Mapping[str, str]
    noun: str
    has_secrets: bool
    spread: int
    validator: Any
    _shallow: list[Shallow] = field(default_factory=list)
    # caches; concurrent threads would store equal values
    _kinds: dict[int, frozenset[str]] = field(default_factory=dict)
    _parts: dict[str, Any] = field(default_factory=dict)
    _locations: dict[str, tuple[str | None, str, Mapping[str, Json]]] = field(default_factory=dict)
    _applying: dict[tuple[int, ...], tuple[Nodes, bool]] = field(default_factory=dict)

    def applying(self, starts: tuple[object, ...]) -> tuple[Nodes, bool]:
        """Return the schemas with all schemas that they refer to or combine, and whether one of
        them marks a secret.
        """
        key = tuple(map(id, starts))  # parts of the root, which lives as long as this object
        found = self._applying.get(key)
        if found is None:
            applying = nodes(self.root if isinstance(self.root, Mapping) else {}, *starts)
            found = self._applying[key] = (applying, any(map(is_sensitive, applying)))
        return found

    def validator_at(self, pointer: str) -> Any:
        """Return the compiled part at a pointer, in the form that explains; each part is compiled
        once.
        """
        found = self._parts.get(pointer)
        if found is None:
            shallow = self.shallow
            documents = {NAME: self.root, shallow.uri: shallow.document}
            found = self._parts[pointer] = compile_part(
                documents, shallow.reference(pointer), self.slow
            )
        return found

    @property
    def targets(self) -> Mapping[str, Node]:
        """Target of each reference."""
        return self.outline.targets

    @property
    def shallow(self) -> Shallow:
        """Form that explains, created at the first fault."""
        if not self._shallow:
            from jackfield.schema.shallow import Shallow

            annotated = any(
                "unevaluatedProperties" in node or "unevaluatedItems" in node
                for node in self.outline.nodes
            )
            places = {id(node): place for place, node in self.outline.placed}
            self._shallow.append(
                Shallow(self.root, self.targets, places, self.again, annotated=annotated)
            )
        return self._shallow[0]

    def located(self, location: str) -> tuple[str | None, str, Mapping[str, Json]]:
        """Split an error's location into the keyword (None for a name or an index), the pointer to
        its schema, and that schema.
        """
        found = self._locations.get(location)
        if found is None:
            keyword: str | None = None
            pointer = self.shallow.keyword_at(location)
            for step in names(pointer):
                if keyword == "dependentRequired":  # the index that follows is the engine's own
                    pointer = pointer.rpartition("/")[0]
                else:
                    keyword = None if keyword in _OF_NAMES else step
            place = pointer.rpartition("/")[0]
            node = follow(self.root, percent_encoded(place))
            found = self._locations[location] = (
                keyword,
                place,
                node if isinstance(node, Mapping) else {},
            )
        return found

    def first_error(self, place: str, value: Json) -> Any:
        """Return the first error of a value that the part at ``place`` refuses."""
        try:
            self.validator_at(place).validate(value)
        except ValueError as error:
            return error
        raise AssertionError("a valid value has no error")

    def author_pattern(self, pattern: str) -> str:
        """Return the pattern as its author wrote it."""
        return self.patterns.get(pattern, pattern)

    def matches(self, pattern: str, text: str) -> bool:
        """Return whether the pattern occurs anywhere in the text."""
        return self.matchers[pattern](text)

    def references(self, node: Mapping[str, Json]) -> Iterator[Node]:
        """Yield the schemas that the schema refers to for the same value."""
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in node:
                yield self.targets[node[keyword]]

    def always(self, starts: Iterable[Node]) -> Iterator[Mapping[str, Json]]:
        """Yield the schemas that apply to a value of any type to which ``starts`` apply, each
        once.
        """
        waiting, seen = [*starts][::-1], set()
        while waiting:
            node = waiting.pop()
            if not isinstance(node, bool) and id(node) not in seen:
                seen.add(id(node))
                yield node
                waiting += [*self.references(node), *node.get("allOf", ())][::-1]

    def accepted(self, node: Node) -> frozenset[str]:
        """Return the kinds of value that the schema can accept, by its types, values and
        branches.
        """
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
    """Return the declared types, in the order of the schema."""
    types = node["type"]
    return [types] if isinstance(types, str) else types


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
