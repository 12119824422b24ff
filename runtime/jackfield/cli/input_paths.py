"""Names of nested inputs: ``payment.card=…`` is the member ``card`` of the input ``payment``.

Names that contain dots take precedence: of an input, of a member, and of a map whose values are not
objects (``labels.app.kubernetes.io/name``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.pointers import cut, pointer
from jackfield.kernel.walk import below, member_schemas, nodes, target

Path = tuple[str, ...]
"""Names of the members that lead to a value, beginning with the input."""


def path_of(name: str, schema: Mapping[str, Any]) -> Path:
    """Return the path of a dotted name, by the schema of the inputs."""
    found: list[str] = []
    applying, rest = nodes(schema, schema), name
    while "." in rest and not _is_whole(rest, applying, is_input=not found):
        head = _head(rest, applying)
        found.append(head)
        applying, rest = below(schema, applying, head), rest[len(head) + 1 :]
    return (*found, rest)


def schema_at(path: Path, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of the value at a path; an empty schema if there is no schema at the
    path.
    """
    applying, starts = nodes(schema, schema), list[object]()
    for step in path:
        starts = [
            found
            for node in applying
            for found in member_schemas(node, step)
            if isinstance(found, Mapping)
        ]
        applying = nodes(schema, *starts)
    found = _direct(starts[0], schema) if len(starts) == 1 else {"allOf": starts}
    return found if isinstance(found, Mapping) else {}


def combined(given: Mapping[Path, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs with the values at their paths; other members of ``base`` stay.

    :raises InvalidInvocation: if one value contains the place of another.
    """
    _refuse_overlap(given)
    made = dict(base)
    for path, value in given.items():
        place = made
        for step in path[:-1]:
            inner = place.get(step)
            place[step] = dict(inner) if isinstance(inner, Mapping) else {}
            place = place[step]
        place[path[-1]] = value
    return made


def _is_whole(name: str, applying: Sequence[Mapping[str, Any]], *, is_input: bool) -> bool:
    """Return whether a name with dots is a single name at this place."""
    if "" in name.split(".") or name in _known_paths(applying):
        return True
    if any(name.startswith(f"{known}.") for known in _known_paths(applying)):
        return False
    rest = [found for node in applying for found in member_schemas(node, name)]
    if is_input:
        # an open schema of inputs takes any name; to a closed one it is unknown, whole or not
        return False not in rest
    values = [found for found in rest if isinstance(found, Mapping)]
    return bool(values) and all(
        "type" in found and "object" not in found["type"] for found in values
    )


def _head(name: str, applying: Sequence[Mapping[str, Any]]) -> str:
    """Return the longest known name that the name begins with, else its part before the first
    dot.
    """
    known = [one for one in _known_paths(applying) if name.startswith(f"{one}.")]
    return max(known, key=len, default=name.partition(".")[0])


def _known_paths(applying: Iterable[Mapping[str, Any]]) -> set[str]:
    return {
        name
        for node in applying
        if isinstance(node.get("properties"), Mapping)
        for name in node["properties"]
    }


def _direct(schema: object, root: Mapping[str, Any]) -> object:
    for _ in range(10):
        if not isinstance(schema, Mapping) or not isinstance(schema.get("$ref"), str):
            break
        schema = target(root, schema["$ref"])
    return schema


def _refuse_overlap(given: Mapping[Path, Any]) -> None:
    for path in given:
        for end in range(1, len(path)):
            if path[:end] in given:
                outer, inner = (cut(".".join(names)) for names in (path[:end], path))
                reason = f"'{outer}' is given whole and also by its member '{inner}'"
                raise InvalidInvocation(
                    reason,
                    details=[Detail(pointer("inputs", *path), reason)],
                    hint=f"Give either {outer}:=JSON or only members of it.",
                )
