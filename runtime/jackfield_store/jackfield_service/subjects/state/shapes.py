"""Shapes of state in the HTTP API's requests and answers; ``schemas/state.schema.json`` describes a
workspace in a file.
"""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import (
    ANY,
    COUNT,
    GAPS,
    NAME,
    STRING,
    STRINGS,
    Json,
    closed_with,
)

_FACTS: dict[str, Json] = {
    "digest": {"type": "string", "description": "That of what is stated and what was there."},
    "rows": {"type": "array", "items": {"$ref": "#/components/schemas/StateRow"}},
    "unchanged": {**COUNT, "description": "Things that are as they are stated."},
}
_OF_ALL: Json = {"type": "object", "additionalProperties": ANY}
SHAPES: dict[str, Json] = {
    "StateFile": closed_with(
        ("workspaces",),
        {
            "label": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100,
                "description": "Marks what the file makes; 'apply' by default.",
            },
            "variables": ANY,
            "workspaces": {
                **_OF_ALL,
                "description": (
                    "What one workspace has, by its name: /schemas/state.schema.json says "
                    "what that is."
                ),
            },
        },
    ),
    "StateRow": closed_with(
        ("workspace", "kind", "name", "act"),
        {
            "workspace": NAME,
            "kind": STRING,
            "name": STRING,
            "act": {
                "enum": ["make", "change", "adopt", "end", "left", "person", "passed", "refused"]
            },
            "members": {
                **_OF_ALL,
                "description": "What changes, with its values before and after.",
            },
            "after": ANY,
            "replaced": {"type": "boolean", "description": "It is ended, and made anew."},
            "ends": {**STRINGS, "description": "What stops with it."},
            "secret": {"type": "boolean", "description": "It gets a new one."},
            "afterwards": STRING,
            "warnings": GAPS,
            "reason": STRING,
            "problem": STRING,
        },
    ),
    "StatePlan": closed_with(tuple(_FACTS), _FACTS),
    "AppliedState": closed_with(
        tuple(_FACTS),
        {
            **_FACTS,
            "secrets": {
                **_OF_ALL,
                "description": "By kind and name: tokens and signing secrets, shown once.",
            },
        },
    ),
}
