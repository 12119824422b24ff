"""Parts of which the JSON Schemas of the API are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

NAME: Json = {"type": "string", "pattern": "^[._-]*[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 100}
MOMENT: Json = {"type": "string", "format": "date-time"}
STRING: Json = {"type": "string"}
STRINGS: Json = {"type": "array", "items": STRING}
COUNT: Json = {"type": "integer", "minimum": 0}
ANY: Json = {"type": "object"}
NULLABLE: Json = {"type": ["string", "null"]}
PROBLEM: Json = {"type": "string", "description": "What of its row cannot be shown."}
EFFECT: Json = {"enum": ["read", "idempotent", "write"]}


def object_of(required: Iterable[str], *, closed: bool = True, **properties: Json) -> Json:
    """Return the schema of an object with these members; with ``closed``, no others are valid."""
    body = closed_with(required, properties)
    return body if closed else {**body, "additionalProperties": True}


def closed_with(required: Iterable[str], properties: Mapping[str, Json]) -> Json:
    """Return the schema of an object with these members and no other, for names that are no Python
    names.
    """
    return {
        "type": "object",
        "required": list(required),
        "properties": dict(properties),
        "additionalProperties": False,
    }


def list_of(*items: str) -> Json:
    """Return the schema of a page of a list whose items have one of these references."""
    references = [{"$ref": item} for item in items]
    kind = references[0] if len(references) == 1 else {"anyOf": references}
    return object_of(
        ("items", "nextCursor"), items={"type": "array", "items": kind}, nextCursor=NULLABLE
    )


GRANT: Json = {
    **closed_with(
        (),
        {
            "refreshToken": STRING,
            "accessToken": STRING,
            "expiresAt": MOMENT,
            "scopes": {"anyOf": [STRING, {"type": "array", "items": STRING}]},
            "user": {"type": "string", "maxLength": 255},
            "metadata": {"type": "object"},
        },
    ),
    "description": (
        "A grant that a person approved elsewhere. It is not tested; a refresh token is used "
        "at the first call."
    ),
}
GONE: Json = {
    **object_of(("code", "message", "hint"), code=STRING, message=STRING, hint=STRING),
    "description": (
        "What it refers to and is gone: a connector, an action, a trigger or a connection. "
        "It does nothing until that is back."
    ),
}
GAPS: Json = {
    "type": "array",
    "items": closed_with(("path", "message"), {"path": STRING, "message": STRING}),
    "description": (
        "Patterns that match no installed action, or guard 'effect:write' alone, with the "
        "number of changes that they leave out; where rules were made."
    ),
}
RULES: Json = {"$ref": "#/components/schemas/Rules"}
_POINTER: Json = {"type": "string", "pattern": "^/", "maxLength": 200}
QUOTAS: Json = {
    "type": "array",
    "maxItems": 50,
    "description": "How many calls may take effect in a span of time, or how much of a number in them.",
    "items": closed_with(
        ("count", "per"),
        {
            "count": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 10**12,
                "title": "At most",
            },
            "per": {"enum": ["second", "minute", "hour", "day", "month"], "title": "Per"},
            "of": {
                **closed_with(
                    (),
                    {
                        "effect": {
                            "enum": ["read", "idempotent", "write", "change"],
                            "title": "Effect",
                        },
                        "action": {
                            "type": "string",
                            "maxLength": 200,
                            "title": "Action",
                            "description": "As in a rule: aws-ses/*",
                        },
                        "connection": {
                            "type": "string",
                            "maxLength": 200,
                            "title": "Connection",
                            "description": "As in a rule: acme-*",
                        },
                    },
                ),
                "title": "Of",
            },
            "by": {
                "type": "string",
                "maxLength": 200,
                "title": "For each",
                "description": (
                    "token (or caller), connection, recipient, or a JSON Pointer into the "
                    "inputs: each has a count of its own."
                ),
            },
            "sum": {
                **_POINTER,
                "title": "Sum",
                "description": (
                    "JSON Pointer to the number in the inputs that is counted instead of the call."
                ),
            },
        },
    ),
}
