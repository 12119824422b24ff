"""References to uploaded files in inputs: ``{"file": id}``, only in places where the action's schema takes a FILE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial, reduce

from jackfield.json_pointer import pointer
from jackfield.schema_walk import Schema, below, nodes

__all__ = ["Place", "file_places"]

_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Place:
    """One ``{"file": id}``: the steps to it and its JSON Pointer."""

    steps: tuple[str | int, ...]
    identifier: str

    @property
    def path(self) -> str:
        """JSON Pointer of the reference (RFC 6901)."""
        return pointer(*self.steps)


def file_places(inputs: object, schema: Schema) -> Iterator[Place]:
    """Find the files that ``inputs`` refer to."""
    for place in _candidates(inputs, ()):
        if any(map(_takes_file, reduce(partial(below, schema), place.steps, nodes(schema, schema)))):
            yield place


def _candidates(value: object, steps: tuple[str | int, ...]) -> Iterator[Place]:
    if steps and isinstance(value, dict) and value.keys() == {"file"} and isinstance(value["file"], str):
        yield Place(steps, value["file"])
    elif isinstance(value, dict | list) and len(steps) <= _DEPTH:
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, dict | list):
                yield from _candidates(item, (*steps, step))


def _takes_file(schema: Schema) -> bool:
    """Return whether the schema is a FILE in its long form and has no ``file`` property of its own."""
    properties = schema.get("properties")
    return isinstance(properties, Mapping) and {"data", "contentType"} <= properties.keys() and "file" not in properties
