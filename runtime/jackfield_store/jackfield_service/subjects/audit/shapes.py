"""Shapes of the HTTP API's requests and responses about the audit log."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import ANY, MOMENT, STRING, Json, object_of

SHAPES: dict[str, Json] = {
    "AuditEntry": object_of(
        ("sequence", "at", "actor", "event", "object", "digest"),
        sequence={"type": "integer"},
        at=MOMENT,
        event=STRING,
        object=STRING,
        details=ANY,
        digest=STRING,
        damage=STRING,
        unsealed={
            "type": "boolean",
            "description": "True if the head before it had no seal: see the reference on access.",
        },
        actor=object_of(
            ("kind",),
            kind={"enum": ["token", "user", "link", "cli", "library", "platform"]},
            id=STRING,
            name=STRING,
            onBehalfOf=STRING,
        ),
    ),
}
