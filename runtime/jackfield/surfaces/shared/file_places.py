"""Where inputs name uploaded files: ``{"file": id}`` in the places at which the action's schema takes a FILE, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.json_pointer import names, pointer

__all__ = ["Place", "file_places"]

_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Place:
    """One ``{"file": id}``: the steps to it, and its JSON Pointer."""

    steps: tuple[str | int, ...]
    identifier: str

    @property
    def path(self) -> str:
        """The JSON Pointer (RFC 6901)."""
        return pointer(*self.steps)


def file_places(inputs: object, schema: Mapping[str, Any]) -> Iterator[Place]:
    """The files that ``inputs`` name."""
    yield from _places(inputs, [schema], schema, ())


def _places(value: object, schemas: list[Any], root: Mapping[str, Any], steps: tuple[str | int, ...]) -> Iterator[Place]:
    if not isinstance(value, dict | list) or not value or len(steps) > _DEPTH:
        return
    found = [item for schema in schemas for item in _alternatives(schema, root, 0)]
    if isinstance(value, list):
        inner = [item["items"] for item in found if "items" in item]
        for number, item in enumerate(value):
            yield from _places(item, inner, root, (*steps, number))
    elif steps and value.keys() == {"file"} and isinstance(value["file"], str) and any(_takes_file(item) for item in found):
        yield Place(steps, value["file"])
    else:
        for name, item in value.items():
            yield from _places(item, [_member(schema, name) for schema in found], root, (*steps, name))


def _alternatives(schema: Any, root: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 (JSON Schema)
    """A schema and all that it refers to for the same value."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        yield from _alternatives(_looked_up(root, reference), root, depth + 1)
    for member in ("anyOf", "oneOf", "allOf"):
        for item in schema.get(member, ()):
            yield from _alternatives(item, root, depth + 1)


def _looked_up(root: Mapping[str, Any], reference: str) -> Any:  # noqa: ANN401 (JSON Schema)
    found: Any = root
    for name in names(reference.removeprefix("#")):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _takes_file(schema: Mapping[str, Any]) -> bool:
    """Whether the schema is that of a FILE in its long form, and has no ``file`` of its own."""
    properties = schema.get("properties")
    return isinstance(properties, Mapping) and {"data", "contentType"} <= properties.keys() and "file" not in properties


def _member(schema: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 (JSON Schema)
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    return schema.get("additionalProperties")
