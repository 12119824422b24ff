"""References to stored files in inputs (``{"file": id}``): where they are, and what the schema takes there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import Any

from jackfield.dataclass import dataclass
from jackfield.errors import Detail, InvalidInput
from jackfield.json_tools.pointers import pointer
from jackfield.json_tools.walk import Schema, below, extension, nodes

_DEPTH = 20
_NESTING = (dict, list)


@dataclass(frozen=True, slots=True)
class Place:
    """One ``{"file": id}``: the steps to it, and whether the action reads it as a stream."""

    steps: tuple[str | int, ...]
    identifier: str
    is_streamed: bool = False

    @property
    def path(self) -> str:
        """JSON Pointer of the reference (RFC 6901)."""
        return pointer(*self.steps)


def names_files(value: object) -> bool:
    """Return whether the inputs contain any ``{"file": …}``."""
    left: list[Any] = [value] if isinstance(value, _NESTING) else []
    for item in left:  # a list that grows meanwhile: recursion would take longer, and every invocation passes here
        parts = item
        if isinstance(item, dict):
            if len(item) == 1 and "file" in item:
                return True
            parts = item.values()
        left += [part for part in parts if isinstance(part, _NESTING)]
    return False


def file_places(inputs: object, schema: Schema) -> list[Place]:
    """Find the files that ``inputs`` refer to where the schema takes a FILE."""
    return list(_places(inputs, schema)) if names_files(inputs) else []


def named_files(inputs: object) -> set[str]:
    """Return the ids of all references, wherever they are."""
    return {place.identifier for place in _candidates(inputs, ())} if names_files(inputs) else set()


def large_contents(inputs: object, schema: Schema, least: int) -> list[tuple[str | int, ...]]:
    """Return the steps to each ``{"data", "contentType"}`` of at least ``least`` characters where the schema takes a FILE."""
    found = _find(inputs, (), lambda value: value.keys() == {"data", "contentType"} and len(str(value["data"])) >= least)
    return [steps for steps, _ in found if any(_takes_file(node) or _is_stream(node) for node in _applying(schema, steps))]


def _applying(schema: Schema, steps: Sequence[str | int]) -> list[Schema]:
    """Return the parts of a schema that judge the value at ``steps``."""
    return list(reduce(partial(below, schema), steps, nodes(schema, schema)))


def _places(inputs: object, schema: Schema) -> Iterator[Place]:
    for place in _candidates(inputs, ()):
        applying = _applying(schema, place.steps)
        if any(map(_is_stream, applying)):
            yield Place(place.steps, place.identifier, is_streamed=True)
        elif any(map(_takes_file, applying)):
            yield place


def _candidates(value: object, steps: tuple[str | int, ...]) -> Iterator[Place]:
    for found, item in _find(value, steps, lambda item: item.keys() == {"file"} and isinstance(item["file"], str)):
        yield Place(found, item["file"])


def _find(
    value: object, steps: tuple[str | int, ...], wanted: Callable[[dict[str, Any]], bool]
) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    if steps and isinstance(value, dict) and wanted(value):
        yield steps, value
    elif isinstance(value, dict | list) and len(steps) <= _DEPTH:
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, dict | list):
                yield from _find(item, (*steps, step), wanted)


def _takes_file(schema: Schema) -> bool:
    """Return whether the schema is a FILE in its long form and has no ``file`` property of its own."""
    properties = schema.get("properties")
    return isinstance(properties, Mapping) and {"data", "contentType"} <= properties.keys() and "file" not in properties


def _is_stream(schema: Schema) -> bool:
    return extension(schema).get("file") == "stream"


def replaced(inputs: Any, values: Sequence[tuple[tuple[str | int, ...], Any]]) -> Any:
    """Return a copy of the inputs with other values at some places."""
    copy = json.loads(json.dumps(inputs))
    for steps, value in values:
        parent = copy
        for step in steps[:-1]:
            parent = parent[step]
        parent[steps[-1]] = value
    return copy


def with_digests(inputs: Any, digests: Mapping[str, Any]) -> Any:
    """Return a copy of the inputs with a digest in place of each reference, so that equal files count as equal requests."""
    found = [(place.steps, digests[place.identifier]) for place in _candidates(inputs, ()) if place.identifier in digests]
    return replaced(inputs, found) if found else inputs


def check_there(missing: Sequence[Place]) -> None:
    """Check that no file is missing.

    :raises InvalidInput: with a detail for each place.
    """
    if missing:
        count = "1 input is" if len(missing) == 1 else f"{len(missing)} inputs are"
        details = [Detail(f"{place.path}/file", "the file does not exist or has expired") for place in missing]
        raise InvalidInput(f"{count} not valid", details=details, hint="Upload it again: POST /v1/files, or 'jackfield files put'.")


def too_large_together(places: Sequence[Place], weight: int, limit: int) -> InvalidInput:
    """Build the error for files that are too large to be passed by value."""
    text = f"the files of an invocation must not exceed {limit:,} bytes in total; these have {weight:,}"
    several = "is one of several files that together exceed the limit" if len(places) > 1 else "exceeds the limit"
    details = [Detail(f"{place.path}/file", several) for place in places]
    return InvalidInput(text, details=details, hint="Use fewer or smaller files.")
