"""Check of documents by the shapes that the API's description publishes: bodies of requests and
objects in files. The shape of a noun is its only judge of types and names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield.schema import CompiledSchema, compile_schema
from jackfield_service.shell.finding import surfaces

Json = dict[str, Any]
_REFERENCE = re.compile(r'"#/components/schemas/(\w+)"')


def described() -> Iterable[Mapping[str, Json]]:
    """Yield the shapes of each subject, by name."""
    for module in surfaces("shapes", "subject"):
        yield from (resource.described() for resource in getattr(module, "RESOURCES", ()))
        yield getattr(module, "SHAPES", {})


@cache
def _shapes() -> Json:
    return {name: shape for shapes in described() for name, shape in shapes.items()}


def judge(shape: Json, noun: str = "member") -> CompiledSchema:
    """Compile a shape with the shapes that it refers to; ``noun`` names a member in messages."""
    found: Json = {}
    waiting = _references(shape)
    while waiting:
        name = waiting.pop()
        found[name] = _shapes()[name]
        waiting |= _references(found[name]) - found.keys()
    return compile_schema({**shape, "components": {"schemas": found}}, noun=noun)


@cache
def judge_of(name: str) -> CompiledSchema:
    """Return the compiled shape of this name."""
    return judge(_shapes()[name])


def shaped(name: str, document: Mapping[str, Any]) -> Json:
    """Return a document that has the shape of this name, without members that are null where their
    shape does not allow null; whichever surface it comes from.

    :raises InvalidInvocation: with a detail for each fault.
    """
    compiled = judge_of(name)
    found: Json = without_nulls(dict(document), compiled)
    if faults := compiled.judge(found):
        count = "1 member is" if len(faults) == 1 else f"{len(faults)} members are"
        raise InvalidInvocation(f"{count} not valid", details=faults, hint="See the details.")
    return found


def without_nulls(document: Any, compiled: CompiledSchema) -> Any:
    """Return a document without members that are null where their shape does not allow null: they
    count as absent.
    """
    if not isinstance(document, dict) or None not in document.values():
        return document
    allowed = {name for name in document if document[name] is None and _takes_null(name, compiled)}
    return {name: value for name, value in document.items() if value is not None or name in allowed}


def _takes_null(name: str, compiled: CompiledSchema) -> bool:
    return not any(fault.path == f"/{name}" for fault in compiled.judge({name: None}))


def _references(shape: Json) -> set[str]:
    return set(_REFERENCE.findall(json.dumps(shape)))
