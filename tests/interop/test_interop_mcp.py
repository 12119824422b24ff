"""An MCP client that others wrote at our endpoint: fastmcp's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_stand import Stand, say, standing

pytestmark = pytest.mark.interop
_ENVIRONMENTS = Path(sys.prefix)
_PYTHON = _ENVIRONMENTS / "mcp-peers" / "bin" / "python"
_DISCOVERY = ["search_actions", "get_action_guide", "list_connections", "read_events", "read_result", "execute_action"]
_FASTMCP = """
import asyncio, json, sys
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

async def main(url, token, call):
    async with Client(StreamableHttpTransport(url, auth=token)) as client:
        names = [tool.name for tool in await client.list_tools()]
        found = await client.call_tool("search_actions", {"query": "post note", "connector": None, "limit": None})
        runs = [await client.call_tool("execute_action", {**call, "idempotencyKey": "k-fastmcp"}) for _ in range(2)]
        wrong = await client.call_tool("execute_action", {**call, "action": "nothing"}, raise_on_error=False)
    print(json.dumps([
        names, found.structured_content["items"][0]["action"],
        [one.structured_content["output"] for one in runs], wrong.is_error,
    ]))

asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
"""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("mcp")) as found:
        yield found


def _ran(command: list[str]) -> Any:
    """What a client of others prints, as JSON."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout)


def _python(folder: Path, stand: Stand, text: str, path: str = "/mcp") -> Any:
    if not _PYTHON.exists():
        pytest.skip("fastmcp is not installed in .venv/mcp-peers: make interop installs it")
    (folder / "client.py").write_text(text, encoding="utf-8")
    client = stand.client()
    assert client.token is not None
    url = f"http://127.0.0.1:{client.port}{path}"
    return _ran([str(_PYTHON), str(folder / "client.py"), url, client.token, json.dumps(say("post", text="hello"))])


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
def test_fastmcp(tmp_path: Path, stand: Stand, path: str) -> None:
    """Tools, options that are null, a repeated call under its key, an error; with and without the last slash of the address."""
    names, found, (first, second), is_wrong = _python(tmp_path, stand, _FASTMCP, path)
    assert (names, found, is_wrong) == (_DISCOVERY, "post", True)
    assert first == second
    assert first["text"] == "hello"
