"""MCP servers that others wrote: called, killed in use, and signed in to. ``make interop`` installs
and runs them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest

from jackfield.catalog import Catalog
from jackfield.kernel.errors import JackfieldError
from jackfield_store.runtime import Jackfield
from mcp_rig import Answers, call, generate, installed
from plugboard import declare, plugged, provided
from ports import free_port
from waiting import until

pytestmark = pytest.mark.interop
_ENVIRONMENTS = Path(sys.prefix)
_PYTHON = _ENVIRONMENTS / "mcp-peers" / "bin" / "python"
_MODULES = _ENVIRONMENTS / "mcp-node" / "node_modules"
_REDIRECT = "https://jackfield.example.com/callback"
_FASTMCP = """
import os
from dataclasses import dataclass
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.tools.base import ToolResult
from mcp.types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult, ResourceLink

server = FastMCP("notes", list_page_size=2)

@dataclass
class Sum:
    total: int

@server.tool
def add(a: int, b: int) -> Sum:
    return Sum(a + b)

@server.tool
def fail(text: str) -> str:
    raise ToolError(text)

@server.tool
async def count(to: int, ctx: Context) -> int:
    for number in range(to):
        await ctx.report_progress(number + 1, to, f"step {number + 1}")
    return to

@server.tool
def link(text: str) -> ToolResult:
    return ToolResult(content=[ResourceLink(type="resource_link", uri="https://example.com/" + text, name=text)])

@server.tool
async def wait(ctx: Context) -> str:
    import anyio, pathlib
    try:
        await anyio.sleep(60)
    except anyio.get_cancelled_exc_class():
        pathlib.Path(os.environ["NOTES"]).write_text("cancelled")
        raise
    return "late"

@server.tool
async def ask(ctx: Context) -> str | InputRequiredResult:
    if ctx.input_responses is not None:
        return ctx.input_responses["sure"].action
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
    return InputRequiredResult(input_requests={"sure": ElicitRequest(
        params=ElicitRequestFormParams(message="Sure?", requested_schema=schema))})

server.run("http", host="127.0.0.1", port=int(os.environ["PORT"]), show_banner=False, uvicorn_config={"access_log": False})
"""
_FASTMCP_SIGN_IN = """
import os
from fastmcp import FastMCP
from fastmcp.server.auth.auth import ClientRegistrationOptions
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider

url = "http://127.0.0.1:" + os.environ["PORT"]
registration = ClientRegistrationOptions(enabled=os.environ.get("REGISTERS") != "no",
    valid_scopes=["notes"], default_scopes=["notes"])
auth = None if "SIGNS" not in os.environ else InMemoryOAuthProvider(
    base_url=url, required_scopes=["notes"], client_registration_options=registration)
server = FastMCP("notes", auth=auth)

@server.tool
def add_note(text: str) -> str:
    return "kept " + text

server.run("http", host="127.0.0.1", port=int(os.environ["PORT"]), show_banner=False, uvicorn_config={"access_log": False})
"""
_SDK_SIGN_IN = """import express from "express";
import { z } from "zod";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { mcpAuthRouter, getOAuthProtectedResourceMetadataUrl } from "@modelcontextprotocol/sdk/server/auth/router.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { DemoInMemoryAuthProvider } from "@modelcontextprotocol/sdk/examples/server/demoInMemoryOAuthProvider.js";

const issuer = new URL(`http://127.0.0.1:${process.env.PORT}`);
const resource = new URL("/mcp", issuer);
const provider = new DemoInMemoryAuthProvider((asked) => asked?.href === resource.href);
if (process.env.REGISTERS === "no") provider.clientsStore.registerClient = undefined;
const app = express();
app.use(express.json());
app.use(mcpAuthRouter({ provider, issuerUrl: issuer, resourceServerUrl: resource, scopesSupported: ["notes"] }));
const bearer = requireBearerAuth({ verifier: provider, requiredScopes: ["notes"],
  resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource) });
app.post("/mcp", process.env.SIGNS === undefined ? (_r, _s, next) => next() : bearer, async (request, response) => {
  const server = new McpServer({ name: "notes", version: "1.0.0" });
  server.registerTool("add_note", { description: "Who is signed in.", inputSchema: { text: z.string() } },
    async (_given, { authInfo }) => ({ content: [{ type: "text", text: `resource ${authInfo?.resource.href}` }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
app.listen(Number(process.env.PORT), "127.0.0.1");
"""


_SDK_CANCELLED = """import express from "express";
import { appendFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const sessions = {};
const app = express();
app.use(express.json());
app.post("/mcp", async (request, response) => {
  let transport = sessions[request.headers["mcp-session-id"]];
  if (transport === undefined) {
    const server = new McpServer({ name: "notes", version: "1.0.0" });
    server.registerTool("wait", {}, ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => {
      appendFileSync(process.env.NOTES, "cancelled");
      resolve({ content: [] });
    })));
    const enableJsonResponse = process.env.JSON !== undefined;
    transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, enableJsonResponse,
      onsessioninitialized: (id) => { sessions[id] = transport; } });
    await server.connect(transport);
  }
  await transport.handleRequest(request, response, request.body);
});
app.listen(Number(process.env.PORT), "127.0.0.1");
"""


class RealServer:
    """A server of others in a process of its own, on a port that it keeps over restarts."""

    def __init__(
        self, command: Sequence[str], port: int, path: str = "/mcp", **environment: str
    ) -> None:
        self.url = f"http://127.0.0.1:{port}{path}"
        self._command, self._port, self._environment = command, port, environment

    def __enter__(self) -> Self:
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        given = {**own, "PORT": str(self._port), **self._environment}
        streams = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }
        self._process = subprocess.Popen(
            self._command, env=given, start_new_session=True, **streams
        )  # type: ignore[call-overload]
        until(self._listens)
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill it and its children, unless it is dead."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    def restart(self, **environment: str) -> None:
        """Kill it, and start it on the same port, with more in its environment."""
        self.kill()
        self._environment |= environment
        self.__enter__()

    def _listens(self) -> bool:
        assert self._process.poll() is None, f"{self._command} has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _node(package: str, *arguments: str) -> list[str]:
    folder = _MODULES / package
    if not folder.exists():
        pytest.skip(f"{package} is not installed in .venv/mcp-node: make interop installs it")
    (program,) = set(json.loads((folder / "package.json").read_bytes())["bin"].values())
    return ["node", str(folder / program), *arguments]


def _python(folder: Path, text: str, *arguments: str) -> list[str]:
    if not _PYTHON.exists():
        pytest.skip("fastmcp is not installed in .venv/mcp-peers: make interop installs it")
    script = folder / "peer.py"
    script.write_text(text, encoding="utf-8")
    return [str(_PYTHON), str(script), *arguments]


def _everything() -> RealServer:
    return RealServer(
        _node("@modelcontextprotocol/server-everything", "streamableHttp"), free_port()
    )


def _bridged(transport: str, *server: str, **environment: str) -> RealServer:
    """A server of stdio behind supergateway."""
    port = free_port()
    options = ["--stateful"] if transport == "streamableHttp" else []
    command = [
        "--stdio",
        " ".join(server),
        "--outputTransport",
        transport,
        "--port",
        str(port),
        *options,
    ]
    return RealServer(
        _node("supergateway", *command), port, "/mcp" if options else "/sse", **environment
    )


def _texts(result: Any) -> str:
    """The texts of an answer."""
    return " ".join(part.get("text", "") for part in result.unwrap()["content"])


def test_server_everything(tmp_path: Path) -> None:
    """Answers, structured ones, links and progress of the reference server; killed in use, it is
    called again at once.
    """
    told: list[Any] = []
    with _everything() as server:
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            assert "hello" in _texts(call(jackfield, "echo", inputs={"message": "hello"}))
            assert "3" in _texts(call(jackfield, "getSum", inputs={"a": 1, "b": 2}))
            weather = call(
                jackfield, "getStructuredContent", inputs={"location": "Chicago"}
            ).unwrap()["structuredContent"]
            links = call(jackfield, "getResourceLinks", inputs={"count": 2}).unwrap()["content"]
            call(
                jackfield,
                "triggerLongRunningOperation",
                told.append,
                inputs={"duration": 1, "steps": 2},
            ).unwrap()
            server.restart()
            assert "again" in _texts(call(jackfield, "echo", inputs={"message": "again"}))
    assert "temperature" in weather
    assert [part["type"] for part in links].count("resource_link") == 2
    assert told[-1]["fraction"] == 1


def test_server_memory_behind_supergateway(tmp_path: Path) -> None:
    """What was written before the bridge was killed is read after it."""
    entity = {"name": "Ada", "entityType": "person", "observations": ["wrote notes"]}
    with _bridged(
        "streamableHttp",
        *_node("@modelcontextprotocol/server-memory"),
        MEMORY_FILE_PATH=str(tmp_path / "memory.jsonl"),
    ) as server:
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            call(jackfield, "createEntities", inputs={"entities": [entity]}).unwrap()
            server.restart()
            assert call(jackfield, "readGraph", inputs={}).unwrap()["structuredContent"][
                "entities"
            ] == [entity]


def test_server_filesystem_behind_supergateway(tmp_path: Path) -> None:
    """A file is written once and read; one outside of the folder is refused with the server's
    words.
    """
    folder = tmp_path / "files"
    folder.mkdir()
    with _bridged(
        "streamableHttp", *_node("@modelcontextprotocol/server-filesystem", str(folder))
    ) as server:
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            call(
                jackfield, "writeFile", inputs={"path": str(folder / "a.txt"), "content": "first"}
            ).unwrap()
            server.restart()
            assert "first" in _texts(
                call(jackfield, "readTextFile", inputs={"path": str(folder / "a.txt")})
            )
            refused = call(jackfield, "readTextFile", inputs={"path": "/etc/hostname"})
    assert (refused.status, refused.error.code) == ("failed", "rejected")
    assert "Access denied" in refused.error.message


@pytest.mark.parametrize("server", ["everything", "supergateway"])
def test_older_transport_is_named(tmp_path: Path, server: str) -> None:
    """Servers of HTTP+SSE are told apart from servers that are not there."""
    older = RealServer(_node("@modelcontextprotocol/server-everything", "sse"), free_port(), "/sse")
    bridged = _bridged("sse", *_node("@modelcontextprotocol/server-memory"))
    with (
        older if server == "everything" else bridged as peer,
        pytest.raises(JackfieldError, match=r"HTTP\+SSE"),
    ):
        generate(tmp_path, peer.url)


def test_fastmcp(tmp_path: Path) -> None:
    """Three pages of tools, errors, links, progress, a restart, a deadline, and a death within a
    call, which is sent once.
    """
    told: list[Any] = []
    port = free_port()
    with RealServer(_python(tmp_path, _FASTMCP), port, NOTES=str(tmp_path / "notes")) as server:
        manifest = generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            for _ in range(2):
                assert call(jackfield, "add", inputs={"a": 1, "b": 2}).unwrap()[
                    "structuredContent"
                ] == {"total": 3}
                failed = call(jackfield, "fail", inputs={"text": "no such note"})
                call(jackfield, "count", told.append, inputs={"to": 3}).unwrap()
                linked = call(jackfield, "link", inputs={"text": "a"}).unwrap()["content"]
                server.restart()
            late = call(jackfield, "wait", inputs={}, timeoutSeconds=2)
            until((tmp_path / "notes").exists)
            asked = call(jackfield, "ask", inputs={})
            ended = threading.Timer(1, server.kill)
            ended.start()
            died = call(jackfield, "wait", inputs={}, timeoutSeconds=30)
            ended.join()
    assert {"add", "fail", "count", "link", "wait"} <= {row["key"] for row in manifest["actions"]}
    assert (failed.error.code, "no such note" in failed.error.message) == ("rejected", True)
    assert told[-1] == {"fraction": 1, "text": "step 3"}
    assert linked[0]["type"] == "resource_link"
    assert (late.status, died.status, asked.error.code) == ("in_doubt", "in_doubt", "forbidden")


def test_fastmcp_asks(tmp_path: Path) -> None:
    """A form is answered by an installed package."""
    answers = Answers({"action": "accept", "content": {"sure": True}})
    with RealServer(_python(tmp_path, _FASTMCP), free_port()) as server:
        generate(tmp_path, server.url)
        with installed(tmp_path, answers=answers) as jackfield:
            assert _texts(call(jackfield, "ask", inputs={})) == "accept"
    assert answers.asked[0]["message"] == "Sure?"


def test_server_everything_asks(tmp_path: Path) -> None:
    """It lists the tool that asks to clients alone that declare that they can be asked."""
    answers = Answers({"action": "accept", "content": {"name": "Ada", "check": True}})
    with _everything() as server:
        keys = {row["key"] for row in generate(tmp_path / "plain", server.url)["actions"]}
        with provided(tmp_path / "answering", "jackfield.answers", {"notes": answers.answer}):
            generate(tmp_path, server.url)
            with installed(tmp_path) as jackfield:
                assert "Ada" in _texts(call(jackfield, "triggerElicitationRequest", inputs={}))
    assert "triggerElicitationRequest" not in keys


@pytest.mark.parametrize("form", ["events", "json"])
def test_the_sdk_for_typescript_is_told_of_a_deadline(tmp_path: Path, form: str) -> None:
    """Its tool learns that nobody waits any more, by ``notifications/cancelled``."""
    _node("@modelcontextprotocol/server-everything")
    (tmp_path / "node_modules").symlink_to(_MODULES)
    (tmp_path / "peer.mjs").write_text(_SDK_CANCELLED, encoding="utf-8")
    more = {"JSON": "yes"} if form == "json" else {}
    with RealServer(
        ["node", str(tmp_path / "peer.mjs")], free_port(), NOTES=str(tmp_path / "notes"), **more
    ) as server:
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            assert call(jackfield, "wait", inputs={}, timeoutSeconds=2).status == "in_doubt"
            until((tmp_path / "notes").exists)


class _Stops(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_about: Any) -> None:
        """Follow none."""


def _approved(url: str) -> dict[str, str]:
    """Open the page on which a person approves, which these servers answer at once; what they send
    back.
    """
    with pytest.raises(urllib.error.HTTPError) as found:
        urllib.request.build_opener(_Stops).open(url, timeout=30)
    with found.value as answer:
        return {
            name: one[0]
            for name, one in parse_qs(urlsplit(answer.headers["Location"]).query).items()
        }


def _signing_in(folder: Path, kind: str) -> RealServer:
    """A server with a provider of its own. That of the TypeScript SDK issues no token for another
    resource (RFC 8707).
    """
    if kind == "fastmcp":
        return RealServer(_python(folder, _FASTMCP_SIGN_IN), free_port())
    _node("@modelcontextprotocol/server-everything")
    (folder / "node_modules").symlink_to(_MODULES)
    (folder / "peer.mjs").write_text(_SDK_SIGN_IN, encoding="utf-8")
    return RealServer(["node", str(folder / "peer.mjs")], free_port())


@contextmanager
def _at_a_provider(folder: Path, kind: str, **environment: str) -> Iterator[Jackfield]:
    """Run a server whose tools were listed before it asked for a sign-in, and a runtime with a
    connection.
    """
    with _signing_in(folder, kind) as server:
        generate(folder, server.url)
        server.restart(SIGNS="yes", **environment)
        declare(
            folder / "made",
            "jackfield-notes",
            "jackfield.connectors",
            {"notes": "jackfield_notes:mcp"},
        )
        home = {"JACKFIELD_HOME": str(folder)}
        with (
            plugged(folder / "made"),
            Jackfield(
                catalog=Catalog.installed(),
                database_url=f"sqlite:///{folder}/j.db",
                environment=home,
            ) as jackfield,
        ):
            jackfield.connections.add("main", "notes/oauth2Discovered", {}, test=False)
            yield jackfield


@pytest.mark.parametrize("kind", ["fastmcp", "sdk"])
def test_sign_in(tmp_path: Path, kind: str) -> None:
    """Discovery below the server's path, registration, PKCE and the resource, at the providers of
    both SDKs.
    """
    with _at_a_provider(tmp_path, kind) as jackfield:
        begun = jackfield.connections.authorizing().begin("main", _REDIRECT)
        jackfield.connections.authorizing().complete(begun["id"], _approved(begun["url"]))
        assert call(jackfield, inputs={"text": "x"}).status == "succeeded"


@pytest.mark.parametrize("kind", ["fastmcp", "sdk"])
def test_a_provider_that_registers_nobody(tmp_path: Path, kind: str) -> None:
    """The error says what to enter."""
    with (
        _at_a_provider(tmp_path, kind, REGISTERS="no") as jackfield,
        pytest.raises(JackfieldError, match="enter 'clientId'"),
    ):
        jackfield.connections.authorizing().begin("main", _REDIRECT)
