"""Shapes of the HTTP API's requests and responses about stored files."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import MOMENT, STRING, Json, list_of, object_of

SHAPES: dict[str, Json] = {
    "StoredFile": object_of(  # generators of clients have a type File of their own
        ("file", "size", "contentType", "expiresAt"),
        file={"type": "string", "pattern": "^file_"},
        size={"type": "integer"},
        contentType=STRING,
        expiresAt=MOMENT,
        name=STRING,
    ),
    "FileList": list_of("#/components/schemas/StoredFile"),
}
