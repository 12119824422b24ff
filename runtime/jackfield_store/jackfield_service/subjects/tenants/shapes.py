"""Shapes of the HTTP API's requests and responses about workspaces and their settings."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield_service.shell.http.shape_parts import (
    ANY,
    GAPS,
    MOMENT,
    NAME,
    QUOTAS,
    RULES,
    STRING,
    Json,
    closed_with,
    object_of,
)
from jackfield_service.subjects.connect.shapes import THEME
from jackfield_service.subjects.doubts.shapes import CHOICES
from jackfield_store.access.settings import LIMITS, WRITE_RULES

_COUNTS: Json = {"type": "object", "additionalProperties": {"type": "integer"}}
_BUDGET: Json = object_of((), rate={"type": "number"}, concurrency={"type": "integer"})
_SHARE: Json = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_GUARD: Json = object_of(
    (),
    refuse={"type": "boolean"},
    bounceRate=_SHARE,
    complaintRate=_SHARE,
    messages={"type": "integer", "minimum": 100, "maximum": 10_000},
    since=MOMENT,
    paused={
        "type": "object",
        "description": "When its connection was paused, and the figures. Without it, it is resumed.",
    },
)
_LIMIT: Json = {"type": ["integer", "null"], "minimum": 0}
_SETTINGS: Mapping[str, Json] = {
    "rules": RULES,
    "keepInputs": {"type": "boolean"},
    "keepDoubts": {"type": "boolean"},
    "retentionDays": {"type": "integer", "minimum": 1, "maximum": 3650},
    "allowReferences": {"anyOf": [{"type": "boolean"}, {"type": "array", "items": STRING}]},
    "allowAmbient": {"type": "boolean"},
    "allowOwnExternalId": {"type": "boolean"},
    "queueRate": {"type": "number", "minimum": 0},
    "queueConcurrency": {"type": "integer", "minimum": 0},
    "suspended": {"type": "boolean"},
    **CHOICES,
    "writes": {
        "enum": [*WRITE_RULES, None],
        "description": (
            "With ask, a write that no allow pattern names waits until a person approves it; "
            "null: allow."
        ),
    },
    "connectionBudgets": {
        "type": "object",
        "additionalProperties": {"anyOf": [_BUDGET, {"type": "null"}]},
    },
    "limits": closed_with((), dict.fromkeys(LIMITS, _LIMIT)),
    "theme": THEME,
    "guards": {"type": "object", "additionalProperties": {"anyOf": [_GUARD, {"type": "null"}]}},
    "quotas": QUOTAS,
}
SHAPES: dict[str, Json] = {
    "WorkspaceSettings": closed_with((), _SETTINGS),
    "Workspace": closed_with(
        ("name", "createdAt"),
        {
            "name": NAME,
            "createdAt": {**MOMENT, "type": ["string", "null"]},
            "problem": STRING,
            **_SETTINGS,
            "warnings": GAPS,
        },
    ),
    "WorkspaceEnd": object_of(
        ("name", "status"),
        name=NAME,
        status={"enum": ["suspended", "purged"]},
        revoked=_COUNTS,
        kept=_COUNTS,
        deleted=_COUNTS,
    ),
    "ConnectionHealth": object_of(
        ("name", "type", "status"),
        name=STRING,
        type=STRING,
        status={"enum": ["untested", "ok", "failing", "expired"]},
        since=STRING,
        hint=STRING,
        account=ANY,
        user={"type": "string", "description": "Who has connected it in a connect session."},
    ),
    "Usage": closed_with(
        ("workspace", "from", "to", "total"),
        {
            "workspace": NAME,
            "from": MOMENT,
            "to": MOMENT,
            "total": _COUNTS,
            "items": {"type": "array", "items": ANY},
        },
    ),
}
