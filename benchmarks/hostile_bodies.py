"""Bodies of up to 1 MiB for every operation of the OpenAPI document, while another client asks
``/healthz``: ``python -m benchmarks.hostile_bodies``.

Each body is a small valid one in which the whole, or one member down to the third level, is long,
deep or wide: texts, arrays, nested arrays and objects, objects of many members. Sends n, 2n and 4n
bytes and prints for each operation and member what the dearest shape cost (``hostile_stand``).
Fails if one exceeds a limit, is answered with 500, or costs more than eight times as much at 4n as
at n. Arguments choose the operations whose paths contain them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.hostile_stand import HEAD, Cost, Stand, standing

_SIZES = (1 << 18, 1 << 19, (1 << 20) - 4096)
_NEGLIGIBLE = 0.03
"""Seconds of CPU time that say nothing about growth."""
_RATIO = 8.0
"""Four times the body: linear work takes 4 times as long, quadratic 16 times."""
_LEVELS = 3
_DEPTH = 90


def _nested(size: int, leaf: str) -> list[Any]:
    value: Any = leaf
    for level in range(_DEPTH):
        value = {"a": value} if level % 2 else [value]
    return [value] * (size // len(json.dumps(value, separators=(",", ":"))))


SHAPES: Mapping[str, Callable[[int], Any]] = {
    "text": lambda size: "a" * size,
    "escaped text": lambda size: "\\\n\u00e9%41&amp;" * (size // 20),
    "texts": lambda size: ["a"] * (size // 4),
    "numbers": lambda size: [1e300] * (size // 6),
    "long number": lambda size: 10 ** min(size, 4000),
    "objects": lambda size: [{"a": 1}] * (size // 8),
    "deep": lambda size: _nested(size, "x"),
    "members": lambda size: {f"m{number}": "a" for number in range(size // 14)},
    "wide members": lambda size: {
        f"m{number}": {"name": "a", "type": ["a"]} for number in range(size // 40)
    },
    "long names": lambda size: {f"{number:01000}": 1 for number in range(size // 1005)},
}
_PATHS = {
    "key": "hostile",
    "action": "anything",
    "source": "none",
    "name": "ada",
    "id": "019aa000-0000-7000-8000-000000000000",
}
_VALUES: Mapping[str, Any] = {
    "connector": "hostile",
    "action": "anything",
    "type": "hostile/keys",
    "name": "ada",
    "scope": "invoke",
    "values": {"apiKey": "secret-key-1"},
    "inputs": {},
    "dryRun": True,
}


def _manifest() -> dict[str, Any]:
    keys = {"type": "object", "required": ["apiKey"], "additionalProperties": False}
    secret = {"type": "string", "title": "API key", "writeOnly": True, "format": "password"}
    keys["properties"] = {"apiKey": secret, "more": {}}
    action = {
        "key": "anything",
        "title": "Anything",
        "description": "Takes anything.",
        "effect": "read",
    }
    types = [
        {"key": "keys", "title": "Keys", "description": "A key.", "auth": "apiKey", "schema": keys}
    ]
    about = {
        "manifestVersion": 1,
        "key": "hostile",
        "title": "Hostile",
        "description": "Takes anything.",
        "version": "1.0.0",
    }
    return {
        **about,
        "connectionTypes": types,
        "actions": [{**action, "inputs": {"type": "object"}, "output": {"type": "object"}}],
    }


class _Bodies:
    """Bodies of one schema of a document."""

    def __init__(self, document: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
        self._document = document
        self._schema = schema

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/")]
            schema = found
        return schema

    def _sample(self, schema: Mapping[str, Any], name: str = "") -> Any:
        schema = self._resolved(schema)
        known = [_VALUES[name]] if name in _VALUES else schema.get("enum", ())
        if known:
            return known[0]
        for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            return self._sample(branch)
        if schema.get("type") == "array":
            return [self._sample(schema.get("items", {}))]
        if schema.get("type") == "object" or "properties" in schema:
            properties = schema.get("properties", {})
            return {
                member: self._sample(properties.get(member, {}), member)
                for member in schema.get("required", ())
            }
        return {"string": "a", "integer": 1, "number": 1, "boolean": True}.get(
            str(schema.get("type")), "a"
        )

    def places(self) -> Iterator[tuple[str, ...]]:
        """Yield the steps to each member down to the third level; none for the whole."""
        waiting: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), self._schema)]
        for steps, given in waiting:  # a list that grows meanwhile
            yield steps
            schema = self._resolved(given)
            if len(steps) < _LEVELS:
                waiting += [
                    ((*steps, name), sub)
                    for name, sub in schema.get("properties", {}).items()
                    if isinstance(sub, dict)
                ]
                if isinstance(schema.get("items"), dict):
                    waiting.append(((*steps, "0"), schema["items"]))

    def body(self, steps: tuple[str, ...], value: Any) -> bytes:
        """Return a small valid body with ``value`` at one place."""
        return json.dumps(
            self._with(self._sample(self._schema), steps, value), separators=(",", ":")
        ).encode()

    def _with(self, whole: Any, steps: tuple[str, ...], value: Any) -> Any:
        if not steps:
            return value
        if steps[0] == "0":
            return [
                self._with(whole[0] if isinstance(whole, list) and whole else {}, steps[1:], value)
            ]
        members = whole if isinstance(whole, dict) else {}
        return {**members, steps[0]: self._with(members.get(steps[0], {}), steps[1:], value)}


def _grows(costs: list[Cost]) -> bool:
    return costs[-1].cpu > _RATIO * max(costs[0].cpu, _NEGLIGIBLE)


def _try(stand: Stand, method: str, path: str, bodies: _Bodies, steps: tuple[str, ...]) -> bool:
    """Send all shapes at one place. Return whether they kept to the limits."""
    kept, dearest, which = True, Cost(0.0, 0.0, 0.0, 0.0, 0.0), ""
    for name, make in SHAPES.items():
        costs = list[Cost]()
        for size in _SIZES:
            cost, answer = stand.sent(method, path, bodies.body(steps, make(size)))
            costs.append(cost)
            if not cost.keeps_to_limits or answer.status >= 500:
                kept = False
                print(
                    f"{method:5} {path:30} {'/'.join(steps):24} {name:12} {size >> 10:5} "
                    f"{answer.status} {cost}  {answer.said}",
                    flush=True,
                )
            if cost.cpu >= dearest.cpu:
                dearest, which = cost, f"{name}, {answer.status}"
        if _grows(costs):
            kept = False
            print(
                f"{method:5} {path:30} {'/'.join(steps):24} {name:12} grows: "
                f"{', '.join(f'{cost.cpu:.3f}' for cost in costs)}",
                flush=True,
            )
    print(f"{method:5} {path:30} {'/'.join(steps):24} {dearest}  {which}", flush=True)
    return kept


def _main(*wanted: str) -> int:
    kept = True
    with standing(_manifest()) as stand:
        stand.send(
            "POST",
            "/v1/connections",
            json.dumps({name: _VALUES[name] for name in ("name", "type", "values")}).encode(),
        )
        document = stand.document()
        print(f"{'':5} {'operation':30} {'member':24} {HEAD}  dearest shape")
        for path, operations in document["paths"].items():
            sent = re.sub(r"\{(\w+)\}", lambda found: _PATHS.get(found[1], "none"), path)
            for method in (
                operations.keys() & {"post", "put", "patch"}
                if not wanted or any(part in path for part in wanted)
                else ()
            ):
                content = (
                    operations[method]
                    .get("requestBody", {})
                    .get("content", {})
                    .get("application/json")
                )
                bodies = _Bodies(document, {} if content is None else content["schema"])
                for steps in bodies.places():
                    kept &= _try(stand, method.upper(), sent, bodies, steps)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
