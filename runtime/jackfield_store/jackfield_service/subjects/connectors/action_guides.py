"""Markdown guide to one action, for people and for language models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pprint import pformat
from typing import Any

from jackfield.call.admit import check_serves, type_of
from jackfield.callers import Caller, Decision, Request
from jackfield.callers.rules import INLINE
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidConnection, UnknownConnection
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_store.management.connections import ManagedConnections
from jackfield_store.runtime import Jackfield

_BY_KEY = (
    " by a key: the provider knows a repeat by its `idempotencyKey`. Give each request one of "
    "your own; "
    "a request that is sent again without one may take effect twice"
)
_KEY = "a-key-of-this-request"
_SAMPLES = {"string": "…", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}


def verdict_of(
    runtime: Jackfield, caller: Caller, manifest: Manifest, request: Request
) -> Decision:
    """Return the verdict announced to a caller in advance. A missing or hidden connection, or one
    whose type cannot serve the action, is refused whatever the rules allow.
    """
    decision = runtime.access.authorizer(caller).verdict(manifest, request)
    if not decision.allowed or request.connection in (None, INLINE):
        return decision
    try:
        stored = runtime.connections_of(caller).find(str(request.connection))
        check_serves(manifest, type_of(stored, manifest), request.action)
    except (UnknownConnection, InvalidConnection) as fault:
        return Decision(False, fault.message, "default")
    return decision


def missing(connections: ManagedConnections, name: str | None) -> UnknownConnection | None:
    """Return the error of a call over a missing or hidden connection; None if the connection is
    visible, or no name is given.
    """
    if name is None or name == INLINE:
        return None
    try:
        connections.find(name)
    except UnknownConnection as error:
        return error
    return None


@dataclass(frozen=True, slots=True)
class Over:
    """Connection for an action, if one is chosen, and the inputs that it fills in, each with the
    name of its value. Without a connection, ``filled`` has the inputs that some connection may fill
    in.
    """

    connection: str | None
    filled: Mapping[str, str]

    @classmethod
    def of(
        cls,
        runtime: Jackfield,
        caller: Caller,
        action: ActionManifest,
        name: str | None,
        verdict: Decision,
    ) -> Over:
        """Look the connection up, unless the verdict refuses the call."""
        if name in (None, INLINE) or not verdict.allowed:
            return cls(None, dict(action.defaults))
        values = runtime.connections_of(caller).find(str(name)).values
        return cls(name, {field: source for field, source in action.defaults if values.get(source)})


def guide(
    manifest: Manifest, action: ActionManifest, verdict: Decision, origin: str | None, over: Over
) -> str:
    """Write the guide: the action's inputs, the caller's verdict and how to run it. ``origin`` is
    the HTTP API's URL; None if there is none.
    """
    return "\n".join(_guide(manifest, action, verdict, origin, over))


def _guide(
    manifest: Manifest, action: ActionManifest, verdict: Decision, origin: str | None, over: Over
) -> Iterator[str]:
    yield f"# {manifest.title}: {action.title}\n"
    by_key = _BY_KEY if action.needs_key else ""
    yield (
        f"`{manifest.key}/{action.key}`, version {manifest.version}. Effect: "
        f"**{action.rule_effect}**{by_key}.\n"
    )
    if action.description:
        yield f"{action.description}\n"
    yield f"**{'You may run it' if verdict.allowed else 'You may not run it'}**: {verdict.rule}.\n"
    yield "## Inputs\n"
    yield from _table(action, over)
    if action.permissions:
        yield "\n## Permissions\n"
        yield from (
            f"- {system}: {', '.join(f'`{name}`' for name in names)}"
            for system, names in action.permissions.items()
        )
    if manifest.connection_types:
        yield "\n## Connections\n"
        kinds = (kind for kind in manifest.connection_types.values() if kind.can_serve(action.key))
        yield from (f"- `{manifest.full_name(kind)}`: {kind.title}" for kind in kinds)
        yield "\nSet `connection` to the name of one; it may be left out if only one fits."
    yield "\n## Run it\n"
    yield from _snippets(_sample(manifest, action, over), origin)


def _table(action: ActionManifest, over: Over) -> Iterator[str]:
    properties = action.inputs.get("properties", {})
    if not properties:
        yield "None."
        return
    required = action.inputs.get("required", ())
    yield "| name | type | required | meaning |\n|---|---|---|---|"
    for name, schema in properties.items():
        about = _cell(f"{schema.get('title', '')}. {schema.get('description', '')}".strip(". "))
        needed = (
            "no: the connection has" if over.connection else "unless the connection has"
        ) + f" `{over.filled.get(name)}`"
        word = "" if name not in required else needed if name in over.filled else "yes"
        yield f"| `{name}` | {_cell(_type(schema))} | {word} | {about}{_limits(schema)} |"


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(json.dumps(item, ensure_ascii=False) for item in schema["enum"][:10])
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return " or ".join(kind)
    kinds = dict.fromkeys(
        _type(item)
        for item in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))
        if isinstance(item, Mapping)
    )
    return " or ".join(kinds) or "any"


def _limits(schema: Mapping[str, Any]) -> str:
    return (
        f" Default: `{_cell(json.dumps(schema['default'], ensure_ascii=False))}`."
        if "default" in schema
        else ""
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sample(manifest: Manifest, action: ActionManifest, over: Over) -> dict[str, Any]:
    """Return a sample invocation over the connection: the manifest's own example, or one with the
    required inputs. Without a connection it names none: an example's connection is fictitious, and
    a call without a name uses the only fitting one.
    """
    more = ({"connection": over.connection} if over.connection else {}) | (
        {"idempotencyKey": _KEY} if action.needs_key else {}
    )
    raw = next(item for item in manifest.raw["actions"] if item["key"] == action.key)
    for example in raw.get("examples", ()):
        if isinstance(example, Mapping) and "invocation" in example:
            return {
                member: value
                for member, value in example["invocation"].items()
                if member != "connection"
            } | more
    properties, filled = action.inputs.get("properties", {}), over.filled if over.connection else ()
    inputs = {
        name: _value(properties.get(name, {}))
        for name in action.inputs.get("required", ())
        if name not in filled
    }
    return {"connector": manifest.key, "action": action.key, **more, "inputs": inputs}


def _value(schema: Mapping[str, Any]) -> Any:
    for member in ("examples", "enum"):
        if schema.get(member):
            return schema[member][0]
    kind = schema.get("type")
    if kind == "object" and schema.get("required"):
        return {
            name: _value(schema.get("properties", {}).get(name, {})) for name in schema["required"]
        }
    return schema.get("default", _SAMPLES.get(kind if isinstance(kind, str) else "string", "…"))


def _snippets(sample: Mapping[str, Any], origin: str | None) -> Iterator[str]:
    text = json.dumps(sample, indent=2, ensure_ascii=False)
    quoted = text.replace("'", "'\\''")
    yield f"```json\n{text}\n```\n"
    if origin is not None:
        yield f"```sh\ncurl {origin}/v1/invocations \\"
        yield (
            '  -H "Authorization: Bearer $JACKFIELD_TOKEN" -H \'Content-Type: '
            f"application/json' \\\n  -d '{quoted}'\n```\n"
        )
    yield "```python\nfrom jackfield import Jackfield\n\nwith Jackfield() as jackfield:"
    yield f"    result = jackfield.invoke({_python(sample)})\n    print(result.unwrap())\n```\n"
    yield f"```sh\njackfield invoke --file - <<'END'\n{text}\nEND\n```"


def _python(value: object) -> str:
    return pformat(value, width=100, sort_dicts=False).replace("\n", "\n        ")
