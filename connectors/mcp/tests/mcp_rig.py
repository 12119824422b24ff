"""MCP servers whose every byte a test decides, and connectors that are generated from them and
called through the library.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from jackfield.call.how import Follow
from jackfield.catalog import Catalog, entry_points
from jackfield.kernel.clock import Clock
from jackfield_mcp.command import command
from jackfield_store.runtime import Jackfield
from plugboard import declare, plugged, provided

Json = Mapping[str, Any]
LEGACY = "2025-11-25"
MODERN = "2026-07-28"


def tool(name: str = "add_note", **more: Any) -> dict[str, Any]:
    """A tool that takes a text."""
    schema = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
    return {"name": name, "description": "Add a note.", "inputSchema": schema, **more}


def said(text: str, **more: Any) -> dict[str, Any]:
    """A result with a text."""
    return {"resultType": "complete", "content": [{"type": "text", "text": text}], **more}


class Talk(BaseHTTPRequestHandler):
    """One request, and the ways to answer it."""

    protocol_version = "HTTP/1.1"
    server: Place

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        self.server.open.append(self)

    def finish(self) -> None:
        """Count it no more."""
        self.server.open.remove(self)
        super().finish()

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Take a message."""
        self.message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.message, dict(self.headers)))
        self.server.owner.answer(self)

    def do_GET(self) -> None:
        """Resume a stream, or read a document."""
        self.message = {"method": "GET", "path": self.path}
        self.server.requests.append((self.message, dict(self.headers)))
        self.server.owner.answer(self)

    def json(self, value: Any, status: int = 200, **headers: str) -> None:
        """Answer with JSON, or with bytes."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        given = {name.replace("_", "-"): content for name, content in headers.items()}
        for name, content in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **given,
        }.items():
            self.send_header(name, content)
        self.end_headers()
        self.wfile.write(body)

    def result(self, value: Json) -> None:
        """Answer with a result."""
        self.json({"jsonrpc": "2.0", "id": self.message["id"], "result": value})

    def error(self, code: int, text: str = "no", status: int = 200, **more: Any) -> None:
        """Answer with an error."""
        self.json(
            {
                "jsonrpc": "2.0",
                "id": self.message.get("id"),
                "error": {"code": code, "message": text, **more},
            },
            status,
        )

    def stream(
        self, *pieces: bytes, ends: bool = True, waits: Callable[[], object] = tuple
    ) -> None:
        """Answer with a stream of events; without its end, the connection is closed within it.
        ``waits`` is called before that.
        """
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        waits()
        if ends:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.hang_up()

    def answered(self, value: Json) -> bytes:
        """The event with the result."""
        return (
            b"data: "
            + json.dumps({"jsonrpc": "2.0", "id": self.message["id"], "result": value}).encode()
            + b"\r\n\r\n"
        )

    def hang_up(self) -> None:
        """Close the connection."""
        self.close_connection = True
        self.connection.close()


class Place(ThreadingHTTPServer):
    """The server's socket."""

    daemon_threads = True
    owner: ToolServer
    requests: list[tuple[Any, dict[str, str]]]
    open: list[Talk]
    """Connections that are open."""


class ToolServer:
    """MCP server with tools; ``on_call`` answers a call, ``sessions`` are those that it knows
    (None: it has none).
    """

    def __init__(self, *tools: Json, legacy: bool = False, ttl: int | None = None) -> None:
        self.tools: list[dict[str, Any]] = [dict(one) for one in tools or [tool()]]
        self.is_legacy = legacy
        self.ttl = ttl
        self.host = "127.0.0.1"
        self.sessions: set[str] | None = None
        self.capabilities: dict[str, Any] = {"tools": {}}
        self.on_call: Callable[[Talk], object] = lambda talk: talk.result(said("done"))
        self.on_other: Callable[[Talk], object] = lambda talk: talk.json(b"", 202)
        self.before: Callable[[Talk], bool] = lambda _talk: False
        self.place = Place(("127.0.0.1", 0), Talk)
        self.place.owner, self.place.requests, self.place.open = self, [], []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}:{self.place.server_port}/mcp"

    @property
    def requests(self) -> list[tuple[Any, dict[str, str]]]:
        """Messages and header fields, in their order."""
        return self.place.requests

    def count(self, method: str) -> int:
        """How often a method was asked for."""
        return sum(message.get("method") == method for message, _ in self.requests)

    def answer(self, talk: Talk) -> None:
        """Answer a message as a server does."""
        method = talk.message.get("method")
        if self.before(talk):
            return
        known = talk.headers.get("Mcp-Session-Id")
        if (
            self.sessions is not None
            and method not in ("initialize", "server/discover")
            and known not in self.sessions
        ):
            talk.json(b"", 404)
        elif self.is_legacy and (method == "server/discover" or talk.headers.get("Mcp-Method")):
            talk.error(-32000, "no session", 400)
        elif method == "server/discover":
            talk.result(
                {
                    "resultType": "complete",
                    "supportedVersions": [MODERN],
                    "capabilities": self.capabilities,
                }
            )
        elif method == "initialize":
            self.initialized(talk)
        elif method == "tools/list":
            talk.result({"tools": self.tools, **({} if self.ttl is None else {"ttlMs": self.ttl})})
        elif method == "tools/call":
            self.on_call(talk)
        elif method == "ping":
            talk.result({})
        elif method == "GET":
            talk.json(b"", 405)
        else:
            self.on_other(talk)

    def initialized(self, talk: Talk) -> None:
        """Begin a session."""
        result = {
            "protocolVersion": LEGACY,
            "capabilities": self.capabilities,
            "serverInfo": {"name": "notes", "version": "1"},
        }
        headers = {}
        if self.sessions is not None:
            self.sessions.add(made := f"session-{len(self.requests)}")
            headers["Mcp_Session_Id"] = made
        talk.json({"jsonrpc": "2.0", "id": talk.message["id"], "result": result}, 200, **headers)


@contextmanager
def serving(server: ToolServer) -> Iterator[ToolServer]:
    """Run a server."""
    thread = threading.Thread(target=server.place.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.place.shutdown()
        server.place.server_close()
        thread.join(5)


def generate(folder: Path, url: str, *options: str) -> dict[str, Any]:
    """Generate a connector into ``folder / "made"``; its manifest."""
    command([url, "--key", "notes", "--out", str(folder / "made"), "--json", *options])
    found: dict[str, Any] = json.loads(
        next((folder / "made").glob("*/connector.json")).read_bytes()
    )
    return found


@contextmanager
def installed(
    folder: Path,
    kind: str = "anonymous",
    database: str = "none",
    answers: Answers | None = None,
    clock: Clock | None = None,
    **values: Any,
) -> Iterator[Jackfield]:
    """Run a runtime that has the generated connector, and one connection."""
    made = folder / "made"
    declare(made, "jackfield-notes", "jackfield.connectors", {"notes": "jackfield_notes:mcp"})
    answering = (
        nullcontext()
        if answers is None
        else provided(folder / "answering", "jackfield.answers", {"notes": answers.answer})
    )
    with plugged(made), answering, running(kind, database, clock, **values) as jackfield:
        yield jackfield


def running(
    kind: str = "anonymous", database: str = "none", clock: Clock | None = None, **values: Any
) -> Jackfield:
    """Make a runtime in a process that has the connector."""
    connections = [{"connections": {"main": {"type": f"notes/{kind}", "values": values}}}]
    groups = entry_points()
    return Jackfield(
        connections=connections,
        database_url=database,
        catalog=Catalog.installed(groups),
        groups=groups,
        clock=clock,
    )


@contextmanager
def stage(
    folder: Path, server: ToolServer, *options: str, clock: Clock | None = None
) -> Iterator[Jackfield]:
    """Run a server, the connector that is made of it, and a runtime, whose waits cost nothing with
    a clock of the tests.
    """
    with serving(server):
        generate(folder, server.url, *options)
        with installed(folder, clock=clock) as jackfield:
            yield jackfield


def call(
    jackfield: Jackfield, action: str = "addNote", follow: Follow | None = None, **more: Any
) -> Any:
    """Invoke an action of the connector."""
    about = {
        "connector": "notes",
        "action": action,
        "connection": "main",
        "inputs": {"text": "hello"},
    }
    return jackfield.invoke({**about, **more}, follow=follow)


class Answers:
    """Package that answers questions; ``asked`` are those that it got."""

    def __init__(self, answer: Json | None = None) -> None:
        self._answer = {"action": "accept", "content": {}} if answer is None else answer
        self.asked: list[Json] = []

    def answer(self, question: Json) -> Json | None:
        """Answer."""
        self.asked.append(question)
        return self._answer or None
