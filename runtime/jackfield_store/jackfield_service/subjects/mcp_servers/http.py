"""Operations ``/v1/mcp-servers``: MCP servers as connectors of the workspace, whose tools are
reviewed and accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.resources import done, operations
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.subjects.mcp_servers.subject import MCP_SERVERS
from jackfield_store.management.mcp_servers import McpServers, ServerWish


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers``: fetch the server's tools, and accept them unchanged."""
    body = await members_of(request, "NewMcpServer")
    texts = body["name"], body["url"], body.get("title", ""), body.get("trust", "none")
    wish = ServerWish(*texts, body.get("shared", False), _credentials(body))
    made = await done(MCP_SERVERS, request, server, identity, lambda servers: servers.add(wish))
    return answer(made, 201, {"Location": f"/v1/mcp-servers/{made['name']}"})


async def accepted(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers/{server}:accept``: accept tools, each by its reviewed digest, or
    all in their current form.
    """
    body, name = (
        await members_of(request, "McpAcceptance"),
        request.path_params["server"],
    )
    digests, connection = body.get("tools", {}), body.get("connection")
    credentials = _credentials(body)

    def step(servers: McpServers) -> object:
        return servers.accept(name, connection=connection, digests=digests, credentials=credentials)

    return answer(await done(MCP_SERVERS, request, server, identity, step))


async def overlaid(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers/{server}:overlay``: set the properties of tools, without a
    request to the server.
    """
    body, name = await members_of(request, "McpOverlay"), request.path_params["server"]
    return answer(
        await done(
            MCP_SERVERS,
            request,
            server,
            identity,
            lambda servers: servers.overlay(name, body["actions"]),
        )
    )


def _credentials(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the header field for the request of a server's tools, which is not stored; None
    without one.
    """
    given = body.get("headers")
    return next(iter(given.items())) if given else None


OPERATIONS = operations(MCP_SERVERS, create=created, accept=accepted, overlay=overlaid)
