"""Real servers: the SDK's, in both eras, with JSON and with streams."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jackfield_mcp.client import McpClient
from mcp_rig import call, generate, installed
from ports import free_port
from waiting import until

_SERVER = '''
import sys
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.utilities.types import Image
from mcp_types import ToolAnnotations
from pydantic import BaseModel

server = MCPServer("notes", version="1.2")
NOTES = []

class Note(BaseModel):
    id: int
    text: str

@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def list_notes() -> list[str]:
    """List the notes."""
    return NOTES

@server.tool()
def add_note(text: str) -> Note:
    """Add a note."""
    NOTES.append(text)
    return Note(id=len(NOTES), text=text)

@server.tool()
def fail(text: str) -> str:
    """Fail."""
    raise ValueError(text)

@server.tool()
def picture(text: str) -> Image:
    """Draw."""
    return Image(data=text.encode(), format="png")

server.run("streamable-http", port=int(sys.argv[1]), json_response=sys.argv[2] == "json")
'''


@contextmanager
def peer(folder: Path, form: str) -> Iterator[str]:
    """The SDK's server in a process of its own; its URL."""
    script, port = folder / "server.py", free_port()
    script.write_text(_SERVER, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script), str(port), form],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: _listens(port))
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("form", ["json", "stream"])
@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
def test_the_sdks_server(
    tmp_path: Path, form: str, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each era and each form of answer comes to the same: outputs, errors of tools, files."""
    if era != "2026-07-28":
        monkeypatch.setattr("jackfield_mcp.client.McpClient._negotiated", McpClient._initialized)
    with peer(tmp_path, form) as url:
        manifest = generate(tmp_path, url)
        with installed(tmp_path, database=f"sqlite:///{tmp_path}/store.db") as jackfield:
            added = call(jackfield)
            listed = call(jackfield, "listNotes", inputs={})
            failed = call(jackfield, "fail")
            drawn = call(jackfield, "picture")
            again = [call(jackfield, idempotencyKey="k1").output for _ in range(2)]
            rest = call(jackfield, "listNotes", inputs={})
    assert manifest["mcp"]["protocolVersions"][0] == era
    assert added.output == {"structuredContent": {"id": 1, "text": "hello"}, "content": []}
    assert listed.output["structuredContent"] == {"result": ["hello"]}
    assert (failed.error.code, failed.error.provider.message) == (
        "rejected",
        "Error executing tool fail",
    )
    assert drawn.output["content"][0]["file"]["size"] == 5
    assert again[0] == again[1]
    assert rest.output["structuredContent"] == {"result": ["hello"] * 2}
