"""Actions ``readResource`` and ``listResources``: read one resource of a server by its URI, and
list its resources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jackfield_mcp.naming import LIST, READ, REQUESTS
from jackfield_mcp.pins import pin_of

DIGESTS = {name: pin_of({"name": name}).whole for name in REQUESTS}
"""Pins of the two requests. They never change, since no server describes the requests."""
LONGEST_URI = 2_000
"""Maximum number of characters of a URI."""
_LONGEST_CURSOR = 16_384
_TEXT: dict[str, Any] = {"type": "string"}
_CURSOR: dict[str, Any] = {"type": ["string", "integer"]}
"""Schema of a cursor: the standard has strings; some servers send and require a number."""


def request_action(name: str, key: str) -> dict[str, Any]:
    """Return the manifest's row of the action for the request ``name``."""
    made: dict[str, Any] = {
        **_ROWS[name](),
        "key": key,
        "mcp": {"method": name, "digest": DIGESTS[name]},
    }
    return {
        **made,
        "group": "resources",
        "effect": "read",
        "outputPolicy": "describe",
        "examples": [],
    }


def _read() -> dict[str, Any]:
    uri = {
        **_TEXT,
        "minLength": 1,
        "maxLength": LONGEST_URI,
        "title": "URI",
        "description": "The resource's URI, as a link or the server names it.",
    }
    content = {
        "type": "object",
        "properties": {"uri": _TEXT, "mimeType": _TEXT, "text": _TEXT, "file": {"type": "object"}},
    }
    return {
        "title": "Read a resource",
        "description": "Reads a resource of the server. Long texts and binary content are files.",
        "inputs": {
            "type": "object",
            "additionalProperties": False,
            "required": ["uri"],
            "properties": {"uri": uri},
        },
        "output": {
            "type": "object",
            "additionalProperties": True,
            "required": ["contents"],
            "properties": {"contents": {"type": "array", "items": content}},
        },
    }


def _list() -> dict[str, Any]:
    row = {
        "type": "object",
        "properties": {
            "uri": _TEXT,
            "name": _TEXT,
            "title": _TEXT,
            "mimeType": _TEXT,
            "size": {"type": "integer"},
        },
    }
    words = {"title": "Cursor", "description": "The nextCursor of the page before."}
    cursor = {**_CURSOR, "minLength": 1, "maxLength": _LONGEST_CURSOR, **words}
    every = {
        "type": "boolean",
        "title": "Fetch all",
        "description": "Fetch every page, not only one.",
    }
    return {
        "title": "List resources",
        "description": "Lists the resources of the server: their URIs and names.",
        "inputs": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"cursor": cursor, "fetchAll": every},
        },
        "output": {
            "type": "object",
            "additionalProperties": True,
            "required": ["resources"],
            "properties": {"resources": {"type": "array", "items": row}, "nextCursor": _CURSOR},
        },
        "pagination": {
            "tokenInput": "cursor",
            "tokenOutput": "nextCursor",
            "items": "resources",
            "allInput": "fetchAll",
        },
    }


_ROWS: Mapping[str, Callable[[], dict[str, Any]]] = {READ: _read, LIST: _list}

__all__ = ["DIGESTS", "LIST", "LONGEST_URI", "READ", "request_action"]
