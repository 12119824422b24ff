"""Marks in schemas: IDs in providers' answers that later events refer to, and recipients among
inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Places = Sequence[tuple[str, ...]]


def marked_places(schema: Mapping[str, Any], mark: str) -> Places:
    """Return the places that a schema marks ``reference`` or ``recipient``: members, and members of
    the objects of a list.
    """
    found: list[tuple[str, ...]] = []
    for name, member in _properties(schema, schema):
        if _is_marked(member, mark):
            found.append((name,))
        elif "items" in member:
            found += [
                (name, inner)
                for inner, part in _properties(_resolved(member["items"], schema), schema)
                if _is_marked(part, mark)
            ]
    return tuple(found)


def references_in(output: Mapping[str, Any], places: Places, connector: str) -> list[str]:
    """Return the digests of the references in a connector's output."""
    found: list[Any] = []
    for name, *rest in places:
        value = output.get(name)
        found += (
            [value]
            if not rest
            else [one.get(rest[0]) for one in value or () if isinstance(one, Mapping)]
        )
    return [reference_of(connector, value) for value in found if isinstance(value, str) and value]


def _properties(schema: Any, root: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    members = _resolved(schema, root).get("properties")
    return (
        [(name, part) for name, part in members.items() if isinstance(part, Mapping)]
        if isinstance(members, Mapping)
        else []
    )


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        schema = root.get("$defs", {}).get(reference[len("#/$defs/") :])
    return schema if isinstance(schema, Mapping) else {}


def _is_marked(schema: Mapping[str, Any], mark: str) -> bool:
    marks = schema.get("x-jackfield")
    return isinstance(marks, Mapping) and marks.get(mark) is True


def reference_of(connector: str, text: str) -> str:
    """Return the digest by which a provider's ID is looked up."""
    return hashlib.sha256(f"{connector}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
