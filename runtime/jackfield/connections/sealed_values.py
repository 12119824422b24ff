"""Connection values in two parts: readable in the database, and sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from jackfield.json_pointer import child, names
from jackfield.redaction.marks import is_reference, is_secret
from jackfield.schema_walk import Nodes, Schema, members, nodes

__all__ = ["PLACEHOLDER", "Parts", "joined", "parted", "secret_places"]

PLACEHOLDER = "***"
"""Stands for a sealed value in the open part, and for an unchanged one in an edited connection."""


@dataclass(frozen=True, slots=True, repr=False)
class Parts:
    """``public`` has the shape of the values, with a placeholder for each secret; ``secrets`` are the secrets as JSON, by JSON Pointer."""

    public: Mapping[str, Any]
    secrets: Mapping[str, bytes]

    def __reduce__(self) -> NoReturn:
        raise TypeError("connection values cannot be pickled: they hold secrets")


def parted(schema: Schema, values: Mapping[str, Any]) -> Parts:
    """Separate the secrets from ``values``: those that ``schema`` marks, and members that it does not know. References stay, since they
    contain no secret."""
    secrets: dict[str, bytes] = {}
    return Parts(_open_part(schema, nodes(schema, schema), values, "", secrets), secrets)


def _open_part(root: Schema, applying: Nodes | None, value: Any, path: str, secrets: dict[str, bytes]) -> Any:
    if is_reference(value) or value is None:
        return value
    if applying is None or is_secret(applying):
        secrets[path] = json.dumps(value).encode()
        return PLACEHOLDER
    if isinstance(value, Mapping):
        found = members(root, applying, value)
        return {name: _open_part(root, known, member, child(path, name), secrets) for name, known, member in found}
    if isinstance(value, list | tuple):
        return [_open_part(root, known, item, child(path, place), secrets) for place, known, item in members(root, applying, value)]
    return value


def joined(public: Mapping[str, Any], secrets: Mapping[str, bytes]) -> Mapping[str, Any]:
    """Put the secrets back into ``public``, which is modified, and return it.

    :raises LookupError: if ``public`` lacks the place of a secret.
    """
    for path, text in secrets.items():
        *parents, last = names(path)
        node: Any = public
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        node[int(last) if isinstance(node, list) else last] = json.loads(text)
    return public


def secret_places(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """Return JSON Pointers to the values that ``schema`` marks as secret, whether given or referenced."""
    return frozenset(_secret(schema, nodes(schema, schema), values, ""))


def _secret(root: Schema, applying: Nodes | None, value: Any, path: str) -> Iterator[str]:
    if applying is None or is_secret(applying):
        yield path
    elif isinstance(value, Mapping | list | tuple) and not is_reference(value):
        for name, known, member in members(root, applying, value):
            yield from _secret(root, known, member, child(path, name))
