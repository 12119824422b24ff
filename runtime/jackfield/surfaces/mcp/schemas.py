"""Schemas of the tools: the published Invocation and Result schemas, adapted to tools."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

Json = dict[str, Any]

_WHOLE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords that language-model providers refuse at the top of a tool's schema. The runtime validates with the complete schema."""


@functools.cache
def _published(name: str) -> str:
    return files("jackfield.surfaces.http").joinpath("schemas", f"{name}.schema.json").read_text(encoding="utf-8")


def _shown(name: str) -> Json:
    found: Json = json.loads(_published(name))
    return {member: value for member, value in found.items() if member not in ("$schema", "$id", "title", "examples", *_WHOLE)}


@functools.cache
def invocation_schema() -> Json:
    """Return the input schema of ``execute_action``: an Invocation (docs/reference/invocation.md)."""
    found = _shown("invocation")
    found["properties"]["inputs"]["description"] = "The action's inputs, as described by get_action_guide."
    return found


@functools.cache
def result_schema() -> Json:
    """Return the output schema of ``execute_action``: a Result (docs/reference/result.md)."""
    found = _shown("result")
    del found["properties"]["error"]["allOf"]
    return found


def result_of(output: Mapping[str, Any]) -> Json:
    """Build the schema of a Result with one action's output; it is short, since each action's tool has one."""
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
    """Return a schema without its document-level members: its definitions move to the top of the enclosing schema."""
    return {member: value for member, value in schema.items() if member not in ("$schema", "$id", "$defs")}


def closed(required: tuple[str, ...] = (), **properties: Json) -> Json:
    """Build the schema of an object with exactly these members."""
    return {"type": "object", "properties": properties, "additionalProperties": False} | ({"required": list(required)} if required else {})


def listing(item: Json) -> Json:
    """Build the schema of a page of a list, or of the error in its place."""
    return closed(items={"type": "array", "items": item}, nextCursor={"type": ["string", "null"]}, error={"type": "object"})
