"""What a proxy sees of a call that is silent for long: a response that has begun, and comments,
before its idle time is over.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from gates import Gatekeeper
from http_stand import SETTINGS, say, standing
from jackfield_service.shell.http import event_stream
from jackfield_service.subjects.mcp import http_route

SILENCE = 0.05


def _call(token: str | None, gate: Gatekeeper) -> tuple[str, dict[str, Any]]:
    body = say("post", text="x", gate={"port": gate.port})
    if token is None:
        return "/v1/invocations", body
    arguments = {**body, "connection": "hall"}
    params = {"name": "execute_action", "arguments": arguments, "_meta": {"progressToken": token}}
    return "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@pytest.mark.parametrize("token", [None, "p"])
def test_a_call_that_is_silent_sends_comments(
    tmp_path: Path, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream began with the first event: nginx ended it after 60 seconds without one, and MCP's
    between two reports of progress.
    """
    for module in (event_stream, http_route):
        monkeypatch.setattr(module, "_SILENCE", SILENCE)
    with standing(tmp_path, SETTINGS) as stand, Gatekeeper() as gate:
        client = stand.client()
        assert (
            client.post(
                "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
            ).status
            == 201
        )
        path, body = _call(token, gate)
        head = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
        head["Accept"] = "application/json, text/event-stream" if token else "text/event-stream"
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", stand.port, timeout=60)
        ) as connection:
            connection.request("POST", path, json.dumps(body), head)
            gate.wait()
            response = connection.getresponse()
            begun = [response.readline() for _ in range(4)]
            gate.open()
            rest = response.read().decode()
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["X-Accel-Buffering"] == "no"
    assert b": waiting\n" in begun
    last = [line for line in rest.splitlines() if line.startswith("data: ")][-1]
    assert "succeeded" in last
