"""Successes of bound changes: what an answer needs so that it shows one, and examples without it.

Most examples of generated connectors have an empty output. A fake that answers so would leave open
whether the provider has answered at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connector.evidence import put
from jackfield.connector.evidence_places import nodes
from jackfield.connector.meanings import DONE, FLAGS, Response, meaning_of
from jackfield.connector.meanings import status as by_status
from jackfield.connector.success_signs import NO_CONTENT, Shown, showing_members, success_signs
from jackfield.kernel.definitions import Definitions
from jackfield.kernel.pointers import names
from jackfield_market.testing.subject import Rule, Subject

_SAMPLES: Mapping[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "object": {},
    "array": [],
}
"""Sample of each type of JSON Schema, the first ones preferred."""
_OK = 200

Json = Mapping[str, Any]


def with_sign(manifest: Json, row: Json, body: Any) -> Any:
    """Return the output of a bound change in a fake's answer, with what shows its success; other
    outputs unchanged.
    """
    output = _output(manifest, row)
    if not _must_show(row) or not isinstance(body, dict) or _shows(row, output, body):
        return body
    if any(body.get(name) is False for name in FLAGS):
        return body  # the answer of a failure
    if row.get("sign") == NO_CONTENT:
        return {}
    found = body
    for at, value in _shown(row.get("sign"), output):
        found = put(found, names(at), value)
    return found if _shows(row, output, found) else {}


def _must_show(row: Json) -> bool:
    binding = row.get("http")
    return (
        binding is not None
        and row.get("effect", "write") != "read"
        and binding.keys().isdisjoint(("graphql", "job"))
    )


def _output(manifest: Json, row: Json) -> Json:
    output: Json = row.get("output", {})
    return Definitions(manifest["$defs"]).complete(output) if "$defs" in manifest else output


def _shows(row: Json, output: Json, body: Json) -> bool:
    """Return whether an answer with a declared status shows a success."""
    types = row["http"]["response"].get("types", {"default": ()})
    is_declared = not types.keys().isdisjoint((str(_OK), "2XX", "default"))
    signs = success_signs(row.get("sign"), output, by_status(lambda _status: is_declared))
    found = meaning_of(Response(_OK, body=body), signs)
    return found is not None and found.meaning == DONE


def _shown(sign: Shown | None, output: Json) -> Iterator[tuple[str, Any]]:
    """Yield places and values by which an answer shows the success of a change."""
    if isinstance(sign, str):
        yield sign, _sample_at(output, sign)
    elif sign is not None:
        for at, values in sign.items():
            yield at, values[0] if isinstance(values, list) else values
    else:
        members = showing_members(output)
        best = min(members, key=lambda name: _order(members[name]), default=None)
        if best is not None:
            yield f"/{best}", _sample_at(output, f"/{best}")


def _order(kinds: frozenset[str]) -> int:
    return min((place for place, kind in enumerate(_SAMPLES) if kind in kinds), default=0)


def _sample_at(output: Json, at: str) -> Any:
    """Return a value for a member; ``at`` is a JSON Pointer of names."""
    steps, found = names(at), [*nodes(output, output)]
    for name in steps:
        schemas = [node["properties"][name] for node in found if name in node.get("properties", {})]
        found = [node for schema in schemas for node in nodes(output, schema)]
    for node in found:
        known = [
            *node.get("enum", ()),
            *node.get("examples", ()),
            *[node[one] for one in ("const", "default") if one in node],
        ]
        value = next((one for one in known if one not in (None, "", False)), None)
        if value is not None:
            return value
    kinds = {kind for node in found for kind in _kinds(node)}
    if steps[-1].lower() in FLAGS:
        return True
    return next((_SAMPLES[kind] for kind in _SAMPLES if kind in kinds), "text")


def _kinds(node: Json) -> list[str]:
    kind = node.get("type", [])
    return [kind] if isinstance(kind, str) else kind


def _successes_shown(subject: Subject) -> Iterator[str]:
    manifest = subject.manifest.whole()
    for row in manifest["actions"]:
        if not _must_show(row):
            continue
        output, example = _output(manifest, row), next(iter(row.get("examples", ())), None)
        if "sign" not in row and not showing_members(output) and _has_members(output):
            yield (
                f"'{row['key']}' declares an output of nothing but words that errors have, and "
                "names no 'sign': each of its calls ends with an unknown outcome"
            )
        elif example is not None and not _shows(row, output, example["result"].get("output", {})):
            yield f"the example of '{row['key']}' has an output that shows no success"


def _has_members(output: Json) -> bool:
    return any("properties" in node for node in nodes(output, output))


SUCCESSES = (
    Rule(
        "successes-shown",
        "The output of a bound action that changes something has what shows its success, and so "
        "has the output of its example.",
        _successes_shown,
        "gold",
        "Name what only the provider answers as 'sign' in the action's x-jackfield, and give the "
        "example an output with it or with a declared member.",
    ),
)
"""Rules about the successes of changes."""
