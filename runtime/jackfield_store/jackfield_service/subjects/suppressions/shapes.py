"""Shapes of what the HTTP API takes and shows of suppressed recipients."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import MOMENT, PROBLEM, STRING, Json, object_of

_REFUSING: Json = {
    "type": "array", "items": STRING,
    "description": "Connections whose guard refuses suppressed recipients, * for each without a guard of its own; empty: they are sent to.",
}  # fmt: skip
SHAPES: dict[str, Json] = {
    "Suppression": object_of(
        ("recipient", "reason", "at", "expiresAt", "refusedBy"), recipient=STRING, reason={"enum": ["bounce", "complaint"]}, text=STRING,
        at=MOMENT, expiresAt=MOMENT, refusedBy=_REFUSING, problem=PROBLEM,
    ),
}  # fmt: skip
