"""Places within the schemas of a manifest, by the names on the way to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.kernel.pointers import follow

_DEPTH = 8


def nodes(manifest: Mapping[str, Any], schema: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield a schema with the schemas that it refers to or is composed of."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return
    yield schema
    if str(schema.get("$ref", "")).startswith("#"):
        try:
            yield from nodes(manifest, follow(manifest, schema["$ref"][1:]), depth + 1)
        except (LookupError, ValueError):
            return
    for one in (each for name in ("allOf", "anyOf", "oneOf") for each in schema.get(name, ())):
        yield from nodes(manifest, one, depth + 1)


def declares(manifest: Mapping[str, Any], schema: Any, steps: Sequence[str]) -> bool:
    """Return whether an object may have a member. An object that declares no members may have
    any.
    """
    found = [*nodes(manifest, schema)]
    if not steps or not any("properties" in node for node in found):
        return True
    held = [
        node["properties"][steps[0]] for node in found if steps[0] in node.get("properties", {})
    ]
    return any(declares(manifest, one, steps[1:]) for one in held)


def admits(manifest: Mapping[str, Any], schema: Any, steps: Sequence[str]) -> bool:
    """Return whether an object declares a member, or says that it has members of other names,
    too.
    """
    if not steps:
        return True
    found = [*nodes(manifest, schema)]
    held = [
        node["properties"][steps[0]] for node in found if steps[0] in node.get("properties", {})
    ]
    if held:
        return any(admits(manifest, one, steps[1:]) for one in held)
    others = [
        node["additionalProperties"]
        for node in found
        if node.get("additionalProperties", False) is not False
    ]
    typed = [node["type"] for node in found if "type" in node]
    is_object = not typed or any(
        "object" in ([one] if isinstance(one, str) else one) for one in typed
    )
    is_free = any("patternProperties" in node for node in found) or not any(
        {"properties", "additionalProperties"} & node.keys() for node in found
    )
    return (is_object and is_free) or any(admits(manifest, one, steps[1:]) for one in others)


def within(manifest: Mapping[str, Any], schema: Any, steps: Sequence[str]) -> Any:
    """Return the schema of the items of a list within a schema; an empty one if nothing is
    declared.
    """
    for step in steps:
        schema = next(
            (
                node["properties"][step]
                for node in nodes(manifest, schema)
                if step in node.get("properties", {})
            ),
            {},
        )
    return next((node["items"] for node in nodes(manifest, schema) if "items" in node), {})
