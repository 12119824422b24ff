"""Connection types of an MCP server: no sign-in, an access token, or a key in a header field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from jackfield.connector import Account, OpenContext, Step
from jackfield.kernel.dataclass import replace
from jackfield_http.bindings.connection import BoundConnection
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import ANONYMOUS, SignIn, in_header
from jackfield_mcp.client import McpClient
from jackfield_mcp.discovery import abroad
from jackfield_mcp.outcomes import MCP_ERRORS
from jackfield_mcp.peer import Peer
from jackfield_mcp.questions import declares_answers
from jackfield_mcp.texts import one_line

Json = Mapping[str, Any]


class McpConnection(BoundConnection):
    """MCP server over Streamable HTTP, without sign-in. The manifest's schema validates its
    values.
    """

    own_wire: ClassVar[bool] = True
    key: ClassVar[str] = "anonymous"
    abroad: ClassVar[bool] = False
    """True if a tenant has named the server: then even the operator's own connections reach public
    hosts only.
    """

    def open(self, context: OpenContext) -> McpClient:  # type: ignore[override]  # a client for tools, not for paths
        """Return the client of an attempt; opening sends nothing."""
        settings = context.cached(
            ("jackfield_mcp settings", *(row.get("url") for row in self.servers)), self.settings
        )
        if self.abroad and settings.server is not None:
            settings = replace(settings, guard=abroad(context, settings.server))
        noted = tuple if context.grants is None else context.grants.want
        declares = declares_answers(context)  # a session is one of such a client, or of another
        peer = context.cached(("jackfield_mcp peer", declares), Peer)
        return McpClient(context, settings, self.sign_in(context), peer, noted, declares=declares)

    def settings(self) -> ClientSettings:
        """Return the settings of the client."""
        return replace(super().settings(), errors=MCP_ERRORS, headers={})

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Negotiate and list the tools, without calling one; yield the steps of the test."""
        client = self.open(context)
        session = client.session()
        name = one_line(session.about.get("name"), 80) or client.host
        yield Step(
            "session",
            "Reach the server",
            passed=True,
            message=f"'{name}' speaks the revision {session.version}.",
        )
        yield Step(
            "tools",
            "List the tools",
            passed=True,
            message=f"The server lists {len(client.tools()):,} tools.",
        )

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return a sign-in without credentials."""
        return ANONYMOUS


class McpToken(McpConnection):
    """MCP server with an access token."""

    key: ClassVar[str] = "bearer"

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the header field with the token."""
        return in_header("Authorization", f"Bearer {self._value('token')}", "/token")

    def _value(self, name: str) -> str:
        return str((self.__pydantic_extra__ or {}).get(name, "")).strip()


class McpHeaderKey(McpToken):
    """MCP server with a key in a header field that the connection names."""

    key: ClassVar[str] = "headerKey"

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the header field with the key."""
        return in_header(self._value("header"), self._value("key"), "/key")
