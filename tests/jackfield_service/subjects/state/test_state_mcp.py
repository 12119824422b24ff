"""MCP servers that files state: asked for their tools once, before the transaction of the workspace
that gets them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcp_rig import ToolServer, serving
from shell import Shell


def test_a_server_is_stated_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A workspace is made with an MCP server and a connection of it; a second apply asks nobody,
    and another address is a change.
    """
    shell = Shell(tmp_path, [str(tmp_path)], monkeypatch, capsys)
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "home"),
        JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path / 'all.db'}",
    )
    monkeypatch.chdir(tmp_path)
    with serving(ToolServer(ttl=0)) as server, serving(ToolServer(ttl=0)) as other:
        document = {
            "mcpServers": {"notes": {"url": server.url}},
            "connections": {"n": {"type": "mcp.notes/anonymous", "values": {}}},
        }
        shell.write("state.json", json.dumps({"workspaces": {"acme": document}}))
        planned = shell.run("plan", "state.json")
        assert [(row["kind"], row["act"]) for row in planned.json["rows"]] == [
            ("workspace", "make"),
            ("mcpServers", "make"),
            ("connections", "make"),
        ], planned.out
        made = shell.run("apply", "state.json", "--plan", planned.json["digest"])
        assert made.code == 0, made.out
        asked = len(server.requests)
        assert shell.run("apply", "state.json").json["rows"] == []
        assert len(server.requests) == asked
        shell.write(
            "state.json",
            json.dumps({"workspaces": {"acme": {"mcpServers": {"notes": {"url": other.url}}}}}),
        )
        used = shell.run("plan", "state.json")
        assert "1 connection is for the MCP server 'notes'" in used.json["rows"][0]["problem"]
        assert shell.run("connections", "remove", "n", "--workspace", "acme").code == 0
        (row,) = shell.run("plan", "state.json").json["rows"][:1]
        assert row["members"] == {"url": {"before": server.url, "after": other.url}}
        assert shell.run("apply", "state.json").code == 0
        assert (
            shell.run("mcp-servers", "show", "notes", "--workspace", "acme").json["url"]
            == other.url
        )
