"""Shapes of the HTTP API's requests and responses about invocations and exchanges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jackfield.invocation.published import published_schema
from jackfield_service.shell.http.shape_parts import ANY, COUNT, MOMENT, STRING, Json, object_of
from jackfield_service.subjects.doubts.shapes import LOOKED

_PROGRESS: Json = {
    **object_of(
        ("fraction", "text"),
        fraction={
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "How much is done; it never falls.",
        },
        text=STRING,
    ),
    "description": "How far a job is that still runs.",
}
BLOCKED: Json = {
    **object_of(
        ("code", "reason", "since", "nextTryAt"),
        code=STRING,
        reason=STRING,
        since=MOMENT,
        nextTryAt=MOMENT,
    ),
    "description": (
        "Why nothing that is queued in the workspace is begun at present: its keys or "
        "settings cannot be used."
    ),
}


def _published(name: Literal["invocation", "result"]) -> Json:
    return {
        member: value
        for member, value in published_schema(name).items()
        if member not in ("$schema", "$id")
    }


def _entry(result: Mapping[str, Any]) -> Json:
    """Build the schema of a journal entry: the request, and the Result's members once the entry has
    one.
    """
    names = (
        "connector",
        "connectorVersion",
        "action",
        "connection",
        "caller",
        "idempotencyKey",
        "fingerprint",
    )
    own: Any = {
        **dict.fromkeys(names, STRING),
        **dict.fromkeys(("createdAt", "startedAt", "settledAt", "resolvedAt"), MOMENT),
    }
    outcome: Any = {name: result["properties"][name] for name in ("output", "error", "meta")}
    return object_of(
        ("invocationId", "status", "connector", "action", "createdAt"),
        invocationId=STRING,
        status={"enum": ["waiting", "queued", "running", "succeeded", "failed", "in_doubt"]},
        approval=object_of(("id", "expiresAt"), id=STRING, expiresAt=MOMENT),
        effect={"enum": ["read", "idempotent", "write"]},
        dryRun={"type": "boolean"},
        attempts={"type": "array", "items": ANY},
        context=ANY,
        rule=STRING,
        resolvedBy=STRING,
        **LOOKED,
        cancelRequested={
            "type": "boolean",
            "description": (
                "Cancellation was requested while it ran. A request already sent is not "
                "interrupted."
            ),
        },
        correctedAt=MOMENT,
        notBefore=MOMENT,
        notAfter=MOMENT,
        priority={"type": "integer", "minimum": 0, "maximum": 9},
        deadAt={**MOMENT, "description": "When its deliveries were given up. It can be redriven."},
        progress=_PROGRESS,
        blocked=BLOCKED,
        deliveries={"type": "array", "items": ANY},
        problem=STRING,
        inputs=ANY,
        **own,
        **outcome,
    )


_RESULT = _published("result")
SHAPES: dict[str, Json] = {
    "Invocation": _published("invocation"),
    "Result": _RESULT,
    "Entry": _entry(_RESULT),
    "Exchanges": object_of(
        ("invocationId", "captured", "dropped", "exchanges"),
        invocationId=STRING,
        captured={
            "type": "boolean",
            "description": (
                "False if the connector sends by other means than HTTP, or asks for credentials."
            ),
        },
        dropped={
            **COUNT,
            "description": "Number of earlier exchanges, of which only the last 20 are kept.",
        },
        exchanges={"type": "array", "items": {"$ref": "#/components/schemas/Exchange"}},
    ),
    "Exchange": object_of(
        ("method", "url", "startedAt", "durationMs", "sent", "request", "curl"),
        method=STRING,
        url=STRING,
        startedAt=MOMENT,
        durationMs={
            "type": "number",
            "minimum": 0,
            "description": "Until the head of the response, or the fault.",
        },
        sent={"type": "boolean", "description": "False if no byte of the request can have left."},
        request={"$ref": "#/components/schemas/Message"},
        response={
            "allOf": [{"$ref": "#/components/schemas/Message"}],
            "description": "Also has 'status'. Absent if none came.",
        },
        error={"type": "string", "description": "Why there is no response, or no whole one."},
        curl={
            "type": "string",
            "description": "The request as a command line, with *** where it had a secret.",
        },
    ),
    "Message": object_of(
        ("headers", "bytes"),
        status={"type": "integer", "description": "Of a response."},
        headers={"type": "array", "items": object_of(("name", "value"), name=STRING, value=STRING)},
        bytes={**COUNT, "description": "Size of the body, as far as it went over the wire."},
        body={
            "type": "string",
            "description": (
                "Its beginning, without secrets; if the call was traced or the workspace "
                "records inputs."
            ),
        },
        truncated={"type": "boolean", "description": "Whether there was more of the body."},
        omitted={
            "type": "string",
            "description": (
                "Why a body that was kept is not shown: binary, several parts, secrets of "
                "the output."
            ),
        },
    ),
    # a Result is that of a call which waits for a person
    "Queued": {
        "anyOf": [
            {"$ref": "#/components/schemas/QueuedCall"},
            {"$ref": "#/components/schemas/Result"},
        ]
    },
    "QueuedCall": object_of(
        ("invocationId", "status"),
        invocationId=STRING,
        status={"enum": ["queued", "running", "waiting"]},
        progress=_PROGRESS,
        replayed={
            "type": "boolean",
            "description": "True if an earlier request with its key had queued it.",
        },
    ),
}
