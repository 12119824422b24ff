"""One MCP tool per action (name, schemas, effect), the invocation of a call of the tool, and the
published schemas adapted to tools.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from mcp_types import Tool, ToolAnnotations

from jackfield.catalog import Catalog
from jackfield.invocation.published import published_schema
from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.manifest.manifest import ActionManifest, Effect, Manifest
from jackfield_service.subjects.mcp.tool_names import named, place_of, tool_name, uncut

Json = dict[str, Any]

_WHOLE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords that language-model providers refuse at the top of a tool's schema. The runtime
validates with the complete schema.
"""


def _schema_members(name: Literal["invocation", "result"]) -> Json:
    return {
        member: value
        for member, value in published_schema(name).items()
        if member not in ("$schema", "$id", "title", "examples", *_WHOLE)
    }


@functools.cache
def invocation_schema() -> Json:
    """Return the input schema of ``execute_action``: an Invocation
    (docs/reference/invocation.md).
    """
    found = _schema_members("invocation")
    found["properties"]["inputs"]["description"] = (
        "The action's inputs, as described by get_action_guide."
    )
    return found


@functools.cache
def result_schema() -> Json:
    """Return the output schema of ``execute_action``: a Result (docs/reference/result.md)."""
    found = _schema_members("result")
    del found["properties"]["error"]["allOf"]
    return _or_running(found)


def _or_running(schema: Json) -> Json:
    """Extend the schema of a Result to a job that still runs."""
    own = schema["properties"]
    status = {**own["status"], "enum": [*own["status"]["enum"], "running"]}
    return {**schema, "required": ["status"], "properties": {**own, "status": status, **_RUNNING}}


_RUNNING: Json = {
    "invocationId": {"type": "string", "description": "Of a job that still runs."},
    "progress": {
        "type": "object",
        "description": "How far a job is: 'fraction', from 0 to 1, and 'text'.",
    },
}


def result_of(output: Mapping[str, Any]) -> Json:
    """Build the schema of a Result with one action's output; it is short, since each action's tool
    has one.
    """
    return {
        "type": "object",
        "required": ["status", "meta"],
        "properties": {
            "status": {"type": "string", "enum": ["succeeded", "failed", "in_doubt"]},
            "output": _embedded(output),
            "error": {"type": "object", "required": ["code", "message", "retryable"]},
            "meta": {"type": "object"},
        },
        "additionalProperties": False,
    } | ({"$defs": output["$defs"]} if "$defs" in output else {})


def _embedded(schema: Mapping[str, Any]) -> Json:
    """Return a schema without its document-level members: its definitions move to the top of the
    enclosing schema.
    """
    return {
        member: value
        for member, value in schema.items()
        if member not in ("$schema", "$id", "$defs")
    }


def closed(required: tuple[str, ...] = (), **properties: Json) -> Json:
    """Build the schema of an object with exactly these members."""
    return {"type": "object", "properties": properties, "additionalProperties": False} | (
        {"required": list(required)} if required else {}
    )


def listing(item: Json) -> Json:
    """Build the schema of a page of a list, or of the error that replaces it."""
    return closed(
        items={"type": "array", "items": item},
        nextCursor={"type": ["string", "null"]},
        error={"type": "object"},
    )


def refused_arguments(details: tuple[Detail, ...], count: int) -> InvalidInput:
    """Return the error for a tool's arguments; ``count`` of them are not valid."""
    text = "1 argument is not valid" if count == 1 else f"{count} arguments are not valid"
    return InvalidInput(text, details=details, hint="See the tool's inputSchema.")


_OURS = ("connection", "idempotencyKey", "repeat")
"""Members of the invocation that a call may have in addition to the action's inputs. An input of
the same name takes precedence.
"""
_NOT_AT_THE_TOP = frozenset(
    {
        "$schema",
        "$id",
        "title",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
    }
)
"""Keywords left out at the top of a tool's schema: language-model providers refuse such a tool, and
every other tool with it. The action's own schema validates the call and reports missing members.
"""


def action_tools(catalog: Catalog, after: str = "") -> Iterator[Tool]:
    """Yield the tools of all actions in a catalog that follow the tool named ``after``, sorted by
    their unshortened names.
    """
    last = place_of(catalog, after)
    # in the order of tool names: '-' sorts before '_', which sorts before letters
    for key in sorted(catalog, key="{}_".format):
        if f"{key}`" <= last:  # every name of this connector sorts before: '`' follows '_'
            continue
        manifest = catalog.look(key)[1]
        # a tool for each of thousands of actions would fill a model's context
        if manifest is None or manifest.virtual:
            continue
        for name, action in sorted(
            (uncut(key, action.key), action) for action in manifest.actions.values()
        ):
            if name > last:
                yield _tool(tool_name(key, action.key), manifest, action)


def _tool(name: str, manifest: Manifest, action: ActionManifest) -> Tool:
    return Tool(
        name=name,
        title=f"{manifest.title}: {action.title}",
        description=action.description or f"{manifest.title}: {action.title}",
        input_schema=_inputs(manifest, action),
        output_schema=_or_running(result_of(action.output))
        if action.is_job
        else result_of(action.output),
        annotations=annotated(action.rule_effect, needs_key=action.needs_key),
    )


def annotated(
    effect: Effect, *, needs_key: bool = False, open_world: bool = True
) -> ToolAnnotations:
    """Return the effect as MCP annotations. An effect that is not known to be harmless gets the
    worst declaration, as in MCP's own defaults: an action that needs a key may be called without
    one.
    """
    return ToolAnnotations(
        read_only_hint=effect == "read",
        destructive_hint=effect != "read",
        idempotent_hint=effect != "write" and not needs_key,
        open_world_hint=open_world,
    )


def _inputs(manifest: Manifest, action: ActionManifest) -> Json:
    """Combine the action's inputs with the invocation's members. Inputs that a connection may
    supply are not required, since a model would invent values.
    """
    schema = {
        member: value for member, value in action.inputs.items() if member not in _NOT_AT_THE_TOP
    }
    filled = {name for name, _ in action.defaults}
    schema["type"] = "object"
    schema["properties"] = {**_ours(manifest, action), **action.inputs.get("properties", {})}
    schema["required"] = [name for name in action.inputs.get("required", ()) if name not in filled]
    return schema


def _ours(manifest: Manifest, action: ActionManifest) -> Json:
    published = invocation_schema()["properties"]
    about = "The name of the connection to use, from list_connections. Optional if only one fits."
    connection: Json = (
        {"type": "string", "minLength": 1, "description": about}
        if manifest.connection_types
        else {}
    )
    return {
        **({"connection": connection} if connection else {}),
        "idempotencyKey": published["idempotencyKey"],
    } | ({"repeat": published["repeat"]} if action.rule_effect == "write" else {})


def invocation_of(catalog: Catalog, name: str, arguments: Mapping[str, Any]) -> Json | None:
    """Build the invocation for a call of the tool; None if no action has a tool of this name.
    ``connector.action`` is a valid name, too.
    """
    found = named(catalog, name)
    if found is None:
        return None
    connector, action = found
    own = action.inputs.get("properties", {})
    ours = {
        member: arguments[member] for member in _OURS if member in arguments and member not in own
    }
    inputs = {member: value for member, value in arguments.items() if member not in ours}
    ours = {member: value for member, value in ours.items() if value is not None}
    return {"connector": connector, "action": action.key, "inputs": inputs, **ours}
