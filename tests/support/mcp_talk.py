"""Conversations over MCP: the SDK's own client on stdio or HTTP, and lines as they cross stdio."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from httpx2 import AsyncClient
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from http_stand import clean
from plugboard import make_echo

T = TypeVar("T")

MODES = ("legacy", "2026-07-28")
"""The protocol with a handshake, and the one without."""
_PATIENCE = 60.0
Server = Callable[[], Any]
"""Makes what the SDK's client connects to."""


def talked(server: Server, step: Callable[[Client], Awaitable[T]], mode: str = MODES[1]) -> T:
    """What one conversation comes to."""

    async def run() -> T:
        async with Client(server(), mode=mode, read_timeout_seconds=_PATIENCE) as client:
            return await step(client)

    return asyncio.run(run())


def called(server: Server, tool: str, mode: str = MODES[1], /, **arguments: Any) -> CallToolResult:
    """What one call of a tool comes to."""
    return talked(server, lambda client: client.call_tool(tool, arguments), mode)


class Conversation:
    """A conversation that goes on over several calls, for tests outside an event loop."""

    def __init__(self, server: Server, mode: str = MODES[1]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="mcp-conversation", daemon=True
        )
        self._over = asyncio.Event()
        self._client: Future[Client] = Future()
        self._server, self._mode = server, mode

    def __enter__(self) -> Self:
        self._thread.start()
        self._living = asyncio.run_coroutine_threadsafe(self._live(), self._loop)
        self._client.result(_PATIENCE)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        try:
            self._living.result(_PATIENCE)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE)
            self._loop.close()

    async def _live(self) -> None:
        try:
            async with Client(
                self._server(), mode=self._mode, read_timeout_seconds=_PATIENCE
            ) as client:
                self._client.set_result(client)
                await self._over.wait()
        except BaseException as error:
            if not self._client.done():
                self._client.set_exception(error)
            raise

    def call(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """What a call of a tool comes to."""
        return asyncio.run_coroutine_threadsafe(
            self._client.result().call_tool(tool, arguments), self._loop
        ).result(_PATIENCE)


def refusal(server: Server, tool: str, mode: str = MODES[1], /, **arguments: Any) -> MCPError:
    """The error of the protocol that a call comes to, which is no Result."""

    async def step(client: Client) -> MCPError:
        try:
            found = await client.call_tool(tool, arguments)
        except MCPError as error:
            return error
        raise AssertionError(found)

    return talked(server, step, mode)


def tool_names(server: Server, mode: str = MODES[1]) -> list[str]:
    """The names of all tools, page by page."""

    async def listed(client: Client) -> list[str]:
        found, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            found += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                return found

    return talked(server, listed, mode)


def local(folder: Path, *options: str, paths: Sequence[str] = (), **more: str) -> Server:
    """``jackfield mcp`` with the echo connector and a home in ``folder``."""
    environment = _environment(folder, paths, more)
    return lambda: StdioServerParameters(
        command=sys.executable, args=["-m", "jackfield", "mcp", *options], env=environment
    )


def _environment(folder: Path, paths: Sequence[str], more: dict[str, str]) -> dict[str, str]:
    plugs = folder / "plugs"
    echo = make_echo(plugs) if not plugs.exists() else [str(plugs), str(_echo())]
    return clean(folder / "home", PYTHONPATH=os.pathsep.join([*paths, *echo]), **more)


def _echo() -> Path:
    return Path(__file__).parents[1] / "connectors" / "echo"


def remote(port: int, token: str | None, **headers: str) -> Server:
    """``/mcp`` of a server, with a token and more headers; underscores in their names are
    dashes.
    """
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"

    @contextlib.asynccontextmanager
    async def transport() -> AsyncIterator[Any]:
        async with (
            # to read authorities takes 30 ms
            AsyncClient(headers=sent, timeout=_PATIENCE, trust_env=False, verify=False) as http,
            streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http) as streams,
        ):
            yield streams

    made: Callable[[], AbstractAsyncContextManager[Any]] = transport
    return made


async def trying(
    client: Client, tool: str, arguments: dict[str, Any], left: Callable[[], object]
) -> None:
    """Call a tool, and cancel the call when ``left`` returns, which waits in a thread."""
    task = asyncio.ensure_future(client.call_tool(tool, arguments))
    await asyncio.to_thread(left)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class Lines:
    """``jackfield mcp`` as a process, spoken to line by line."""

    def __init__(self, folder: Path, *options: str, paths: Sequence[str] = (), **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jackfield", "mcp", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(folder, paths, more),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(_PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def say(self, line: bytes | dict[str, Any]) -> None:
        """Write one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(
            (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
        )
        self.process.stdin.flush()

    def ask(self, method: str, identifier: int = 1, **params: Any) -> None:
        """Write a request."""
        self.say({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})

    def hear(self) -> Any:
        """The next line, which must be JSON-RPC."""
        assert self.process.stdout is not None
        line = json.loads(self.process.stdout.readline())
        assert line["jsonrpc"] == "2.0"
        return line

    def greet(self) -> Any:
        """Shake hands as older clients do."""
        self.ask(
            "initialize",
            0,
            protocolVersion="2025-11-25",
            capabilities={},
            clientInfo={"name": "lines", "version": "1"},
        )
        found = self.hear()
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return found

    def call(self, tool: str, identifier: int = 1, **arguments: Any) -> None:
        """Ask for a call of a tool."""
        self.ask("tools/call", identifier, name=tool, arguments=arguments)

    def stop(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def close(self) -> None:
        """Close its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def ended(self) -> tuple[int, bytes, str]:
        """Close stdin and wait for the end: the exit code, and what was left on stdout and
        stderr.
        """
        out, err = self.process.communicate(timeout=_PATIENCE)
        return self.process.returncode, out, err.decode()


def message(method: str, identifier: str | int | None = 1, /, **params: Any) -> dict[str, Any]:
    """A request as it crosses the wire; without an id, a notification."""
    about = {} if identifier is None else {"id": identifier}
    return {"jsonrpc": "2.0", **about, "method": method, "params": params}


def call_of(tool: str, identifier: str | int = 1, /, **arguments: Any) -> dict[str, Any]:
    """A call of a tool as it crosses the wire."""
    return message("tools/call", identifier, name=tool, arguments=arguments)


class Pipes:
    """Stdin and stdout of this process as a client sees them; it reads and writes from a thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        theirs, ours = os.pipe(), os.pipe()
        monkeypatch.setattr("sys.stdin", os.fdopen(theirs[0], "r"))
        monkeypatch.setattr("sys.stdout", os.fdopen(ours[1], "w"))
        self._to = os.fdopen(theirs[1], "w")
        self._from = os.fdopen(ours[0], "r")

    def ask(self, request: dict[str, Any]) -> Any:
        """One request and its answer."""
        self.say(request)
        return self.hear()

    def say(self, request: dict[str, Any]) -> None:
        """Write a request."""
        self._to.write(json.dumps(request) + "\n")
        self._to.flush()

    def hear(self) -> Any:
        """Read the next line."""
        return json.loads(self._from.readline())

    def close(self) -> None:
        """Close the process's stdin."""
        self._to.close()

    def closed(self) -> None:
        """Close the rest."""
        sys.stdout.close()
        sys.stdin.close()
        self._from.close()
