"""Shapes of the HTTP API's requests and responses about rules."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import STRING, Json, object_of

_PATTERNS: Json = {"type": "array", "items": STRING, "maxItems": 1000}
SHAPES: dict[str, Json] = {
    "Rules": object_of((), allow=_PATTERNS, block=_PATTERNS, approve=_PATTERNS),
}
