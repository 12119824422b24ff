"""Action ``readResource``: one resource of a server by its URI, as a link of a tool names it."""

from __future__ import annotations

from typing import Any

from jackfield_mcp.naming import READ
from jackfield_mcp.pins import digest_of

DIGEST = digest_of({"name": READ})
"""Pin of the request, which no server describes: it never changes."""
LONGEST_URI = 2_000
"""Characters of a URI."""


def read_action(key: str) -> dict[str, Any]:
    """Return the action's row of a manifest."""
    text = {"type": "string"}
    uri = {
        **text,
        "minLength": 1,
        "maxLength": LONGEST_URI,
        "title": "URI",
        "description": "The resource's URI, as a link or the server names it.",
    }
    content = {"type": "object", "properties": {"uri": text, "mimeType": text, "text": text, "file": {"type": "object"}}}
    return {
        "key": key,
        "title": "Read a resource",
        "description": "Reads a resource of the server. Long texts and binary content are files.",
        "group": "resources",
        "effect": "read",
        "outputPolicy": "describe",
        "mcp": {"method": READ, "digest": DIGEST},
        "inputs": {"type": "object", "additionalProperties": False, "required": ["uri"], "properties": {"uri": uri}},
        "output": {
            "type": "object", "additionalProperties": True, "required": ["contents"],
            "properties": {"contents": {"type": "array", "items": content}},
        },
        "examples": [],
    }  # fmt: skip


__all__ = ["DIGEST", "LONGEST_URI", "READ", "read_action"]
