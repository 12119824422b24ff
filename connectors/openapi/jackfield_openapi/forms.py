"""Alternative forms of a value: the discriminator's values for each form, and whether forms exclude
each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jackfield.kernel.pointers import unescaped
from jackfield_openapi.composition import Composition, mapped
from jackfield_openapi.keywords import enum_of, types_of
from jackfield_openapi.pointing import local

_NAMES_ONLY = frozenset({"required", "type", "title", "description", "not", "properties"})

Json = dict[str, Any]


def selected(
    node: Json, branches: list[Any], made: list[Any], composition: Composition
) -> list[Any]:
    """Return converted branches, each with the discriminator's values that select it.

    A branch that declares its own values for the discriminator keeps those, unless the mapping
    names some of them.
    """
    about, name = node.get("discriminator"), _discriminator(node)
    if name is None:
        return made
    values = [_values(branch, about if isinstance(about, dict) else {}) for branch in branches]
    return [
        _with_values(*one, name, composition) for one in zip(branches, made, values, strict=True)
    ]


def is_unnamed(node: Json, branch: Any, composition: Composition) -> bool:
    """Return whether a branch is a reference to a schema without the discriminator's member, which
    many documents omit there.
    """
    name = _discriminator(node)
    return (
        name is not None
        and isinstance(branch, dict)
        and "$ref" in branch
        and name not in composition.members(branch)
    )


def _discriminator(node: Json) -> str | None:
    about = node.get("discriminator")
    name = about.get("propertyName") if isinstance(about, dict) else None
    return name if isinstance(name, str) else None


def _values(branch: Any, about: Mapping[str, Any]) -> list[str]:
    """Return the discriminator's values that the mapping has for a branch; without a mapping, the
    name of its schema.
    """
    reference = branch.get("$ref") if isinstance(branch, dict) else None
    if not isinstance(reference, str):
        return []
    mapping = about.get("mapping")
    if not isinstance(mapping, dict) or not mapping:
        return [name_of(reference)]
    return [
        str(value)
        for value, target in mapping.items()
        if isinstance(target, str) and _is_same(target, reference)
    ]


def name_of(reference: str) -> str:
    """Return the name of the schema that a reference points to."""
    return unescaped(reference.rpartition("/")[2])


def _is_same(target: str, reference: str) -> bool:
    with suppress(LookupError):
        return mapped(target) == local(reference)
    return False


def _with_values(
    branch: Any, made: Any, values: list[str], name: str, composition: Composition
) -> Any:
    declared = [sub for sub in composition.members(branch).get(name, ()) if isinstance(sub, dict)]
    parts = [part for sub in declared for part in composition.parts(sub)]
    own = [
        str(value)
        for part in parts
        for value in (part.get("enum") or ([part["const"]] if "const" in part else ()))
    ]
    values = [value for value in values if not own or value in own]
    if not values or made is True:
        return made
    types = [kind for part in parts for kind in types_of(part)[0]]
    fitting = enum_of(values, types)
    chosen: Json = {"const": fitting[0]} if len(fitting) == 1 else {"enum": fitting}
    return {"allOf": [made, {"properties": {name: chosen}}]}


def excludes(node: Json) -> bool:
    """Return whether a ``oneOf`` limits the combinations of an object's members, instead of listing
    forms of a value.
    """
    own = node.get("properties")
    known = own.keys() if isinstance(own, dict) else set()
    branches = [branch for branch in node["oneOf"] if isinstance(branch, dict)]
    return len(branches) == len(node["oneOf"]) and all(
        branch.get("required")
        and branch.keys() <= _NAMES_ONLY
        and (branch.get("properties") or {}).keys() <= known
        for branch in branches
    )
