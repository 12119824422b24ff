"""Client that the MCP conformance suite starts: jackfield-mcp's client and sign-in, driven as the suite's scenarios ask.

The suite gives the server's URL as the last argument, and what it knows of the client in ``MCP_CONFORMANCE_CONTEXT``.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jackfield.connector import Forbidden, Grant, JackfieldError, Unauthenticated
from jackfield.kernel.dataclass import replace
from jackfield_http.sign_in import ANONYMOUS, SignIn
from jackfield_mcp.client import McpClient, Tool
from jackfield_mcp.pins import digest_of
from jackfield_mcp.reaching import address, client_for
from jackfield_mcp.schemas import Unfit, schemas_of
from jackfield_mcp.sign_ins import McpAccount

REDIRECT = "http://localhost:3000/callback"
SCENARIO = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
CONTEXT: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
MOST = 3


class Held:
    """Grant of one run."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant

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
        """Note nothing."""

    def wanted(self) -> tuple[str, ...]:
        """Return the scopes of the grant."""
        return self.grant.scopes


def arguments_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Values that fit a schema's types."""
    made: dict[str, Any] = {"string": "test", "number": 5, "integer": 5, "boolean": True, "array": [], "object": {}}
    return {name: made.get(str(about.get("type")), "test") for name, about in schema.get("properties", {}).items()}


def run(client: McpClient) -> None:
    """Negotiate, list, and call each tool, or those that the scenario names."""
    client.session()
    calls = CONTEXT.get("toolCalls")
    tools = client.tools()
    for tool in tools:
        try:
            made = schemas_of(tool, "a")
        except Unfit as reason:
            sys.stderr.write(f"left out {tool['name']}: {reason}\n")
            continue
        wanted = [one["arguments"] for one in calls if one["name"] == tool["name"]] if calls else [arguments_of(tool["inputSchema"])]
        for given in wanted:
            try:
                client.call(Tool(tool["name"], digest_of(tool), {}, made.headers), given, dict, safe=False)
            except Forbidden:
                raise
            except JackfieldError as error:
                sys.stderr.write(f"{error!r}\n")


def answer_of(url: str) -> dict[str, str]:
    """Approve, and return the parameters of the provider's answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", f"{parts.path}?{parts.query}")
    location = connection.getresponse().getheader("Location") or ""
    return dict(parse_qsl(urlsplit(location).query))


def signed_in(server: str, scopes: list[str]) -> SignIn:
    """Have a person sign in, and return the credentials."""
    entered = {name: CONTEXT[other] for name, other in (("clientId", "client_id"), ("clientSecret", "client_secret")) if other in CONTEXT}
    kind: type[McpAccount] = type("Account", (McpAccount,), {"servers": ({"url": server},)})
    account = kind.model_validate({**entered, **({"scopes": scopes} if scopes else {})})
    context = client_for(address(server)).context
    begun = account.authorize(context, REDIRECT, "state-4711")
    answer = answer_of(begun.url)
    if answer.pop("state") != "state-4711":
        raise SystemExit("the answer has another state")
    grant = account.authorized(context, begun.kept, REDIRECT, answer)
    return account.sign_in(replace(context, grants=Held(grant)))


def main() -> None:
    """Run the scenario; sign in where the server wants it, a bounded number of times."""
    server = sys.argv[-1]
    sign_in: SignIn = ANONYMOUS
    scopes: list[str] = []
    for _ in range(MOST):
        try:
            run(client_for(address(server), sign_in, seconds=20))
        except Unauthenticated:
            sign_in = signed_in(server, scopes)
        except Forbidden as error:
            found = [detail.message.rpartition(": ")[2].split() for detail in error.details]
            scopes = sorted({*scopes, *(found[0] if found else [])})
            sign_in = signed_in(server, scopes)
        else:
            return
    raise SystemExit("refused too often")


if __name__ == "__main__":
    main()
