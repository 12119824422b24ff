"""The schemas of tools: what is published of invocation and Result, made to fit where they stand."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

__all__ = ["Json", "closed", "invocation_schema", "listing", "result_of", "result_schema"]

Json = dict[str, Any]

_WHOLE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""What language models' providers refuse at the top of a tool's schema. The runtime judges by the whole one."""


@functools.cache
def _published(name: str) -> str:
    return files("jackfield.surfaces.http").joinpath("schemas", f"{name}.schema.json").read_text(encoding="utf-8")


def _shown(name: str) -> Json:
    found: Json = json.loads(_published(name))
    return {member: value for member, value in found.items() if member not in ("$schema", "$id", "title", "examples", *_WHOLE)}


@functools.cache
def invocation_schema() -> Json:
    """What ``execute_action`` takes: an invocation (contract §2)."""
    found = _shown("invocation")
    found["properties"]["inputs"]["description"] = "What the action takes, as get_action_guide tells it."
    return found


@functools.cache
def result_schema() -> Json:
    """What ``execute_action`` gives: a Result (contract §3)."""
    found = _shown("result")
    del found["properties"]["error"]["allOf"]
    return found


def result_of(output: Mapping[str, Any]) -> Json:
    """The schema of a Result with the output of one action; short, since each action's tool has one."""
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
    """A schema without what belongs at the top of a document: its definitions go to the top of the one that it becomes part of."""
    return {member: value for member, value in schema.items() if member not in ("$schema", "$id", "$defs")}


def closed(required: tuple[str, ...] = (), **properties: Json) -> Json:
    """An object of these members and no other."""
    return {"type": "object", "properties": properties, "additionalProperties": False} | ({"required": list(required)} if required else {})


def listing(item: Json) -> Json:
    """A page of a list; or why there is none."""
    return closed(items={"type": "array", "items": item}, nextCursor={"type": ["string", "null"]}, error={"type": "object"})
