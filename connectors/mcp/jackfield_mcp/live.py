"""Live connectors: a server's present description, compared with the accepted one (``mcp.live`` of
the entry points ``jackfield.bindings``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import Any

from jackfield.connector import Guard, InvalidInput, Unauthenticated
from jackfield.kernel.dataclass import dataclass
from jackfield.manifest.manifest import Manifest
from jackfield_http.sign_in import ANONYMOUS, in_header
from jackfield_mcp.binding import McpConnector
from jackfield_mcp.client import McpClient
from jackfield_mcp.conversion import TRUST, Choices, converted, unusable
from jackfield_mcp.messages import MODERN, Session
from jackfield_mcp.overlays import (
    LIVE_MEMBERS,
    apply_fitting,
    apply_overlay,
    check_overlay,
    without_overlay,
)
from jackfield_mcp.reaching import address, client_for

Json = Mapping[str, Any]
_KINDS = ("anonymous", "oauth2Discovered", "bearer", "headerKey")
_SHARED = "mcp."  # not the prefix of keys: names of definitions
"""Prefix of definitions that all tools share."""


@dataclass(frozen=True, slots=True)
class ToolPin:
    """Tool of a manifest: the key of its action, its digest, and its members' digests."""

    action: str
    digest: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServerDescription:
    """Manifest of a server's present tools, and the report of omitted tools. With
    ``needs_sign_in``, only signed-in clients get the list.
    """

    manifest: dict[str, Any]
    report: dict[str, Any]
    needs_sign_in: bool = False


class McpServers:
    """Factory of connectors from MCP servers (``jackfield.catalog.live.LiveKind``)."""

    def described(
        self,
        key: str,
        url: str,
        *,
        title: str = "",
        trust: str = "none",
        pins: Mapping[str, ToolPin] | None = None,
        overlay: Mapping[str, Json] | None = None,
        credentials: tuple[str, str] | None = None,
        guard: Guard | None = None,
        client: McpClient | None = None,
    ) -> ServerDescription:
        """Read a server's list of tools and describe it; no tool is called.

        :raises InvalidInput: if ``url`` is no URL of a server.
        :raises JackfieldError: if the server cannot be reached, or its list cannot be read.
        """
        at = address(url)
        sign_in = ANONYMOUS if credentials is None else in_header(*credentials)
        needs_sign_in = False
        try:
            with (
                nullcontext(client)
                if client is not None
                else client_for(at, sign_in, key=key, guard=guard) as asked
            ):
                session, tools = asked.session(), asked.tools()
        except Unauthenticated:
            if client is not None or credentials is not None:
                raise
            session, tools, needs_sign_in = Session(MODERN), [], True
        first = "oauth2Discovered" if needs_sign_in else _given(credentials)
        choices = Choices(
            key,
            str(at),
            title=title,
            trusts=trust == TRUST[1],
            overlay=overlay or {},
            locked={tool: pin.action for tool, pin in (pins or {}).items()},
            accepted={tool: pin.digest for tool, pin in (pins or {}).items()},
            is_live=True,
        )
        found = converted(tools, session, choices, sorted(_KINDS, key=lambda kind: kind != first))
        return ServerDescription(found.manifest, found.report, needs_sign_in)

    def unusable(self, report: Json) -> tuple[str, list[str]]:
        """Return a message about a server without any usable tool, and one reason per tool."""
        return unusable(report)

    def accepted(self, stored: Json, now: Json, tools: Collection[str]) -> dict[str, Any]:
        """Return the stored manifest with the present form of ``tools``, and without tools that the
        server has removed.
        """
        kept = [row for row in stored["actions"] if _name(row) not in tools]
        taken = [row for row in now["actions"] if _name(row) in tools]
        definitions = {**_definitions(stored, kept), **_definitions(now, taken)}
        rows = sorted([*kept, *taken], key=lambda row: str(row["key"]))
        return {**stored, "mcp": now["mcp"], "actions": rows, "$defs": definitions}

    def pins(self, manifest: Json) -> dict[str, ToolPin]:
        """Return the accepted tools of a manifest, by name."""
        rows = manifest["actions"]
        return {
            _name(row): ToolPin(row["key"], row["mcp"]["digest"], row["mcp"].get("parts", {}))
            for row in rows
        }

    def overlays(self, manifest: Json) -> dict[str, Json]:
        """Return the operator's overlays of tools, by action key."""
        return {
            row["key"]: row["mcp"]["overlay"]
            for row in manifest["actions"]
            if "overlay" in row["mcp"]
        }

    def overlaid(self, stored: Json, overlay: Mapping[str, Json]) -> dict[str, Any]:
        """Return the stored manifest with the operator's settings of tools, by action key. An empty
        object removes a tool's settings.

        :raises InvalidInput: if a setting is unknown, or does not fit the tool.
        """
        trusts = stored["mcp"]["trust"] == TRUST[1]
        return {
            **stored,
            "actions": [_overlaid(row, overlay, trusts=trusts) for row in stored["actions"]],
        }

    def connector(self, manifest: Manifest, hint: str, *, abroad: bool) -> McpConnector:
        """Return the connector of a manifest.

        With ``abroad``, connections reach public hosts only, as the person who added the connector
        may.
        """
        return McpConnector(manifest.raw, hint=hint, abroad=abroad)


def _name(row: Json) -> str:
    """Return the name of an action's tool; for a request for resources, its method."""
    about = row["mcp"]
    return str(about.get("tool") or about["method"])


def _overlaid(row: Json, overlay: Mapping[str, Json], *, trusts: bool) -> Json:
    said = overlay.get(row["key"])
    if said is None:
        return row
    if "method" in row["mcp"]:
        raise InvalidInput(
            "a resource is read, whatever anybody says of that",
            hint="Say something of the server's tools.",
        )
    check_overlay(row["key"], said, LIVE_MEMBERS)
    apply_overlay(without_overlay(row), said, trusts=trusts)
    return apply_fitting(without_overlay(row), said, trusts=trusts)


def _given(credentials: tuple[str, str] | None) -> str:
    """Return the key of the connection type for the given credentials of a request."""
    if credentials is None:
        return "anonymous"
    return "bearer" if credentials[0].lower() == "authorization" else "headerKey"


def _definitions(manifest: Json, rows: list[Json]) -> dict[str, Any]:
    """Return the definitions of some actions: the shared ones, and definitions whose names begin
    with an action's key.
    """
    keys = {row["key"] for row in rows}
    found = manifest.get("$defs", {}).items()
    return {
        name: schema
        for name, schema in found
        if name.startswith(_SHARED) or name.partition(".")[0] in keys
    }


LIVE = McpServers()
