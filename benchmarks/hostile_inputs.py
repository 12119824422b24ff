"""Inputs of 1 MiB against hostile schemas, while another client asks ``/healthz``: ``python -m
benchmarks.hostile_inputs``.

Starts ``jackfield serve`` with one connector whose schemas cost as much as is allowed, sends dry
runs of n, 2n and 4n bytes, and prints for each what it cost (``hostile_stand``); the largest is
also sent by four callers at once. Fails if a call, a probe beside it or its memory exceeds its
limit. Arguments choose the inputs whose names contain them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.hostile_stand import HEAD, MOST, MOST_PROBE, Stand, standing

MOST_PROBE_OF_MANY = 0.3
"""Seconds of CPU time that the server may spend while ``/healthz`` waits beside several callers:
collections of garbage, which grow with the number of decoded bodies, are most of it.
"""
_CALLERS = 4
_SMALL_ANSWER = 20_000
"""Items of an answer of about 1 MiB. Larger ones may keep a probe waiting for ``MOST``."""
_SIZES = (1 << 18, 1 << 19, (1 << 20) - 1024)
_INVOKE = "/v1/invocations"
_NODE = {
    "oneOf": [
        {
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"type": "string"}, "children": {"$ref": "#/$defs/nodes"}},
        },
        {
            "type": "object",
            "required": ["children"],
            "properties": {"children": {"$ref": "#/$defs/nodes"}},
        },
    ]
}
_DEFS = {"node": _NODE, "nodes": {"type": "array", "items": {"$ref": "#/$defs/node"}}}
_PASSWORD = {"type": "string", "pattern": "(?=.*[A-Z])(?=.*[0-9]).{8,}", "maxLength": 1000}


def _filled(size: int, item: Any) -> list[Any]:
    return [item] * (size // (len(json.dumps(item)) + 2))


def _deep(size: int, leaf: Any) -> list[Any]:
    value: Any = leaf
    for _ in range(45):
        value = {"kind": "x", "children": [value]}
    return _filled(size, value)


SHAPES: Mapping[str, tuple[Mapping[str, Any], Callable[[int], Any]]] = {
    "valid rows": (
        {"items": {"type": "object", "required": ["id"]}},
        lambda size: _filled(size, {"id": 1, "name": "ada"}),
    ),
    "wrong rows": (
        {"items": {"type": "object", "required": ["id"]}},
        lambda size: _filled(size, {"name": "ada"}),
    ),
    "wrong numbers": ({"items": {"type": "integer"}}, lambda size: _filled(size, "x")),
    "60 branches that fit": (
        {"items": {"oneOf": [{"minimum": low} for low in range(60)]}},
        lambda size: _filled(size, 0),
    ),
    "900 branches": (
        {"items": {"anyOf": [{"type": "integer", "minimum": low} for low in range(900)]}},
        lambda size: _filled(size, -1),
    ),
    "recursive choice": (
        {"items": {"$ref": "#/$defs/node"}},
        lambda size: _deep(size, {"kind": "x"}),
    ),
    "recursive choice, wrong": (
        {"items": {"$ref": "#/$defs/node"}},
        lambda size: _deep(size, {"kind": 5}),
    ),
    "passwords": ({"items": _PASSWORD}, lambda size: _filled(size, "a" * 1000)),
    "short passwords": ({"items": _PASSWORD}, lambda size: _filled(size, "a" * 20)),
    "one long password": (_PASSWORD, lambda size: "a" * size),
    "linear pattern": ({"pattern": "^(a+)+$"}, lambda size: "a" * size + "b"),
    "large pattern": ({"pattern": "[ab]*a[ab]{900}c"}, lambda size: "ab" * (size // 2)),
    "enum of objects": (
        {"items": {"enum": [{"k": one} for one in range(1200)]}},
        lambda size: _filled(size, {"k": -1}),
    ),
    "addresses": ({"format": "mailbox-list"}, lambda size: "a@x.io," * (size // 7)),
    "wrong addresses": ({"format": "mailbox-list"}, lambda size: '"a,<(' * (size // 5)),
    "names": (
        {"propertyNames": {"pattern": "^a"}},
        lambda size: {f"b{number}": 1 for number in range(size // 12)},
    ),
    "multiples of a fraction": ({"items": {"multipleOf": 0.01}}, lambda size: _filled(size, 1e300)),
    "bounds": (
        {"items": {"allOf": [{"minimum": low / 2} for low in range(5)]}},
        lambda size: _filled(size, 1e300),
    ),
    "long numbers": (
        {"items": {"type": "integer", "minimum": 1}},
        lambda size: _filled(size, 10**307),
    ),
    "longer numbers": (
        {"items": {"type": "integer", "minimum": 1}},
        lambda size: _filled(size, 10**4000),
    ),
    "constants": (
        {"items": {"allOf": [{"const": {f"k{one}": 1 for one in range(50)}}] * 30}},
        lambda size: _filled(size, {f"k{one}": 1 for one in range(50)}),
    ),
    "international addresses": (
        {"items": {"allOf": [{"format": "idn-email"}] * 40}},
        lambda size: _filled(size, "ada@example.com"),
    ),
    "the same items": (
        {"uniqueItems": True},
        lambda size: [{"n": number} for number in range(size // 13)],
    ),
}


_COUNTS = (4_000, 20_000, 100_000, 400_000)


def _manifest() -> dict[str, Any]:
    actions = [
        {
            "key": f"shape{number}",
            "title": name,
            "description": name,
            "effect": "read",
            "inputs": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"v": schema},
                "$defs": _DEFS,
            },
            "output": {"type": "object"},
        }
        for number, (name, (schema, _)) in enumerate(SHAPES.items())
    ]
    about = {
        "manifestVersion": 1,
        "key": "hostile",
        "title": "Hostile",
        "description": "Hostile schemas.",
        "version": "1.0.0",
    }
    return {**about, "connectionTypes": [], "actions": actions}


def _inputs(stand: Stand, number: int, name: str, make: Callable[[int], Any]) -> bool:
    """Send inputs of n, 2n and 4n bytes, the largest also by four callers at once. Return whether
    all kept to the limits.
    """
    bodies = [_body(f"shape{number}", make(size)) for size in _SIZES]
    stand.send("POST", _INVOKE, _body(f"shape{number}", None))  # compiles the schema
    kept = True
    for body in bodies:
        cost, answer = stand.sent("POST", _INVOKE, body)
        kept = kept and cost.keeps_to_limits
        print(f"{name:26} {len(body) >> 10:5} {answer.status:6} {cost}  {answer.said}", flush=True)
    with ThreadPoolExecutor(_CALLERS) as callers:
        cost = stand.cost(
            lambda: [
                *callers.map(lambda _: stand.send("POST", _INVOKE, bodies[-1]), range(_CALLERS))
            ]
        )
    print(f"{name:26} {_CALLERS:3} x 1 MiB  {cost}", flush=True)
    return kept and cost.probe_cpu <= MOST_PROBE_OF_MANY


def _body(action: str, value: Any) -> bytes:
    return json.dumps(
        {"connector": "hostile", "action": action, "inputs": {"v": value}, "dryRun": True}
    ).encode()


def _answers(stand: Stand, count: int) -> bool:
    import many_keys

    body = json.dumps(
        {"connector": many_keys.KEY, "action": many_keys.ACTION, "inputs": {"items": count}}
    ).encode()
    cost, answer = stand.sent("POST", _INVOKE, body)
    print(f"answers of {count:7} items {answer.status:14} {cost}", flush=True)
    return cost.probe_cpu <= (MOST_PROBE if count <= _SMALL_ANSWER else MOST)


def _main(*wanted: str) -> int:
    kept = True
    with standing(_manifest()) as stand:
        print(f"{'input':26} {'kB':>5} {'status':>6} {HEAD}  first error")
        for number, (name, (_, make)) in enumerate(SHAPES.items()):
            if not wanted or any(part in name for part in wanted):
                kept &= _inputs(stand, number, name, make)
        for count in _COUNTS if not wanted or "answers" in wanted else ():
            kept &= _answers(stand, count)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
