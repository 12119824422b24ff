"""Shapes of the HTTP API's requests and responses about batches."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import ANY, STRING, Json, object_of

SHAPES: dict[str, Json] = {
    "BatchOutcome": object_of(
        (),
        invocationId=STRING,
        status={"enum": ["waiting", "queued", "running", "succeeded", "failed", "in_doubt"]},
        replayed={
            "type": "boolean",
            "description": "True if an earlier request with its idempotency key had queued it.",
        },
        error=ANY,
        meta=ANY,
    ),
}
