"""Client that the MCP conformance suite drives: jackfield-mcp's client and sign-in, as the suite's
scenarios ask.

The suite starts a program for each scenario, and gives it the server's URL as the last argument,
and what it knows of the client in ``MCP_CONFORMANCE_CONTEXT``. That program is a few lines, which
hand both to this process: to start Python with jackfield takes longer than most scenarios.
"""

from __future__ import annotations

import http.client
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from http_rig import Cache
from jackfield.connector import Forbidden, Grant, JackfieldError, OpenContext, Unauthenticated
from jackfield.kernel.dataclass import replace
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import ANONYMOUS, SignIn
from jackfield_mcp.client import McpClient, Tool
from jackfield_mcp.outcomes import MCP_ERRORS, ScopesMissing
from jackfield_mcp.peer import Peer
from jackfield_mcp.pins import pin_of
from jackfield_mcp.reaching import address, client_for
from jackfield_mcp.results import output_of
from jackfield_mcp.schemas import Unfit, schemas_of
from jackfield_mcp.sign_ins import McpAccount

REDIRECT = "http://localhost:3000/callback"
DOCUMENT = "https://conformance-test.local/client-metadata.json"
"""Metadata document of the client, which the suite's providers know."""
MOST = 3
ECHO = "json_schema_echo"
"""Tool that wants to be told the schema of the other one, as it came."""
AT_ONCE = 4
"""Scenarios that run at the same time: the suite starts all of them at once, and the documents of a
sign-in have to come within seconds.
"""
STUB = """
import json, os, socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as line:
    about = {"url": sys.argv[-1], "name": os.environ["MCP_CONFORMANCE_SCENARIO"], "context": os.environ.get("MCP_CONFORMANCE_CONTEXT")}
    line.sendall(json.dumps(about).encode() + b"\\n")
    found = json.loads(line.makefile("rb").readline())
sys.stderr.write(found["said"])
sys.exit(found["code"])
"""
"""Program that the suite starts."""


class Held:
    """Grant of one run."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self.further: tuple[str, ...] = ()

    def find(self) -> Grant:
        """Return it."""
        return self.grant

    def begin(self, used: Grant) -> None:
        """Record nothing."""

    def replace(self, used: Grant, rotated: Grant) -> None:
        """Keep what was rotated."""
        self.grant = rotated

    def end(self, used: Grant, reason: str) -> None:
        """Give up."""
        raise SystemExit(reason)

    def want(self, scopes: Sequence[str]) -> None:
        """Note what the server asks for."""
        self.further = tuple(scopes)

    def wanted(self) -> tuple[str, ...]:
        """Return the scopes of the grant, and what was asked for since."""
        return (*self.grant.scopes, *self.further)


class Made(Cache):
    """Objects of one run, which are closed at its end."""

    def close(self) -> None:
        """Close the connections."""
        for made in self.objects.values():
            getattr(made, "close", tuple)()


class Registrations:
    """Clients of one run."""

    document = DOCUMENT

    def find(self, issuer: str, server: str) -> dict[str, Any] | None:
        """Know none."""

    def keep(self, issuer: str, server: str, client: Mapping[str, Any]) -> dict[str, Any]:
        """Return the one that was registered."""
        return dict(client)

    def drop(self, issuer: str, server: str, identifier: str) -> None:
        """Forget nothing."""


def accepted(_question: Mapping[str, Any]) -> dict[str, Any]:
    """Agree to what a server asks, with the defaults of its form."""
    return {"action": "accept", "content": {}}


def arguments_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Values that fit a schema's types."""
    made: dict[str, Any] = {
        "string": "test",
        "number": 5,
        "integer": 5,
        "boolean": True,
        "array": [],
        "object": {},
    }
    return {
        name: made.get(str(about.get("type")), "test")
        for name, about in schema.get("properties", {}).items()
    }


class Scenario:
    """One run of the client: against the server at ``url``, with what the suite says of the
    client.
    """

    def __init__(self, url: str, context: Mapping[str, Any]) -> None:
        self._url, self._about = url, context
        self._held: Held | None = None
        self._made = Made()
        self.said = ""

    def run(self) -> None:
        """Sign in where the server wants it, a bounded number of times."""
        sign_in: SignIn = ANONYMOUS
        for _ in range(MOST):
            try:
                context = self._context()
                self._calls(
                    McpClient(
                        context,
                        ClientSettings(address(self._url), MCP_ERRORS, guard=context.guard),
                        sign_in,
                        Peer(),
                    )
                )
            except Unauthenticated:
                sign_in = self._signed_in()
            except ScopesMissing as error:
                if self._held is not None:
                    self._held.want(error.scopes)
                sign_in = self._signed_in()
            else:
                return
        raise SystemExit("refused too often")

    def close(self) -> None:
        """Close the connections."""
        self._made.close()

    def _context(self) -> OpenContext:
        with client_for(address(self._url), key="conformance", seconds=60.0) as client:
            found = replace(client.context, leases=self._made)
        found.call.answer = accepted
        return found

    def _calls(self, client: McpClient) -> None:
        """Negotiate, list, and call each tool, or those that the scenario names."""
        client.session()
        calls = self._about.get("toolCalls")
        tools = client.tools()
        for tool in tools:
            try:
                made = schemas_of(tool, "a")
            except Unfit as reason:
                self.said += f"left out {tool['name']}: {reason}\n"
                continue
            wanted = (
                [one["arguments"] for one in calls if one["name"] == tool["name"]]
                if calls
                else [arguments_of(tool["inputSchema"])]
            )
            if tool["name"] == ECHO:
                wanted = [{"schema": one["inputSchema"]} for one in tools if one["name"] != ECHO]
            for given in wanted:
                try:
                    client.call(
                        Tool(tool["name"], pin_of(tool).whole, {}, made.headers),
                        given,
                        output_of,
                        safe=False,
                    )
                except Forbidden:
                    raise
                except JackfieldError as error:
                    self.said += f"{error!r}\n"

    def _signed_in(self) -> SignIn:
        """Have a person sign in, and return the credentials."""
        names = (("clientId", "client_id"), ("clientSecret", "client_secret"))
        entered = {name: self._about[other] for name, other in names if other in self._about}
        kind: type[McpAccount] = type("Account", (McpAccount,), {"servers": ({"url": self._url},)})
        account = kind.model_validate(entered)
        context = replace(self._context(), registrations=Registrations(), grants=self._held)
        begun = account.authorize(context, REDIRECT, "state-4711")
        answer = answer_of(begun.url)
        if answer.pop("state") != "state-4711":
            raise SystemExit("the answer has another state")
        self._held = Held(account.authorized(context, begun.kept, REDIRECT, answer))
        return account.sign_in(replace(context, grants=self._held))


def answer_of(url: str) -> dict[str, str]:
    """Approve, and return the parameters of the provider's answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", f"{parts.path}?{parts.query}")
    location = connection.getresponse().getheader("Location") or ""
    connection.close()
    return dict(parse_qsl(urlsplit(location).query))


class _Line(socketserver.StreamRequestHandler):
    """Line to a program that the suite has started."""

    server: _Lines

    def handle(self) -> None:
        """Run its scenario, and tell how it ended."""
        about = json.loads(self.rfile.readline())
        scenario, code = Scenario(about["url"], json.loads(about["context"] or "{}")), 0
        try:
            with self.server.turns, closing(scenario):
                scenario.run()
        except (JackfieldError, SystemExit) as error:
            scenario.said += f"{error!r}\n"
            code = 1
        self.wfile.write(json.dumps({"said": scenario.said, "code": code}).encode() + b"\n")


class _Lines(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100
    turns = threading.Semaphore(AT_ONCE)


@contextmanager
def driven() -> Iterator[int]:
    """Run the scenarios of programs that the suite starts; the port that they have to be given."""
    with _Lines(("127.0.0.1", 0), _Line) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(5)
