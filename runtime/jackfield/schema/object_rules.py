"""What is wrong with an object: missing members, unknown ones, and faults in those that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.errors import Detail, nearest
from jackfield.schema.evaluated import evaluated_names, unlisted_names
from jackfield.schema.pointer import MAX_NAME, child, cut, shown
from jackfield.schema.scalar_rules import lengths
from jackfield.schema.wording import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jackfield.schema.case import Case, Rule
    from jackfield.schema.kinds import Json

__all__ = ["OBJECT_RULES"]

MAX_SUGGESTED = 20
"""For how many unknown names of one object the nearest known one is searched for."""


def are_there(_case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``required``: one Detail for each missing member, at its own name."""
    if isinstance(value, dict):
        for name in node["required"]:
            if name not in value:
                yield Detail(shown(child(path, name)), f"{name_of(name)} is missing", "required")


def come_together(_case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``dependentRequired``."""
    if not isinstance(value, dict):
        return
    for name, needed in node["dependentRequired"].items():
        for other in needed if name in value else ():
            if other not in value:
                message = f"{name_of(other)} is missing: it is needed together with {name_of(name)}"
                yield Detail(shown(child(path, other)), message, "dependentRequired")


def members_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``properties``."""
    if isinstance(value, dict):
        for name, sub in node["properties"].items():
            if name in value:
                yield from case.faults(sub, value[name], child(path, name))


def matching_members_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``patternProperties``."""
    if isinstance(value, dict):
        for pattern, sub in node["patternProperties"].items():
            for name, item in value.items():
                if case.known.matches(pattern, name):
                    yield from case.faults(sub, item, child(path, name))


def other_members_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``additionalProperties``."""
    if isinstance(value, dict):
        yield from _rest(case, node, value, path, unlisted_names(case, node, value), "additionalProperties")


def unseen_members_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``unevaluatedProperties``: what no other keyword has looked at."""
    if isinstance(value, dict):
        done = evaluated_names(case, node, value, path)
        rest = [name for name in value if name not in done]
        yield from _rest(case, node, value, path, rest, "unevaluatedProperties")


def _rest(
    case: Case, node: Mapping[str, Json], value: Mapping[str, Json], path: str, names: Iterable[str], keyword: str
) -> Iterator[Detail]:
    sub = node[keyword]
    known = _known_names(case, node) if sub is False else ()
    for number, name in enumerate(names):
        if sub is False:
            yield _unknown(case, name, path, known if number < MAX_SUGGESTED else (), keyword)
        else:
            yield from case.faults(sub, value[name], child(path, name))


def _unknown(case: Case, name: str, path: str, known: Iterable[str], keyword: str) -> Detail:
    noun = f"{'an' if case.known.noun[:1] in 'aeiou' else 'a'} {case.known.noun}" if not path else "a member of this object"
    near = nearest(name, known) if len(name) <= MAX_NAME else None
    hint = f"; did you mean {name_of(near)}?" if near else ""
    return Detail(shown(child(path, cut(name))), f"{name_of(name)} is not {noun}{hint}", keyword)


def _known_names(case: Case, node: Mapping[str, Json]) -> tuple[str, ...]:
    names = list(node.get("properties", ()))
    for sub in (*case.known.references(node), *(sub for keyword in ("allOf", "anyOf", "oneOf") for sub in node.get(keyword, ()))):
        if not isinstance(sub, bool):
            names.extend(_known_names(case, sub))
    return tuple(dict.fromkeys(names))


def names_fit(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``propertyNames``: each bad name at its own place."""
    if not isinstance(value, dict):
        return
    for name in value:
        for fault in case.faults(node["propertyNames"], name, child(path, name)):
            yield Detail(shown(child(path, cut(name))), f"has a name that is not allowed: {fault.message}", "propertyNames")


OBJECT_RULES: Mapping[str, Rule] = {
    "required": are_there,
    "dependentRequired": come_together,
    "properties": members_fit,
    "patternProperties": matching_members_fit,
    "additionalProperties": other_members_fit,
    "unevaluatedProperties": unseen_members_fit,
    "propertyNames": names_fit,
    "minProperties": lengths("minProperties", "object", "member", "have"),
    "maxProperties": lengths("maxProperties", "object", "member", "have"),
}
"""Each keyword about objects and its rule."""
