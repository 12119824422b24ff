"""Tools of an MCP server under test, over its stdin and stdout or over HTTP."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.testing.proving.samples import sample
from jackfield_market.testing.proving.targets import (
    Called,
    CommandCase,
    Place,
    Process,
    Running,
    told_by,
)
from jackfield_market.testing.proving.verdicts import Told

_REVISION = "2025-06-18"
_SHOWN = 300
_LISTING = 60.0
_BEGIN = {
    "protocolVersion": _REVISION,
    "capabilities": {},
    "clientInfo": {"name": "jackfield-prove", "version": "1"},
}

Json = dict[str, Any]


class _Talk:
    """JSON-RPC client of an MCP server."""

    def ask(self, method: str, params: Json) -> Json:
        """Send a request, and return its result.

        :raises OSError: if the server does not answer, or answers with an error.
        """
        raise NotImplementedError

    def tell(self, method: str) -> None:
        """Send a notification."""
        raise NotImplementedError

    def begin(self) -> None:
        """Negotiate the protocol."""
        self.ask("initialize", _BEGIN)
        self.tell("notifications/initialized")


class _Lines(_Talk):
    """Client of a server that is a process: one message per line."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._number = 0

    def ask(self, method: str, params: Json) -> Json:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        output = self._process.popen.stdout
        for line in output or ():
            message = json.loads(line) if line.strip().startswith(b"{") else {}
            if message.get("id") == self._number and "method" not in message:
                return _result(message)
            if "id" in message and "method" in message:
                self._send(
                    {"id": message["id"], "error": {"code": -32601, "message": "not supported"}}
                )
        raise OSError(f"the server has ended: {self._process.output()}")

    def tell(self, method: str) -> None:
        self._send({"method": method})

    def _send(self, message: Json) -> None:
        given = self._process.popen.stdin
        if given is not None:
            given.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            given.flush()


class _Posts(_Talk):
    """Client of a server at a URL (Streamable HTTP)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        self._number = 0

    def ask(self, method: str, params: Json) -> Json:
        self._number += 1
        text = self._post({"id": self._number, "method": method, "params": params})
        lines = [
            line.removeprefix("data:").strip()
            for line in text.splitlines()
            if line.startswith("data:")
        ] or [text]
        for message in map(json.loads, filter(None, lines)):
            if message.get("id") == self._number and "method" not in message:
                return _result(message)
        raise OSError("the server has not answered")

    def tell(self, method: str) -> None:
        self._post({"method": method})

    def _post(self, message: Json) -> str:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        request = urllib.request.Request(self._url, body, self._headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            if session := answer.headers.get("Mcp-Session-Id"):
                self._headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": _REVISION}
            found: str = answer.read().decode()
        return found


def _result(message: Json) -> Json:
    if "error" in message:
        raise OSError(str(message["error"].get("message"))[:_SHOWN])
    found: Json = message.get("result", {})
    return found


@dataclass
class ToolServer:
    """MCP server under test: a command that is started for each run, or the URL of a running
    server.
    """

    command: CommandCase | None = None
    url: str = ""

    def talk(self, place: Place) -> tuple[_Talk, Process | None]:
        """Connect to the server; return the client, and the server's process, which is None if the
        server has a URL.
        """
        if self.command is None:
            return _Posts(self.url), None
        process = Process(self.command.words, self.command.placed(place), talks=True)
        return _Lines(process), process

    def cases(self, place: Place, given: Mapping[str, Json]) -> Iterator[ToolCase]:
        """Yield the server's tools that may write, with given arguments or arguments made from
        their schemas.

        If ``given`` is not empty, yield only its tools.

        :raises InvalidInvocation: if the server cannot be reached, or has no such tool.
        """
        found: list[Json] = []

        def listed() -> Told:
            talk.begin()
            found.extend(talk.ask("tools/list", {}).get("tools", []))
            return Told("success")

        talk, process = self.talk(place)
        told = Called(listed).wait(_LISTING)
        if process is not None:
            process.kill()
        if told.word != "success":
            raise InvalidInvocation(
                f"the MCP server does not list its tools: {told.text}",
                hint="Give the command that starts it after --.",
            )
        names = {tool["name"] for tool in found}
        if missing := sorted(given.keys() - names):
            raise InvalidInvocation(
                f"the MCP server has no tool '{missing[0]}'",
                hint=f"It has {', '.join(sorted(names))}."[:_SHOWN],
            )
        for tool in found:
            if tool["name"] in given or (
                not given and not tool.get("annotations", {}).get("readOnlyHint")
            ):
                schema = tool.get("inputSchema", {})
                yield ToolCase(
                    self, tool["name"], given.get(tool["name"]) or sample(schema, schema) or {}
                )


@dataclass
class ToolCase:
    """One tool, with its arguments."""

    server: ToolServer
    name: str
    arguments: Json = field(default_factory=dict)

    @property
    def can_be_killed(self) -> bool:
        """Return whether the server is a process of its own."""
        return self.server.command is not None

    def start(self, place: Place, *, killable: bool = False) -> Running:
        """Start the server, and call the tool."""
        del killable
        talk, process = self.server.talk(place)

        def call() -> Told:
            talk.begin()
            found = talk.ask("tools/call", {"name": self.name, "arguments": self.arguments})
            text = " ".join(str(part.get("text", "")) for part in found.get("content", ()))[:_SHOWN]
            return _outcome(found, text)

        return _Calling(call, process)


def _outcome(found: Json, text: str) -> Told:
    """Return the outcome that a result reports. A provider's refusal in JSON counts as failure,
    also without ``isError``.
    """
    if found.get("isError"):
        return Told("failure", text)
    for part in found.get("content", ()):
        try:
            value = json.loads(str(part.get("text", "")))
        except ValueError:
            continue
        told = told_by(value) if isinstance(value, dict) else Told("success")
        if told.word != "success":
            return Told(told.word, text)
    return Told("success")


class _Calling(Called):
    """Call of a tool; its server ends together with the call."""

    def __init__(self, step: Any, process: Process | None) -> None:
        self._process = process
        self._is_killed = False
        super().__init__(step)

    def wait(self, seconds: float) -> Told:
        told = super().wait(seconds)
        if self._process is not None:
            self._process.kill()
        return Told("nothing", "it was killed") if self._is_killed else told

    def kill(self) -> None:
        self._is_killed = True
        if self._process is not None:
            self._process.kill()
