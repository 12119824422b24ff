"""Connections to be kept, for tests of the store: of a type with secrets at every kind of place."""

from __future__ import annotations

from typing import Any

from jackfield_store.connections.connection_rows import Draft, LastOutcome

TOKEN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "host": {"type": "string"},
        "token": {"type": "string", "writeOnly": True, "format": "password"},
        "nested": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "a~/b": {"type": "string", "writeOnly": True, "format": "password"},
                "open": {"type": "string"},
            },
        },
        "keys": {
            "type": "array",
            "items": {"type": "string", "writeOnly": True, "format": "password"},
        },
        "externalId": {"type": "string", "x-jackfield": {"generated": "externalId"}},
    },
}
"""A connection type with secrets at every kind of place."""


def drafted(values: dict[str, Any] | None = None, **members: Any) -> Draft:
    """A draft of the type ``test/token``."""
    given = {"host": "example.com", "token": "s3cret-token"} if values is None else values
    return Draft(
        **{
            "type": "test/token",
            "values": given,
            "schema": TOKEN_SCHEMA,
            "outcome": LastOutcome(),
            **members,
        }
    )
