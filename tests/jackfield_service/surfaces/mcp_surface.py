"""MCP as a surface for vectors: ``execute_action`` over streamable HTTP, with the play's own
clock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.jackfield_service.surfaces.http_surface import posted, takes_http

from corpus import Vector
from stage import Place

_VERSION = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": _VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_SHORT = 5000


def takes_mcp(vector: Vector) -> bool:
    """Whether MCP can say it: a tool's arguments are an object, and JSON text that is broken is a
    broken message, and no invocation.
    """
    return isinstance(vector.given, Mapping) and takes_http(vector)


def over_mcp(_vector: Vector, place: Place) -> dict[str, Any]:
    """``tools/call`` of ``execute_action``, connections from files; ``isError`` and the words fit
    the Result.
    """
    params = {"name": "execute_action", "arguments": place.given, "_meta": _META}
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    headers = {
        "Mcp_Protocol_Version": _VERSION,
        "Mcp_Method": "tools/call",
        "Mcp_Name": "execute_action",
    }
    status, answer = posted(place, "/mcp", text, **headers)
    assert status == 200, answer
    found = answer["result"]
    result: dict[str, Any] = found["structuredContent"]
    assert found["isError"] is (result["status"] != "succeeded"), found
    words = found["content"][0]["text"]
    assert len(words) < _SHORT, words
    assert result.get("error", {}).get("message", "") in words
    assert result.get("error", {}).get("hint", "") in words
    return result
