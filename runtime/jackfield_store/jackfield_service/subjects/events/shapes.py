"""Shapes of the HTTP API's requests and responses about events."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import ANY, MOMENT, STRING, Json, object_of

SHAPES: dict[str, Json] = {
    "Event": object_of(
        ("id", "sequence", "type", "subject", "timestamp", "cursor", "data"),
        id=STRING,
        sequence={"type": "integer"},
        type=STRING,
        subject=STRING,
        timestamp=MOMENT,
        cursor=STRING,
        data=ANY,
    ),
    "EventList": object_of(
        ("items", "nextCursor"),
        items={"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
        nextCursor={"type": "string", "description": "Where to go on; also of an empty page."},
    ),
}
