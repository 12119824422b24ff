"""Shapes of what the HTTP API takes and shows of callbacks and deliveries."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield_service.shell.http.shape_parts import MOMENT, PROBLEM, STRING, Json, closed_with, object_of

_ATTEMPT: Mapping[str, Json] = {
    "at": MOMENT, "durationMs": {"type": "number"}, "status": {"type": "integer"}, "error": STRING,
    "answer": {"type": "string", "description": "The beginning of the receiver's answer."},
}  # fmt: skip
_CALLBACK_OPTIONS: Mapping[str, Json] = {
    "url": {"type": "string", "maxLength": 2000, "description": "https, and a public host unless the operator allows it."},
    "types": {
        "type": "array",
        "items": STRING,
        "maxItems": 50,
        "description": "Types and patterns such as invocation.*; none: all but those of the audit log.",
    },
    "filter": {
        "type": ["object", "null"],
        "description": "Values, or arrays of values, that members of the data must have: connector, action, connection, status, errorCode, "
        "correlationId, labels.",
    },
    "include": {"type": "array", "items": {"enum": ["output"]}},
    "thin": {"type": "boolean", "description": "Leave the payload out."},
    "signing": {"enum": ["hmac", "ed25519"]},
    "description": {"type": "string", "maxLength": 200},
}
_CALLBACK: Mapping[str, Json] = {
    "id": STRING, "workspaces": {**STRING, "description": "Of a platform's callback: the pattern of its workspaces."}, **_CALLBACK_OPTIONS,
    "status": {"enum": ["active", "paused"]}, "reason": STRING, "failingSince": MOMENT, "createdAt": MOMENT, "updatedAt": MOMENT,
    "problem": PROBLEM,
}  # fmt: skip
_CALLBACK_SECRET: Mapping[str, Json] = {
    "secret": {"type": "string", "description": "Shown once."}, "publicKey": {"type": "string", "description": "Of an Ed25519 key."},
}  # fmt: skip
SHAPES: dict[str, Json] = {
    "NewCallback": closed_with(("url",), _CALLBACK_OPTIONS),
    "CallbackUpdate": closed_with((), {**_CALLBACK_OPTIONS, "status": {"enum": ["active", "paused"]}}),
    "Callback": closed_with(("id", "url", "types", "status", "createdAt"), _CALLBACK),
    "CreatedCallback": closed_with(("id", "url", "types", "status", "createdAt"), {**_CALLBACK, **_CALLBACK_SECRET}),
    "RotatedCallback": closed_with(("id", "previousUntil"), {"id": STRING, **_CALLBACK_SECRET, "previousUntil": MOMENT}),
    "CallbackRotation": object_of((), overlapSeconds={"type": "number", "minimum": 0, "maximum": 2_592_000}),
    "CallbackRecovery": object_of(
        ("since",), since={"type": "string", "maxLength": 40, "description": "An RFC 3339 time, a date, or a duration before now: 2d."}
    ),
    "Recovery": object_of(("recovered",), recovered={"type": "integer", "description": "Number of events that are sent again."}),
    "CallbackTest": closed_with(("delivered", "at", "durationMs"), {"delivered": {"type": "boolean"}, **_ATTEMPT}),
    "Delivery": object_of(
        ("id", "callback", "eventId", "sequence", "type", "status", "attempts", "createdAt"),
        id=STRING, callback=STRING, url=STRING, eventId=STRING, sequence={"type": "integer"}, type=STRING,
        workspace={**STRING, "description": "To a platform's callback: the workspace of the event."},
        status={"enum": ["pending", "delivered", "dead"]}, attempts={"type": "integer"}, nextAt=MOMENT, endedAt=MOMENT, createdAt=MOMENT,
        lastStatus={"type": "integer"}, lastError=STRING, problem=PROBLEM,
        log={
            "type": "array", "items": closed_with(("at", "durationMs"), _ATTEMPT), "description": "The last ten attempts, the newest last.",
        },
        request={
            **closed_with(("headers", "body"), {"headers": {"type": "object", "additionalProperties": STRING}, "body": {"type": "object"}}),
            "description": "Of a single delivery: the request of its last attempt without its signature, as event and callback make it.",
        },
    ),
}  # fmt: skip
