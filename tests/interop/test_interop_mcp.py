"""MCP clients that others wrote, over HTTP and stdio: fastmcp's, the inspector, LangChain's, and
those of both SDKs before 2026-07-28.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import pytest

from gates import Gatekeeper
from http_stand import Process, Stand, clean, process, say, standing
from jackfield_store.runtime import Jackfield
from plugboard import make_echo
from ports import free_port
from waiting import until

pytestmark = pytest.mark.interop
_ENVIRONMENTS = Path(sys.prefix)
_MODULES = _ENVIRONMENTS / "mcp-node" / "node_modules"
_DISCOVERY = [
    "search_actions",
    "get_action_guide",
    "list_connections",
    "read_events",
    "read_result",
    "execute_action",
]
_PATIENCE = 120.0
Json = dict[str, Any]
_FASTMCP = """
import asyncio, json, sys
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

async def main(given):
    way = StreamableHttpTransport(given["url"], auth=given["token"]) if "url" in given else StdioTransport(
        given["command"][0], given["command"][1:], env=given["env"])
    call, told = given["post"], []
    async def note(done, total, text):
        told.append(text)
    async with Client(way) as client:
        names = [tool.name for tool in await client.list_tools()]
        found = await client.call_tool("search_actions", {"query": "post note", "connector": None, "limit": None})
        runs = [await client.call_tool("execute_action", {**call, "idempotencyKey": "k-fastmcp"}) for _ in range(2)]
        wrong = await client.call_tool("execute_action", {**call, "action": "nothing"}, raise_on_error=False)
        await client.call_tool("execute_action", given["pages"], progress_handler=note)
    print(json.dumps([
        names, found.structured_content["items"][0]["action"],
        [one.structured_content["output"] for one in runs], wrong.is_error, told[0],
    ]))

asyncio.run(main(json.loads(sys.argv[1])))
"""
_LANGCHAIN = """
import asyncio, json, sys
from langchain_mcp_adapters.client import MultiServerMCPClient

def way(given):
    if "url" in given:
        return {"transport": "streamable_http", "url": given["url"], "headers": {"Authorization": "Bearer " + given["token"]}}
    return {"transport": "stdio", "command": given["command"][0], "args": given["command"][1:], "env": given["env"]}

async def main(given):
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"jackfield": way(given)}).get_tools()}
    async def ran(name, **arguments):
        return await tools[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
    found = await ran("search_actions", query="post note")
    runs = [await ran("execute_action", **given["post"], idempotencyKey="k-langchain") for _ in range(2)]
    wrong = await ran("execute_action", **{**given["post"], "action": "nothing"})
    print(json.dumps([
        list(tools), found.artifact["structured_content"]["items"][0]["action"],
        [one.artifact["structured_content"]["output"] for one in runs], "no action" in str(wrong.content),
    ]))

asyncio.run(main(json.loads(sys.argv[1])))
"""
_SDK_PYTHON = """
import asyncio, json, sys
from contextlib import asynccontextmanager
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client

def way(given):
    if "url" in given:
        return streamablehttp_client(given["url"], headers={"Authorization": "Bearer " + given["token"]})
    return stdio_client(StdioServerParameters(command=given["command"][0], args=given["command"][1:], env=given["env"]))

async def main(given):
    numbers = {}
    async with way(given) as streams, ClientSession(*streams[:2]) as session:
        await session.initialize()

        async def called(asked):
            told = []
            async def note(done, total, text):
                told.append(text)
            params = types.CallToolRequestParams(name=asked["tool"], arguments=asked["arguments"], **asked["beside"])
            request = types.ClientRequest(types.CallToolRequest(params=params))
            numbers[asked["id"]] = session._request_id
            try:
                found = (await session.send_request(
                    request, types.CallToolResult, progress_callback=note if asked["follows"] else None)).structuredContent
            except Exception as error:
                found = {"raised": str(error)}
            print(json.dumps({"id": asked["id"], "found": found, "told": told}), flush=True)

        tasks = []
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            if "cancels" in asked:
                params = types.CancelledNotificationParams(requestId=numbers[asked["cancels"]], reason="no longer wanted")
                await session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))
            else:
                tasks.append(asyncio.ensure_future(called(asked)))
        for task in tasks:
            task.cancel()

asyncio.run(main(json.loads(sys.argv[1])))
"""
_SDK_TYPESCRIPT = """
import readline from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";

const given = JSON.parse(process.argv[2]);
const way = given.url
  ? new StreamableHTTPClientTransport(new URL(given.url), { requestInit: { headers: { Authorization: `Bearer ${given.token}` } } })
  : new StdioClientTransport({ command: given.command[0], args: given.command.slice(1), env: given.env, stderr: "ignore" });
const client = new Client({ name: "peer", version: "1.0.0" });
await client.connect(way);
const stops = {};
const say = (value) => console.log(JSON.stringify(value));
async function called({ id, tool, arguments: args, beside, follows }) {
  const told = [];
  const stop = (stops[id] = new AbortController());
  const options = { signal: stop.signal, ...(follows ? { onprogress: ({ message }) => told.push(message) } : {}) };
  const request = { method: "tools/call", params: { name: tool, arguments: args, ...beside } };
  const found = await client.request(request, CallToolResultSchema, options).then(
    (result) => result.structuredContent, (error) => ({ raised: error.message }));
  say({ id, found, told });
}
for await (const line of readline.createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if ("cancels" in asked) stops[asked.cancels].abort("no longer wanted");
  else called(asked);
}
await client.close();
process.exit(0);
"""


def _python(environment: str) -> str:
    found = _ENVIRONMENTS / environment / "bin" / "python"
    if not found.exists():
        pytest.skip(f".venv/{environment} is not there: make interop installs it")
    return str(found)


def _node(package: str) -> Path:
    found = _MODULES / package
    if not found.exists():
        pytest.skip(f"{package} is not installed in .venv/mcp-node: make interop installs it")
    return found


def _written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def _outside(**more: str) -> dict[str, str]:
    """An environment without what this process tells its Python."""
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "JACKFIELD_"))
        },
        **more,
    }


def _ran(*command: str, **more: str) -> Any:
    """What a client of others prints, as JSON."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=_outside(**more)
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout)


def _over_stdio(folder: Path) -> Json:
    """How a client starts ``jackfield mcp``, with a home of its own."""
    path = os.pathsep.join(make_echo(folder / "plugs"))
    return {
        "command": [sys.executable, "-m", "jackfield", "mcp"],
        "env": clean(folder / "home", PYTHONPATH=path),
    }


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("mcp")) as found:
        yield found


@pytest.fixture(params=["http", "http/", "stdio"])
def given(request: pytest.FixtureRequest, stand: Stand, tmp_path: Path) -> Json:
    """How a client reaches us: by an address, also with a slash at its end, or by a command."""
    if request.param == "stdio":
        return _over_stdio(tmp_path)
    client = stand.client()
    return {"url": f"http://127.0.0.1:{client.port}/mcp{request.param[4:]}", "token": client.token}


def _with_calls(given: Json) -> str:
    return json.dumps(
        {
            **given,
            "post": say("post", text="hello"),
            "pages": say("list", total=9, pageSize=4, fetchAll=True),
        }
    )


def test_fastmcp(tmp_path: Path, given: Json) -> None:
    """Tools, options that are null, a repeated call under its key, an error, progress."""
    client = _written(tmp_path, "client.py", _FASTMCP)
    names, found, (first, second), is_wrong, told = _ran(
        _python("mcp-peers"), client, _with_calls(given)
    )
    assert (names, found, is_wrong, told) == (_DISCOVERY, "post", True, "Pages read: 1.")
    assert first == second
    assert first["text"] == "hello"


def test_langchain(tmp_path: Path, given: Json) -> None:
    """Its tools are made of ours; a new session for each call."""
    client = _written(tmp_path, "client.py", _LANGCHAIN)
    names, found, (first, second), is_wrong = _ran(
        _python("mcp-langchain"), client, _with_calls(given)
    )
    assert (names, found, is_wrong) == (_DISCOVERY, "post", True)
    assert first == second
    assert first["text"] == "hello"


@pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
def test_the_inspector(tmp_path: Path, given: Json, era: str) -> None:
    """Both revisions, and its choice between them; it finds nothing wrong with our schemas."""
    package = _node("@modelcontextprotocol/inspector")
    (tmp_path / "inspector").mkdir()

    def ran(*options: str) -> Json:
        command = [
            "node",
            str(package / "clients" / "launcher" / "build" / "index.js"),
            "--cli",
            "--quiet",
            "--format",
            "json",
        ]
        if "url" in given:
            way = [
                "--server-url",
                given["url"],
                "--transport",
                "http",
                "--header",
                f"Authorization: Bearer {given['token']}",
            ]
            found = _ran(
                *command, *way, "--protocol-era", era, *options, HOME=str(tmp_path / "inspector")
            )
        else:
            told = [
                part
                for name in ("JACKFIELD_HOME", "JACKFIELD_PIN", "PYTHONPATH")
                for part in ("-e", f"{name}={given['env'][name]}")
            ]
            way = ["--protocol-era", era, *options, "--", *given["command"]]
            found = _ran(*command, *told, *way, HOME=str(tmp_path / "inspector"))
        result: Json = found["result"]
        return result

    assert [
        tool["name"] for tool in ran("--method", "tools/list", "--strict")["tools"]
    ] == _DISCOVERY
    arguments = json.dumps(say("post", text="hello"))
    called = ran(
        "--method", "tools/call", "--tool-name", "execute_action", "--tool-args-json", arguments
    )
    assert (called["structuredContent"]["output"]["text"], called["isError"]) == ("hello", False)
    assert (
        ran("--method", "resources/templates/list")["resourceTemplates"][0]["uriTemplate"]
        == "jackfield://files/{id}"
    )


class _Peer:
    """A client of an SDK in a process of its own, told what to call line by line."""

    def __init__(self, kind: str, folder: Path, given: Json) -> None:
        if kind == "python":
            command = [_python("mcp-langchain"), _written(folder, "peer.py", _SDK_PYTHON)]
        else:
            modules = folder / "node_modules"
            if not modules.exists():
                modules.symlink_to(_node("@modelcontextprotocol/sdk").parents[1])
            command = ["node", _written(folder, "peer.mjs", _SDK_TYPESCRIPT)]
        self.process = subprocess.Popen(
            [*command, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_outside(),
        )
        self._asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def begin(
        self, arguments: Json, tool: str = "execute_action", *, follows: bool = False, **beside: Any
    ) -> int:
        """Have a tool called; return the number of the call."""
        self._asked += 1
        self._say(
            {
                "id": self._asked,
                "tool": tool,
                "arguments": arguments,
                "beside": beside,
                "follows": follows,
            }
        )
        return self._asked

    def answer(self, number: int) -> Json:
        """The answer to a call, behind those to calls that were cancelled."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            row: Json = json.loads(line)
            if row["id"] == number:
                return row
        raise AssertionError("the client has ended")

    def call(self, arguments: Json, tool: str = "execute_action", **beside: Any) -> Json:
        """Structured content of the answer to a call."""
        found: Json = self.answer(self.begin(arguments, tool, **beside))["found"]
        return found

    def cancel(self, number: int) -> None:
        """Have a call cancelled."""
        self._say({"cancels": number})

    def server(self) -> int:
        """Process ID of the server over stdio."""
        (found,) = [
            int(one)
            for row in Path(f"/proc/{self.process.pid}/task").glob("*/children")
            for one in row.read_text().split()
        ]
        return found

    def _say(self, line: Json) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()


_KINDS = pytest.mark.parametrize("kind", ["python", "typescript"])


def _ended(stand: Stand, given: Json, key: str) -> tuple[str, str | None]:
    """Status and code of the call with a key, once it has ended."""

    def found(jackfield: Jackfield) -> tuple[str, str | None] | None:
        assert jackfield.journal is not None
        rows = [entry.to_json() for entry in jackfield.journal.entries()[0]]
        (row,) = [row for row in rows if row.get("idempotencyKey") == key]
        return (
            None
            if row["status"] == "running"
            else (row["status"], row.get("error", {}).get("code"))
        )

    if "url" in given:
        return until(lambda: found(stand.host.runtime("default"))) or ("", None)
    with Jackfield(environment=given["env"]) as jackfield:
        return until(lambda: found(jackfield)) or ("", None)


@_KINDS
def test_a_key_beside_the_arguments(tmp_path: Path, given: Json, kind: str) -> None:
    """``params.idempotencyKey``, where clients put it that were written for SEP-3182: the call is
    made once.
    """
    key = f"beside-{kind}-{tmp_path.name}"
    with _Peer(kind, tmp_path, given) as peer:
        first, second = [peer.call(say("post", text="hello"), idempotencyKey=key) for _ in range(2)]
        two = peer.call(
            {**say("post", text="hello"), "idempotencyKey": "other"}, idempotencyKey=key
        )
    assert [first["meta"]["replayed"], second["meta"]["replayed"]] == [False, True]
    assert first["meta"]["invocationId"] == second["meta"]["invocationId"]
    assert two["error"]["code"] == "invalid_invocation"


@_KINDS
def test_progress(tmp_path: Path, given: Json, kind: str) -> None:
    """Pages are counted as they come, before the answer and not after it; a server that knows the
    client's token does so, too.
    """
    with _Peer(kind, tmp_path, given) as peer:
        for _ in range(2):
            row = peer.answer(
                peer.begin(say("list", total=9, pageSize=4, fetchAll=True), follows=True)
            )
            assert (len(row["found"]["output"]["Items"]), row["told"][0]) == (9, "Pages read: 1.")


@_KINDS
@pytest.mark.parametrize(
    ("before", "ended"), [(True, ("failed", "cancelled")), (False, ("succeeded", None))]
)
def test_a_cancelled_call(
    tmp_path: Path,
    stand: Stand,
    given: Json,
    kind: str,
    before: bool,
    ended: tuple[str, str | None],
) -> None:
    """What was not sent is not sent; what was runs to its end. The client goes on."""
    key = f"cancelled-{kind}-{before}-{tmp_path.name}"
    with Gatekeeper() as gate, _Peer(kind, tmp_path, given) as peer:
        number = peer.begin(
            {
                **say("post", text="hello", gate={"port": gate.port, "before": before}),
                "idempotencyKey": key,
            }
        )
        gate.wait()
        peer.cancel(number)
        # over stdio, it is behind the cancellation
        assert peer.call({"query": "post note"}, "search_actions")["items"]
        if "url" in given and before:
            until(
                lambda: all(
                    event.is_set()
                    for event in list(stand.host.runtime("default").pipeline.live.values())
                )
            )
        gate.open()
        found = _ended(stand, given, key)
    assert found == ended


def _started(folder: Path, port: int) -> AbstractContextManager[Process]:
    """Start a server with the database that the others beside its folder have."""
    return process(folder, "--port", str(port), JACKFIELD_HOME=str(folder.parent / "home"))


@_KINDS
def test_a_server_over_http_is_started_again(tmp_path: Path, kind: str) -> None:
    """A session is no process's own: a client of the one before is served by the next."""
    port, call = free_port(), {**say("post", text="hello"), "idempotencyKey": "again"}
    with _started(tmp_path / "first", port) as first:
        peer = _Peer(kind, tmp_path, {"url": f"http://127.0.0.1:{port}/mcp", "token": first.token})
        before = peer.call(call)
        first.process.kill()
        first.process.wait()
    with _started(tmp_path / "second", port), peer:
        after = peer.call(call)
    assert (after["meta"]["replayed"], after["meta"]["invocationId"]) == (
        True,
        before["meta"]["invocationId"],
    )


def test_a_server_over_http_that_is_killed_within_a_call(tmp_path: Path) -> None:
    """The next one knows that it may have been done. With the SDK for Python 1.30 the client itself
    ends there.
    """
    port = free_port()
    with Gatekeeper() as gate:
        call = {**say("post", text="hello", gate={"port": gate.port}), "idempotencyKey": "killed"}
        with _started(tmp_path / "first", port) as first:
            peer = _Peer(
                "typescript",
                tmp_path,
                {"url": f"http://127.0.0.1:{port}/mcp", "token": first.token},
            )
            number = peer.begin(call)
            gate.wait()
            first.process.kill()
            first.process.wait()
            assert "raised" in peer.answer(number)["found"]
        with _started(tmp_path / "second", port), peer:
            assert until(lambda: _settled(peer.call(call)))["status"] == "in_doubt"


@_KINDS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_over_stdio_that_is_stopped(
    tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    """The client learns that it has ended. The next one knows what may have been done, or was done
    before the end.
    """
    given = _over_stdio(tmp_path)
    with Gatekeeper() as gate:
        call = {
            **say("post", text="hello", gate={"port": gate.port}),
            "idempotencyKey": "stopped-stdio",
        }
        with _Peer(kind, tmp_path, given) as peer:
            asked = peer.begin(call)
            gate.wait()
            os.kill(peer.server(), number)
            if number == signal.SIGTERM:
                gate.open()
            found = peer.answer(asked)["found"]
            assert "raised" in found or found["status"] == "succeeded"
        with _Peer(kind, tmp_path, given) as peer:
            again = until(lambda: _settled(peer.call(call)))
    assert again["status"] == ("in_doubt" if number == signal.SIGKILL else "succeeded")


def _settled(found: Json) -> Json:
    """An answer; nothing for a conflict with the call of a process that is believed to live."""
    return {} if found.get("error", {}).get("code") == "idempotency_conflict" else found
