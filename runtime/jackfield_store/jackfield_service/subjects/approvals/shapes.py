"""Schemas of calls that wait until a person approves them, for the OpenAPI document."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import (
    ANY,
    MOMENT,
    NULLABLE,
    STRING,
    Json,
    closed_with,
    object_of,
)
from jackfield_store.recording.decisions import LONGEST_WHY, STATUSES

_ACTOR: Json = {
    "type": "object",
    "description": "A token, a user of the identity provider, or an account of the command line.",
}
_HOW: Json = {
    "type": "string",
    "description": "Of who has asked on the server itself: how, and with which account.",
}
_ON_DOUBT: Json = {"enum": ["report", "settle", "retry"]}
SHAPES: dict[str, Json] = {
    "Approval": object_of(
        (
            "id",
            "status",
            "connector",
            "action",
            "reason",
            "requestedBy",
            "requestedAt",
            "expiresAt",
        ),
        id=STRING,
        status={"enum": [*STATUSES]},
        connector=STRING,
        connectorVersion=STRING,
        action=STRING,
        effect={"enum": ["read", "idempotent", "write"]},
        connection=STRING,
        reason=STRING,
        requestedBy=object_of(
            (), caller=NULLABLE, token=NULLABLE, remote={"type": "boolean"}, how=_HOW
        ),
        requestedAt=MOMENT,
        expiresAt=MOMENT,
        decidedBy=_ACTOR,
        decidedAt=MOMENT,
        why=STRING,
        account=STRING,
        damage={
            "type": "string",
            "description": "Somebody has changed it in the database; what was asked for is as it was.",
        },
        inputs={
            "description": (
                "What would be sent, in the action's own form, secrets masked; only of one "
                "that waits, and not in a list."
            )
        },
        destination=closed_with(
            ("hosts", "connection"),
            {"hosts": {"type": "array", "items": STRING}, "connection": {"type": "object"}},
        )
        | {
            "description": (
                "Where it goes: addresses of the connection, else hosts of the connector; "
                "its values without secrets."
            )
        },
        files={"type": "object", "description": "Media type and SHA-256 of each file, by its ID."},
        digest={"type": "string", "description": "What the decision is bound to."},
        idempotencyKey={
            "type": "string",
            "description": "The key that answers a repeat of the call; only of one that waits.",
        },
        context=ANY,
        timeoutSeconds={"type": "number"},
        jobTimeoutSeconds={"type": "number"},
        onDoubt=_ON_DOUBT,
        partial={"enum": ["warn", "fail"]},
        repeat={"type": "boolean"},
        trace={"type": "boolean"},
        notBefore=MOMENT,
        notAfter=MOMENT,
    ),
    "Decision": closed_with(
        (),
        {
            "why": {
                "type": "string",
                "maxLength": LONGEST_WHY,
                "description": "The reason; it is kept.",
            },
            "digest": {
                "type": "string",
                "description": (
                    "The digest of what was shown. The response is 412 if the call has another one."
                ),
            },
        },
    ),
}
