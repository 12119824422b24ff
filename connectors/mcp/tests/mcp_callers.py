"""Callers of all surfaces of a server, and what of their own credentials an MCP server gets to see
of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from http_stand import Client, Stand, standing
from mcp_rig import ToolServer, serving, tool
from mcp_tasks import executed, legacy
from waiting import until

KEY = "mcp.notes"
TOKEN = "t0ken-4711-abcdef"
_COOKIE, _SESSION = "c=cookie-of-mine", "0123456789abcdef" * 2


@contextmanager
def served(folder: Path) -> Iterator[tuple[Stand, ToolServer, Client]]:
    """A server of jackfield's, the MCP server that it has as a connector, and a client that may do
    everything and has a connection.
    """
    with serving(ToolServer(tool())) as notes, standing(folder) as stand:
        client = stand.client()
        assert client.post("/v1/mcp-servers", {"name": "notes", "url": notes.url}).status == 201
        values = {"token": TOKEN}
        assert (
            client.post(
                "/v1/connections", {"name": "main", "type": f"{KEY}/bearer", "values": values}
            ).status
            == 201
        )
        yield stand, notes, client


def passed_on(client: Client, notes: ToolServer, count: int) -> tuple[list[str], int]:
    """Call the tool over all surfaces until the MCP server has recorded ``count`` requests; what it
    got of the caller's own credentials, and how many requests had the connection's.
    """
    began, own = len(notes.requests), [str(client.token), "cookie-of-mine", _SESSION]
    while len(notes.requests) - began < count:
        _calls(client, notes)
    sent = [json.dumps([message, headers]) for message, headers in notes.requests[began:]]
    return [word for word in own if any(word in one for one in sent)], sum(
        TOKEN in one for one in sent
    )


def _calls(client: Client, notes: ToolServer) -> None:
    """Call the tool once over each surface, and test the connection."""
    call, before = (
        {"connector": KEY, "action": "addNote", "connection": "main", "inputs": {"text": "hello"}},
        notes.count("tools/call"),
    )
    assert (
        client.post(
            "/v1/invocations", call, Cookie=_COOKIE, traceparent=f"00-{'a' * 32}-{'b' * 16}-01"
        ).json["status"]
        == "succeeded"
    )
    assert (
        client.post("/v1/invocations", call, Prefer="respond-async", Cookie=_COOKIE).status == 202
    )
    assert executed(client, {**call, "repeat": True})["structuredContent"]["status"] == "succeeded"
    found = legacy(client, "tools/call", name="execute_action", arguments={**call, "repeat": True})
    assert found["structuredContent"]["status"] == "succeeded"
    session = {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": _SESSION, "Cookie": _COOKIE}
    params = {"name": "execute_action", "arguments": {**call, "repeat": True}}
    assert (
        client.post(
            "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, **session
        ).status
        == 200
    )
    assert client.post("/v1/connections/main/test").status == 200
    until(lambda: notes.count("tools/call") >= before + 5)
