"""Shapes of a workspace's acceptance and settings of the tools of an MCP server."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.manifest.manifest import EFFECTS
from jackfield_service.shell.http.shape_parts import (
    NAME,
    STRING,
    STRINGS,
    Json,
    closed_with,
    object_of,
)

_EFFECT: Json = {"enum": [*EFFECTS]}
_TOOL: Mapping[str, Json] = {
    "tool": STRING,
    "action": STRING,
    "title": STRING,
    "effect": _EFFECT,
    "digest": STRING,
}
_PATH: Json = {**STRING, "minLength": 1, "maxLength": 200}
_PATHS: Json = {"type": "array", "items": _PATH, "maxItems": 20}
_PAGINATION: Mapping[str, Json] = {
    "tokenInput": _PATH,
    "tokenOutput": _PATH,
    "items": _PATH,
    "more": _PATH,
    "sizeInput": _PATH,
    "maxSize": {"type": "integer", "minimum": 1},
    "furtherItems": _PATHS,
    "pageMembers": _PATHS,
}
_OVERLAY: Mapping[str, Json] = {
    "effect": _EFFECT,
    "idempotencyKey": {**_PATH, "description": "The input that takes the invocation's key."},
    "keyKept": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Seconds for which the server remembers a key; without it, 600.",
    },
    "toolError": {"const": "inDoubt"},
    "pagination": closed_with(("tokenInput", "tokenOutput", "items"), _PAGINATION),
}
_BOTH: Json = {"type": "object", "description": "'was' and 'is'; absent if it is the same."}
LEFT_OUT: Json = {
    "type": "array",
    "items": object_of(("tool", "reason"), tool=STRING, reason=STRING),
}
SIGN_IN: Json = {
    "type": "boolean",
    "description": "The server lists its tools for those who sign in only.",
}
HEADERS: Json = {
    "type": "object",
    "maxProperties": 1,
    "minProperties": 1,
    "additionalProperties": {**STRING, "minLength": 1, "maxLength": 20_000},
    "description": (
        "Header field with which the server is asked for its tools, such as Authorization; "
        "it is not kept."
    ),
}
_SAID: Json = {
    **closed_with((), _OVERLAY),
    "description": "What the operator says of the tool, which beats what the server says.",
}
_NOTES: Json = {**STRINGS, "description": "What was left off of its schemas, each with its place."}
_CLIENT: Mapping[str, Json] = {
    **dict.fromkeys(
        (
            "client_id",
            "client_name",
            "client_uri",
            "token_endpoint_auth_method",
            "application_type",
        ),
        STRING,
    ),
    **dict.fromkeys(("redirect_uris", "grant_types", "response_types"), STRINGS),
}
TOOLS: Json = {
    "type": "array",
    "items": closed_with((*_TOOL,), {**_TOOL, "notes": _NOTES, "overlay": _SAID}),
}
SHAPES: Mapping[str, Json] = {
    "McpAcceptance": object_of(
        (),
        connection={**NAME, "description": "Connection of the server over which it is asked."},
        headers=HEADERS,
        tools={
            "type": "object",
            "additionalProperties": STRING,
            "description": (
                "Digests of tools as they were reviewed, by the tool's name; another one is "
                "refused. Left out: all."
            ),
        },
    ),
    "McpServerReview": object_of(
        ("name", "version", "changed", "new", "gone", "leftOut"),
        name=NAME,
        version={"type": "integer"},
        new=TOOLS,
        leftOut=LEFT_OUT,
        changed={
            "type": "array",
            "items": object_of(
                ("tool", "action", "effect", "digest", "members"),
                tool=STRING,
                action=STRING,
                effect=_EFFECT,
                digest=STRING,
                members={"type": "array", "items": STRING},
                title=_BOTH,
                description=_BOTH,
                inputs=_BOTH,
                output=_BOTH,
            ),
        },
        gone={"type": "array", "items": object_of(("tool", "action"), tool=STRING, action=STRING)},
        needsSignIn=SIGN_IN,
    ),
    "McpOverlay": object_of(
        ("actions",),
        actions={
            "type": "object",
            "minProperties": 1,
            "additionalProperties": closed_with(
                (), {name: {"anyOf": [one, {"type": "null"}]} for name, one in _OVERLAY.items()}
            ),
            "description": (
                "Members that change, by the tool's name or its action's key; null takes one "
                "back, an empty object all."
            ),
        },
    ),
    "ClientMetadata": closed_with((*_CLIENT,), _CLIENT),
}
