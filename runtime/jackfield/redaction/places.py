"""Which parts of a JSON Schema speak about which part of a value.

All branches count, whether or not the value fits them: where a value might be a secret it is treated as one. References
are followed within the schema only (RFC 6901 pointers and ``$anchor``), since manifests hold no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Nodes", "Schema", "is_reference", "members", "nodes"]

Schema = Mapping[str, Any]
Nodes = tuple[Schema, ...]
"""All schemas that apply to one value, references and combinations resolved."""


def is_reference(value: object) -> bool:
    """Whether the value names a secret instead of holding it: ``{"$env": "NAME"}``, ``{"$file": "path"}``."""
    return isinstance(value, Mapping) and len(value) == 1 and all(str(name).startswith("$") for name in value)


def nodes(root: Schema, *starts: object) -> Nodes:
    """The schemas ``starts`` and all that they refer to or combine, each once."""
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
            yield _target(root, node[name])
    for name in ("allOf", "anyOf", "oneOf"):
        yield from _list(node.get(name))
    for name in ("if", "then", "else"):
        yield node.get(name)
    yield from _map(node.get("dependentSchemas")).values()


def _target(root: Schema, reference: str) -> object:
    if not reference.startswith("#"):
        return None
    if reference == "#" or reference.startswith("#/"):
        return _pointed(root, reference[1:])
    return _anchored(root, reference[1:])


def _pointed(root: Schema, pointer: str) -> object:
    from urllib.parse import unquote  # noqa: PLC0415 (only a schema with references pays for it)

    node: Any = root
    for step in unquote(pointer).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = node.get(name)
        elif isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node


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


def members(root: Schema, applying: Nodes, value: object) -> Iterator[tuple[Any, Nodes | None, Any]]:
    """Each member of an object or item of an array: its name or index, the schemas that apply to it, and itself.

    None stands for the schemas of a member that a closed object does not know.
    """
    if isinstance(value, Mapping):
        for name, member in value.items():
            known = nodes(root, *(found for node in applying for found in _of_member(node, str(name))))
            yield name, None if not known and _is_closed(applying, str(name)) else known, member
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield index, nodes(root, *(found for node in applying for found in _of_item(node, index))), item


def _of_member(node: Schema, name: str) -> list[object]:
    properties = _map(node.get("properties"))
    found = [properties[name]] if name in properties else []
    found += [schema for pattern, schema in _map(node.get("patternProperties")).items() if _fits(pattern, name)]
    return found or [node.get("additionalProperties"), node.get("unevaluatedProperties")]


def _is_closed(applying: Nodes, name: str) -> bool:
    """Whether some schema refuses the member and none knows it (a known one may have the schema ``true``)."""
    spoken = [_of_member(node, name) for node in applying]
    return any(False in found for found in spoken) and not any(True in found for found in spoken)


def _of_item(node: Schema, index: int) -> list[object]:
    items = node.get("items")
    # Before 2020-12 the array form of "items" was what "prefixItems" is now.
    prefix = [*_list(node.get("prefixItems")), *_list(items)]
    rest = [items, node.get("additionalItems"), node.get("unevaluatedItems")]
    return [*([prefix[index]] if index < len(prefix) else rest), node.get("contains")]


def _fits(pattern: str, name: str) -> bool:
    import re  # noqa: PLC0415 (only a schema with patterns pays for it)

    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True  # a pattern that only ECMAScript understands: it may fit


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
