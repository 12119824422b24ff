"""Which members and items the other keywords have looked at, for ``unevaluatedProperties`` and ``unevaluatedItems``.

Source: JSON Schema 2020-12 core §11. One kindness: parts of ``allOf`` and ``$ref`` count where they failed too, for their own faults are
told already, and calling every member of them unknown as well would only bury those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.schema.pointer import child

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jackfield.schema.case import Case
    from jackfield.schema.kinds import Json, Node

__all__ = ["evaluated_items", "evaluated_names", "unlisted_names"]


def unlisted_names(case: Case, node: Mapping[str, Json], value: Mapping[str, Json]) -> list[str]:
    """The names that neither ``properties`` nor ``patternProperties`` knows."""
    properties, patterns = node.get("properties", {}), node.get("patternProperties", {})
    return [name for name in value if name not in properties and not any(case.known.matches(pattern, name) for pattern in patterns)]


def evaluated_names(case: Case, node: Mapping[str, Json], value: Mapping[str, Json], path: str) -> set[str]:
    """The names that the schema looks at, other than by its own ``unevaluatedProperties``."""
    unlisted = unlisted_names(case, node, value)
    names = set(value).difference(unlisted)
    if "additionalProperties" in node:
        names.update(unlisted)
    for sub in _applied(case, node, value, path):
        names |= set(value) if "unevaluatedProperties" in sub else evaluated_names(case, sub, value, path)
    return names


def evaluated_items(case: Case, node: Mapping[str, Json], value: list[Json], path: str) -> set[int]:
    """The indexes of the items that the schema looks at, other than by its own ``unevaluatedItems``."""
    every = set(range(len(value)))
    if "items" in node:
        return every
    done = set(range(min(len(value), len(node.get("prefixItems", ())))))
    if "contains" in node:
        done |= {index for index in every if case.fits(node["contains"], value[index], child(path, index))}
    for sub in _applied(case, node, value, path):
        done |= every if "unevaluatedItems" in sub else evaluated_items(case, sub, value, path)
    return done


def _applied(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Mapping[str, Json]]:
    """The schemas that apply to the value in place, with the branches that it fits; all branches where it fits none."""
    return (sub for sub in _candidates(case, node, value, path) if not isinstance(sub, bool))


def _candidates(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Node]:
    yield from case.known.references(node)
    yield from node.get("allOf", ())
    for keyword in ("anyOf", "oneOf"):
        branches = node.get(keyword, ())
        yield from [sub for sub in branches if case.fits(sub, value, path)] or branches
    if isinstance(value, dict):
        yield from (sub for name, sub in node.get("dependentSchemas", {}).items() if name in value)
    if "if" in node:
        holds = case.fits(node["if"], value, path)
        if holds:
            yield node["if"]
        yield node.get("then" if holds else "else", True)
