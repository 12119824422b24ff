"""Traversal of a JSON Schema alongside a value: the schemas that apply to each part, and secret
marks.

All branches count, even if the value does not match them: a value that might be a secret is treated
as a secret. References are followed within the schema only (JSON Pointers and ``$anchor``), since
manifests have no others. Manifests are untrusted input, so no keyword is assumed to have the right
type. The module is separate because ``schema`` and ``redaction``, which do not import each other,
both need it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.kernel.pointers import follow

Schema = Mapping[str, Any]
Nodes = tuple[Schema, ...]
"""Type of all schemas that apply to one value, references and combinations resolved."""


def extension(node: object) -> Mapping[str, Any]:
    """Read a schema's ``x-jackfield``; an empty mapping if it is missing."""
    return _map(_map(node).get("x-jackfield"))


def is_secret(node: Schema) -> bool:
    """Return whether the schema marks its value as a secret (docs/reference/manifest.md)."""
    return node.get("writeOnly") is True or node.get("format") == "password"


def branches(node: object, *keywords: str) -> Iterator[Schema]:
    """Yield the schemas in the arrays of these keywords, except ``true`` and ``false``."""
    for keyword in keywords or ("anyOf", "oneOf"):
        yield from (sub for sub in _list(_map(node).get(keyword)) if isinstance(sub, Mapping))


def nodes(root: Schema, *starts: object) -> Nodes:
    """Return the schemas ``starts`` and all schemas that they refer to or combine, each once."""
    found: dict[int, Schema] = {}
    waiting = list(starts)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping) and id(node) not in found:
            found[id(node)] = node
            waiting.extend(_combined(root, node))
    return tuple(found.values())


def _combined(root: Schema, node: Schema) -> Iterator[object]:
    for name in ("$ref", "$dynamicRef"):
        if isinstance(node.get(name), str):
            yield target(root, node[name])
    yield from branches(node, "allOf", "anyOf", "oneOf")
    for name in ("not", "if", "then", "else"):
        yield node.get(name)
    yield from _map(node.get("dependentSchemas")).values()


def target(root: Schema, reference: str) -> object:
    """Return the target of a reference; None if it leaves the schema or points to nothing."""
    base, _, fragment = reference.partition("#")
    if base and base != root.get("$id"):
        return None
    if fragment and not fragment.startswith("/"):
        return _anchored(root, fragment)
    try:
        return follow(root, fragment)
    except LookupError:
        return None


def _anchored(root: Schema, anchor: str) -> object:
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            if anchor in (node.get("$anchor"), node.get("$dynamicAnchor")):
                return node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return None


def members(
    root: Schema, applying: Nodes, value: object
) -> Iterator[tuple[Any, Nodes | None, Any]]:
    """Yield an object's members or an array's items as (name or index, schemas that apply, value).

    The schemas are None for a member that a closed object does not allow.
    """
    if not isinstance(value, (dict, Mapping, list, tuple)):
        return
    alike, known = _Alike(applying), dict[str | int, Nodes | None]()
    if isinstance(value, Mapping):
        for name, member in value.items():
            text = str(name)
            step = alike.step(text)
            if step is None:
                yield name, _below_or_closed(root, applying, text), member
                continue
            if step not in known:
                known[step] = _below_or_closed(root, applying, text)
            yield name, known[step], member
    else:
        for index, item in enumerate(value):
            place = min(index, alike.items)
            if place not in known:
                known[place] = below(root, applying, index)
            yield index, known[place], item


def _below_or_closed(root: Schema, applying: Nodes, name: str) -> Nodes | None:
    known = below(root, applying, name)
    return None if not known and _is_closed(applying, name) else known


class _Alike:
    """Grouping of members and items to which the same schemas apply: undeclared ones, unless a
    pattern may match some of them.
    """

    __slots__ = ("_matches", "_names", "items")

    def __init__(self, applying: Nodes) -> None:
        self._names = frozenset(name for node in applying for name in _map(node.get("properties")))
        self._matches = any(node.get("patternProperties") for node in applying)
        self.items = max(
            (
                len(_list(node.get("prefixItems"))) + len(_list(node.get("items")))
                for node in applying
            ),
            default=0,
        )
        """Number of items that may differ; those after them are alike."""

    def step(self, name: str) -> str | int | None:
        """Return a key that is equal for members with the same schemas; None for a member whose
        schemas may be unique.
        """
        return name if name in self._names else None if self._matches else _REST


_REST = -1
"""Key of the members that no schema declares."""


def below(root: Schema, applying: Nodes, step: str | int) -> Nodes:
    """Return the schemas that apply to the member or item at ``step``."""
    if isinstance(step, str):
        return nodes(root, *(found for node in applying for found in member_schemas(node, step)))
    return nodes(root, *(found for node in applying for found in item_schemas(node, step)))


def member_schemas(node: Schema, name: str) -> list[object]:
    """Return the schemas that a schema applies to a member."""
    properties = _map(node.get("properties"))
    found = [properties[name]] if name in properties else []
    found += [
        schema
        for pattern, schema in _map(node.get("patternProperties")).items()
        if _fits(pattern, name)
    ]
    return found or [node.get("additionalProperties"), node.get("unevaluatedProperties")]


def may_hold(root: Schema, given: object, steps: Sequence[str]) -> bool:
    """Return whether a value of the schema may have a member at these steps of a JSON Pointer. An
    object that declares members has no others, unless its schema allows others.
    """
    if not steps or not isinstance(given, Mapping):
        return True
    found = nodes(root, given)
    name, rest = steps[0], steps[1:]
    closed = False
    for node in found:
        members = node.get("properties", {})
        if name in members:
            return may_hold(root, members[name], rest)
        if isinstance(node.get("items"), Mapping) and (name.isdecimal() or name == "-"):
            return may_hold(root, node["items"], rest)
        extra = node.get("additionalProperties", False if members else None)
        if extra or "patternProperties" in node:
            return may_hold(root, extra, rest) if isinstance(extra, Mapping) else True
        if node.get("type") == "object" and not members and extra is None:
            return True
        closed = (
            closed
            or bool(members)
            or node.get("type") in ("string", "integer", "number", "boolean", "null", "array")
            or "items" in node
        )
    return not closed


def _is_closed(applying: Nodes, name: str) -> bool:
    """Return whether some schema forbids the member and none declares it (a declared member may
    have the schema ``true``).
    """
    spoken = [member_schemas(node, name) for node in applying]
    return any(False in found for found in spoken) and not any(True in found for found in spoken)


def item_schemas(node: Schema, index: int) -> list[object]:
    """Return the schemas that a schema applies to an item."""
    items = node.get("items")
    # Before 2020-12, "prefixItems" was the array form of "items".
    prefix = [*_list(node.get("prefixItems")), *_list(items)]
    rest = [items, node.get("additionalItems"), node.get("unevaluatedItems")]
    return [*([prefix[index]] if index < len(prefix) else rest), node.get("contains")]


class SecretPlaces:
    """Schemas that apply to one part of a value, by default to all of it, and the places of the
    secrets marked there.

    It is created for one schema and used for many values. Findings about members and items are
    cached, except for names that occur only in values.
    """

    __slots__ = ("_alike", "_applying", "_known", "_root", "_shared", "is_secret", "reaches")

    def __init__(
        self, root: Schema, applying: Nodes | None = None, shared: _Shared | None = None
    ) -> None:
        self._root = root
        self._applying = nodes(root, root) if applying is None else applying
        self._shared: _Shared = (_reaching(root), {}) if shared is None else shared
        self.is_secret = any(map(is_secret, self._applying))
        """True if the part is a secret."""
        self.reaches = any(id(node) in self._shared[0] for node in self._applying)
        """True if the part or one below it may be a secret."""
        self._alike = _Alike(self._applying)
        self._known: dict[str | int, SecretPlaces | None] = {}

    def below(self, step: str | int) -> SecretPlaces | None:
        """Return the places at a member or an item; None for a member that a closed object does not
        allow.
        """
        key = min(step, self._alike.items) if isinstance(step, int) else self._alike.step(step)
        if key is None:
            return self._places_below(step)
        if key not in self._known:
            self._known[key] = self._places_below(step)
        return self._known[key]

    def _places_below(self, step: str | int) -> SecretPlaces | None:
        applying = below(self._root, self._applying, step)
        if not applying and isinstance(step, str) and _is_closed(self._applying, step):
            return None
        key = tuple(map(id, applying))
        made = self._shared[1]
        found = made.get(key)
        if found is None:
            found = made[key] = SecretPlaces(self._root, applying, self._shared)
        return found


_Shared = tuple[frozenset[int], dict[tuple[int, ...], SecretPlaces]]
"""State of one schema's secret places: the schemas that contain a secret, and the cached places, by
IDs that stay valid while the root lives.
"""


def _reaching(root: Schema) -> frozenset[int]:
    """Return the IDs of the schemas that mark a secret, or contain a schema that does."""
    above: dict[int, list[int]] = {id(root): []}
    waiting, secrets = [root], []
    while waiting:
        node = waiting.pop()
        if is_secret(node):
            secrets.append(id(node))
        for sub in (*_combined(root, node), *_parts(node)):
            if isinstance(sub, Mapping):
                if id(sub) not in above:
                    above[id(sub)] = []
                    waiting.append(sub)
                above[id(sub)].append(id(node))
    found: set[int] = set()
    while secrets:
        one = secrets.pop()
        if one not in found:
            found.add(one)
            secrets.extend(above[one])
    return frozenset(found)


def _parts(node: Schema) -> Iterator[object]:
    for word in ("properties", "patternProperties"):
        yield from _map(node.get(word)).values()
    for word in (
        "additionalProperties",
        "unevaluatedProperties",
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
    ):
        yield node.get(word)
    for word in ("prefixItems", "items"):
        yield from _list(node.get(word))


def _fits(pattern: str, name: str) -> bool:
    from jackfield.kernel.patterns import sorted_pattern

    try:
        return sorted_pattern(pattern).finds(name)
    except ValueError:
        return True  # no engine takes it: it may match


def _map(value: object) -> Mapping[str, Any]:
    # dict first: isinstance with an abstract class is slow
    return value if isinstance(value, (dict, Mapping)) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
