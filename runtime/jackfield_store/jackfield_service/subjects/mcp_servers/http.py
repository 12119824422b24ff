"""Operations ``/v1/mcp-servers``: MCP servers as connectors of the workspace, whose tools are
reviewed and accepted.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jackfield_service.shell.http.resources import done, operations
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import members_of
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.mcp_servers.subject import MCP_SERVERS
from jackfield_store.management.mcp_servers import McpServers, ServerWish


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers``: fetch the server's tools, and accept them unchanged."""
    body = await members_of(request, {"name", "url"}, {"title", "trust", "shared", "headers"})
    texts = body["name"], body["url"], body.get("title", ""), body.get("trust", "none")
    shared = body.get("shared", False)
    if not all(isinstance(text, str) for text in texts) or not isinstance(shared, bool):
        raise Problem(
            422, "'name', 'url', 'title' and 'trust' must be strings, 'shared' true or false"
        )
    wish = ServerWish(*texts, shared, _credentials(body.get("headers")))
    made = await done(MCP_SERVERS, request, server, identity, lambda servers: servers.add(wish))
    return answer(made, 201, {"Location": f"/v1/mcp-servers/{made['name']}"})


async def accepted(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers/{server}:accept``: accept tools, each by its reviewed digest, or
    all in their current form.
    """
    body, name = (
        await members_of(request, set(), {"tools", "connection", "headers"}),
        request.path_params["server"],
    )
    digests, connection = body.get("tools", {}), body.get("connection")
    if not isinstance(digests, dict) or not all(isinstance(one, str) for one in digests.values()):
        raise Problem(422, "'tools' must be an object of digests by tool")
    if connection is not None and not isinstance(connection, str):
        raise Problem(422, "'connection' must be the name of a connection")
    credentials = _credentials(body.get("headers"))

    def step(servers: McpServers) -> object:
        return servers.accept(name, connection=connection, digests=digests, credentials=credentials)

    return answer(await done(MCP_SERVERS, request, server, identity, step))


async def overlaid(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers/{server}:overlay``: set the properties of tools, without a
    request to the server.
    """
    body, name = await members_of(request, {"actions"}, set()), request.path_params["server"]
    changes = body["actions"]
    if (
        not isinstance(changes, dict)
        or not changes
        or not all(isinstance(one, dict) for one in changes.values())
    ):
        raise Problem(422, "'actions' must be an object of objects by tool")
    return answer(
        await done(
            MCP_SERVERS, request, server, identity, lambda servers: servers.overlay(name, changes)
        )
    )


def _credentials(given: object) -> tuple[str, str] | None:
    """Return the header field for the request of a server's tools, which is not stored; None
    without one.

    :raises Problem: if the value is no object with one header field.
    """
    if given is None:
        return None
    if (
        not isinstance(given, dict)
        or len(given) != 1
        or not all(isinstance(value, str) and value for value in given.values())
    ):
        raise Problem(422, "'headers' must be an object with one header field")
    return next(iter(given.items()))


OPERATIONS = operations(MCP_SERVERS, create=created, accept=accepted, overlay=overlaid)
