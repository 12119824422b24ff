"""Places of members: the objects that have an unknown name as a member, and the required members of
a missing object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.schema.facts import types_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json, Node

    Steps = tuple[str, ...]

_DEEPEST = 4
_MOST_SEEN = 5_000
"""Maximum number of members of schemas that are searched for one name."""
_MOST_LEAVES = 20
"""Maximum number of missing members that are listed for one missing object."""


def parts_of(facts: SchemaFacts, node: Node) -> Sequence[Mapping[str, Json]]:
    """Return a schema with all schemas that it refers to or combines for the same value, each
    once.
    """
    found: dict[int, Mapping[str, Json]] = {}
    waiting: list[Node] = [node]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, bool) and id(part) not in found:
            found[id(part)] = part
            subs = [
                *facts.references(part),
                *(sub for keyword in ("allOf", "anyOf", "oneOf") for sub in part.get(keyword, ())),
            ]
            waiting += subs[::-1]
    return tuple(found.values())


def homes(facts: SchemaFacts, root: Node, name: str) -> Sequence[Steps]:
    """Return the paths of an object's members, at most four levels down, whose objects have a
    member of this name: all of the highest such level.
    """
    level: list[tuple[Steps, Node]] = [((), root)]
    left, seen = _MOST_SEEN, set[int]()
    for _ in range(_DEEPEST + 1):
        found: dict[Steps, None] = {}
        inner: list[tuple[Steps, Node]] = []
        for steps, node in level:
            for part in parts_of(facts, node):
                members = {} if id(part) in seen else part.get("properties", {})
                seen.add(id(part))
                left -= len(members)
                if left < 0:
                    return ()
                if steps and name in members:
                    found[steps] = None
                inner += [((*steps, member), sub) for member, sub in members.items()]
        if found or not inner:
            return tuple(found)
        level = inner
    return ()


def missing_leaves(facts: SchemaFacts, node: Node, steps: Steps) -> Sequence[Steps]:
    """Return the members that are missing if the value of this schema is missing: for an object its
    required members, recursively.
    """
    found: list[Steps] = []
    for leaf in _leaves(facts, node, steps, len(steps) + _DEEPEST):
        found.append(leaf)
        if len(found) == _MOST_LEAVES:
            break
    return found


def _leaves(facts: SchemaFacts, node: Node, steps: Steps, deepest: int) -> Iterator[Steps]:
    own = list(facts.always([node]))
    members = {name: sub for part in own for name, sub in part.get("properties", {}).items()}
    required = [
        name
        for part in own
        for name in part.get("required", ())
        if name in members and not _has_default(members[name])
    ]
    if (
        len(steps) > deepest
        or not required
        or not any(types_of(part) == ["object"] for part in own if "type" in part)
    ):
        yield steps
        return
    for name in dict.fromkeys(required):
        yield from _leaves(facts, members[name], (*steps, name), deepest)


def _has_default(node: Node) -> bool:
    return not isinstance(node, bool) and "default" in node
