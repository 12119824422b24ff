"""Shapes of the HTTP API's requests and responses about tokens."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.callers import TOKEN_SCOPES
from jackfield_service.shell.http.shape_parts import (
    GAPS,
    MOMENT,
    NULLABLE,
    QUOTAS,
    RULES,
    STRING,
    Json,
    closed_with,
    object_of,
)

_SCOPE: Json = {"enum": [*TOKEN_SCOPES]}
_TOKEN: Mapping[str, Json] = {
    "id": STRING,
    "name": STRING,
    "scope": _SCOPE,
    "status": {"enum": ["active", "expired", "revoked"]},
    "rules": RULES,
    "quotas": QUOTAS,
    "createdAt": MOMENT,
    **{
        key: {**NULLABLE, "format": "date-time"} for key in ("expiresAt", "revokedAt", "lastUsedAt")
    },
    "createdBy": {
        "type": "string",
        "description": "The token or user that created it; absent if that was the operator.",
    },
}
_ALWAYS_OF_TOKEN = tuple(name for name in _TOKEN if name not in ("createdBy", "quotas"))
SHAPES: dict[str, Json] = {
    "NewToken": object_of(
        ("scope",),
        scope=_SCOPE,
        name={"type": "string", "maxLength": 200},
        rules=RULES,
        quotas=QUOTAS,
        expiresAt={
            **NULLABLE,
            "maxLength": 40,
            "description": "An RFC 3339 time, a date, or a duration from now, such as 90d.",
        },
        expiresIn={
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 100 * 365 * 86_400,
            "description": "Seconds, in place of 'expiresAt'.",
        },
    ),
    "Token": closed_with(_ALWAYS_OF_TOKEN, {**_TOKEN, "problem": STRING}),
    "CreatedToken": closed_with(
        ("token", *_ALWAYS_OF_TOKEN),
        {"token": {"type": "string", "description": "Shown once."}, **_TOKEN, "warnings": GAPS},
    ),
}
