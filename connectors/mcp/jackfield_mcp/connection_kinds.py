"""Connection types by their keys in a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield_mcp.connections import McpConnection, McpHeaderKey, McpToken
from jackfield_mcp.sign_ins import McpAccount

Json = Mapping[str, Any]

KINDS: Mapping[str, type[McpConnection]] = {
    kind.key: kind for kind in (McpConnection, McpToken, McpHeaderKey, McpAccount)
}


def connection_type(row: Json, manifest: Json, *, abroad: bool = False) -> type[McpConnection]:
    """Return the connection type that a manifest describes. With ``abroad``, even an operator's
    connection reaches public hosts only.
    """
    about = {
        "__doc__": row.get("description", ""),
        "key": row["key"],
        "title": row["title"],
        "auth": row["auth"],
        "setup": row.get("setup", ""),
        "servers": tuple(manifest.get("servers", ())),
        "abroad": abroad,
    }
    return type(row["key"], (KINDS[row["key"]],), about)
