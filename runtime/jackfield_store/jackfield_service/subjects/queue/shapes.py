"""Shapes of the HTTP API's requests and responses about the queue."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import Json, object_of
from jackfield_service.subjects.invocations.shapes import BLOCKED

SHAPES: dict[str, Json] = {
    "QueueStats": object_of(
        ("queued", "delayed", "released", "running", "dead", "oldestSeconds"),
        queued={"type": "integer", "description": "Waiting for a worker, and due."},
        delayed={"type": "integer", "description": "Not due before their 'notBefore' or next try."},
        released={"type": "integer", "description": "On their way to a worker through the broker."},
        running={"type": "integer"},
        dead={"type": "integer", "description": "Given up; they can be redriven."},
        oldestSeconds={
            "type": ["number", "null"],
            "description": "How long the oldest that is due has waited.",
        },
        blocked=BLOCKED,
    ),
}
