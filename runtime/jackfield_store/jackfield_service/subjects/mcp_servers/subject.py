"""MCP servers as connectors of the workspace, whose tools are reviewed and accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import InvalidInvocation, JackfieldError, NotAllowed
from jackfield.wire.guard import ANYWHERE
from jackfield_service.shell.http.query_parts import BY_KEY, LONG
from jackfield_service.shell.http.shape_parts import MOMENT, NAME, PROBLEM, STRING, object_of
from jackfield_service.shell.resource.resource import (
    Act,
    Field,
    InFiles,
    Is,
    Resource,
    Visit,
    invalid_or_unknown,
)
from jackfield_service.subjects.mcp_servers.shapes import HEADERS, LEFT_OUT, SIGN_IN, TOOLS
from jackfield_store.management.mcp_servers import TRUST, McpServers, ServerWish, asked, mcp_servers

if TYPE_CHECKING:
    from jackfield.catalog.live import Described


def _open(visit: Visit) -> McpServers:
    return mcp_servers(visit.runtime, visit.actor, visit.origin, visit.guard or ANYWHERE)


def _wish(given: Mapping[str, Any]) -> ServerWish:
    return ServerWish(
        given["name"],
        given["url"],
        trust=given.get("trust", TRUST[0]),
        shared=given.get("shared", False),
    )


def _add(
    servers: McpServers, given: Mapping[str, Any], found: Described | None = None
) -> dict[str, Any]:
    return servers.add(_wish(given), found)


def _ahead(visit: Visit, name: str, given: Mapping[str, Any]) -> Described:
    return asked(
        _wish({"name": name, **given}),
        visit.guard or ANYWHERE if visit.origin == "remote" else None,
    )


def _status(error: JackfieldError) -> int | None:
    """Return 422 for a refusal by a server, or of a connection to it; None for other errors."""
    is_theirs = not isinstance(error, InvalidInvocation | NotAllowed) and error.http_status < 500
    return 422 if is_theirs else invalid_or_unknown(error)


MCP_SERVERS = Resource(
    "McpServer",
    "/v1/mcp-servers",
    _open,
    fields=(
        Field("name", NAME, Is.ALWAYS | Is.NEEDED, title="Name"),
        Field("connector", STRING, Is.ALWAYS, title="Connector"),
        Field("url", STRING, Is.ALWAYS | Is.NEEDED, {**STRING, "maxLength": 2_000}, "Server"),
        Field("title", {**STRING, "maxLength": 60}, Is.GIVEN | Is.UNSEEN),
        Field(
            "trust",
            {"enum": [*TRUST]},
            Is.ALWAYS | Is.GIVEN,
            {
                "enum": [*TRUST],
                "description": "'annotations': the server is believed about effects.",
            },
            "Its annotations are believed",
            {"none": "no", "annotations": "yes"},
        ),
        Field(
            "shared",
            {"type": "boolean"},
            Is.ALWAYS | Is.GIVEN,
            {
                "type": "boolean",
                "description": "All workspaces see it; in the workspace 'default' only.",
            },
            "For",
            {True: "all workspaces", False: "this workspace"},
        ),
        Field("headers", HEADERS, Is.GIVEN | Is.UNSEEN),
        Field(
            "inherited",
            {
                "type": "boolean",
                "description": "It is the operator's, who shares it with all workspaces.",
            },
            Is.ALWAYS,
        ),
        Field("actions", {"type": "integer"}, Is.ALWAYS, title="Tools"),
        Field("version", {"type": "integer"}, Is.ALWAYS),
        Field("createdAt", MOMENT, Is.ALWAYS),
        Field("acceptedAt", MOMENT, Is.ALWAYS, title="Accepted"),
        Field("problem", PROBLEM),
        Field("tools", TOOLS, Is.ALWAYS | Is.DETAIL),
        Field("leftOut", LEFT_OUT, Is.DETAIL),
        Field("needsSignIn", SIGN_IN, Is.DETAIL),
    ),
    acts=(
        Act(
            "list",
            McpServers.page,
            "List the MCP servers that are connectors of the workspace, those that all "
            "workspaces share among them.",
            problems=(404,),
            verb="List the servers that the workspace sees.",
        ),
        Act(
            "create",
            _add,
            "Ask an MCP server for its tools, accept them as they are, and make it a connector "
            "of the workspace.",
            problems=(404, 409, 422),
            operation="addMcpServer",
        ),
        Act(
            "show",
            McpServers.show,
            "Show an MCP server and its accepted tools.",
            verb="Print a server with the tools that were accepted.",
        ),
        Act(
            "review",
            McpServers.review,
            "Ask an MCP server for its tools, and compare them with the accepted ones.",
            problems=(422,),
            answers={200: "McpServerReview"},
            query={"connection": LONG},
            reads=True,
        ),
        Act(
            "accept",
            McpServers.accept,
            "Accept tools as the server has them now: those that were reviewed, by their "
            "digests, or all.",
            problems=(409, 422),
            operation="acceptMcpTools",
            body="McpAcceptance",
        ),
        Act(
            "overlay",
            McpServers.overlay,
            "Say what accepted tools do, such as their effects: that beats what the server says "
            "of itself.",
            problems=(409, 422),
            operation="overlayMcpTools",
            body="McpOverlay",
        ),
        Act(
            "remove",
            McpServers.remove,
            "Delete an MCP server that no connection is for.",
            problems=(409,),
            answers={200: "McpServerEnd"},
            verb="Delete a server that no connection is for.",
        ),
    ),
    shapes={"McpServerEnd": object_of(("removed",), removed=NAME)},
    cursor=BY_KEY,
    key="server",
    kept="MCP servers",
    judged=_status,
    listed=("name", "url", "shared", "actions", "acceptedAt"),
    columns=("name", "url", "actions", "version", "trust", "shared", "inherited", "acceptedAt"),
    stated=InFiles(rank=2, ahead=_ahead),
    unruled="a token with rules cannot manage MCP servers, of which it may see a part only",
)
RESOURCES = (MCP_SERVERS,)
