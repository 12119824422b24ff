"""Examples of parameters and bodies in a document, with their places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jackfield.connector import pointer
from jackfield_openapi.pointing import Pointing

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Example:
    """Example of a body or a parameter, with its place in the document."""

    at: str
    value: Any


def examples_of(given: Json, at: str, pointing: Pointing) -> Iterator[Example]:
    """Yield the examples of a parameter or a media type: its single example, its named examples,
    and its schema's.
    """
    if given.get("example") is not None:
        yield Example(f"{at}/example", given["example"])
    listed = given.get("examples")
    for name, item in listed.items() if isinstance(listed, dict) else ():
        with suppress(LookupError):  # a broken reference is no example
            found, place = pointing.resolved(item, at + pointer("examples", name))
            if found.get("value") is not None:
                yield Example(f"{place}/value", found["value"])
    schema, place = given.get("schema"), f"{at}/schema"
    with suppress(LookupError):
        schema, place = pointing.resolved(schema, place)
        if schema.get("example") is not None:
            yield Example(f"{place}/example", schema["example"])
        more = schema.get("examples")
        for number, value in enumerate(more if isinstance(more, list) else ()):
            yield Example(f"{place}/examples/{number}", value)
