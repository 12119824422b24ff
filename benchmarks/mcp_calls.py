"""A call of an MCP server's tool through jackfield against the same call of the SDK's client, over
kept connections to a server in another process.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, Scene, compared
from benchmarks.own_server import running, serve

_REVISION = "2026-07-28"
_TOOL = {
    "name": "add_note",
    "description": "Add a note.",
    "inputSchema": {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string"}},
    },
}
_DONE = {"resultType": "complete", "content": [{"type": "text", "text": "done"}]}
_RESULTS: dict[str, Any] = {
    "server/discover": {
        "resultType": "complete",
        "supportedVersions": [_REVISION],
        "capabilities": {"tools": {}},
        "ttlMs": 3_600_000,
        "cacheScope": "private",
        "serverInfo": {"name": "notes", "version": "1"},
    },
    "tools/list": {
        "resultType": "complete",
        "tools": [_TOOL],
        "ttlMs": 3_600_000,
        "cacheScope": "private",
    },
    "tools/call": _DONE,
}
_TEXT = "hello"


def lines() -> Iterator[Line]:
    """Measure a call through the whole pipe, without and with a journal."""
    with running("benchmarks.mcp_calls") as url:
        found = compared(Scene(through_pipe, (url,)), Scene(through_sdk, (url,)))
        yield found.line(
            "tool of an MCP server over a kept connection, through the pipe, CPU time over the "
            "SDK's client",
            at_most=0.35,
        )


@contextmanager
def through_sdk(url: str) -> Iterator[Callable[[], object]]:
    """Call it by the SDK's client, in an event loop that goes on."""
    from mcp import Client

    loop, wanted = asyncio.new_event_loop(), asyncio.Queue[asyncio.Future[object] | None]()

    async def talk() -> None:  # whoever opens the SDK's client has to close it
        async with Client(f"{url}/mcp", mode=_REVISION) as client:
            while (asked := await wanted.get()) is not None:
                asked.set_result(await client.call_tool("add_note", {"text": _TEXT}))

    def call() -> object:
        asked = loop.create_future()
        wanted.put_nowait(asked)
        return loop.run_until_complete(asked)

    talking = loop.create_task(talk())
    try:
        yield call
    finally:
        wanted.put_nowait(None)
        loop.run_until_complete(talking)
        loop.close()


@contextmanager
def through_pipe(url: str) -> Iterator[Callable[[], object]]:
    """Call it by an invocation of the connector that is generated from the server."""
    from jackfield.catalog import Catalog
    from jackfield_mcp.command import command
    from jackfield_store.runtime import Jackfield
    from plugboard import declare, plugged

    connections = [{"connections": {"main": {"type": "notes/anonymous", "values": {}}}}]
    invocation = {
        "connector": "notes",
        "action": "addNote",
        "connection": "main",
        "inputs": {"text": _TEXT},
    }
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        with redirect_stdout(sys.stderr):  # the process's own output has the figures
            command([f"{url}/mcp", "--key", "notes", "--out", str(made), "--json"])
        declare(made, "jackfield-notes", "jackfield.connectors", {"notes": "jackfield_notes:mcp"})
        with (
            plugged(made),
            Jackfield(
                connections=connections, catalog=Catalog.installed(), database_url="none"
            ) as jackfield,
        ):
            yield lambda: jackfield.invoke(invocation).unwrap()


def _talk(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as file:
        while True:
            size = 0
            while (line := file.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            if not line:
                return
            message = json.loads(file.read(size))
            result = _RESULTS.get(message["method"])
            body = (
                b""
                if result is None
                else json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
            )
            status = b"202 Accepted" if result is None else b"200 OK"
            connection.sendall(
                b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (status, len(body), body)
            )


if __name__ == "__main__":
    serve(_talk)
