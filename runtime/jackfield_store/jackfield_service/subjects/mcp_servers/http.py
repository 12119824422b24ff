"""``/v1/mcp-servers``: MCP servers as connectors of the workspace, whose tools are reviewed and accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.errors import InvalidInvocation, JackfieldError, NotAllowed
from jackfield_service.shell.http.endpoints import Endpoints
from jackfield_service.shell.http.query_parts import BY_KEY, LONG, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import members_of
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_store.management.mcp_servers import McpServers, ServerInUse, ServerTaken, ServerWish, mcp_servers

T = TypeVar("T")


async def _done(_request: Request, server: ServerContext, identity: Identity, step: Callable[[McpServers], T]) -> T:
    if identity.rules:
        raise Problem(403, "a token with rules cannot manage MCP servers, of which it may see a part only", code="not_allowed")
    server.require_database("MCP servers")

    def run() -> T:
        return step(mcp_servers(server.runtime(identity.workspace), identity.actor, "remote", server.runtimes.guard))

    try:
        return await server.slowly(run)
    except (ServerInUse, ServerTaken) as error:
        raise of_error(error, 409) from None
    except NotAllowed as error:
        raise of_error(error, 403) from None
    except InvalidInvocation as error:
        raise of_error(error, 422 if error.details else 404) from None
    except JackfieldError as error:
        raise of_error(error, 422 if error.http_status < 500 else error.http_status) from None


_SERVERS = Endpoints(_done, "server")
shown = _SERVERS.one(McpServers.show)
listed = _SERVERS.page(McpServers.page, dict, ("inherited",))
removed = _SERVERS.one(McpServers.remove)


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers``: ask the server for its tools, and accept them as they are."""
    body = await members_of(request, {"name", "url"}, {"title", "trust", "shared", "headers"})
    texts = body["name"], body["url"], body.get("title", ""), body.get("trust", "none")
    shared = body.get("shared", False)
    if not all(isinstance(text, str) for text in texts) or not isinstance(shared, bool):
        raise Problem(422, "'name', 'url', 'title' and 'trust' must be strings, 'shared' true or false")
    wish = ServerWish(*texts, shared, _credentials(body.get("headers")))
    made = await _done(request, server, identity, lambda servers: servers.add(wish))
    return answer(made, 201, {"Location": f"/v1/mcp-servers/{made['name']}"})


async def reviewed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/mcp-servers/{server}/review?connection=``: what differs from what was accepted."""
    name, connection = request.path_params["server"], request.query_params.get("connection")
    return answer(await _done(request, server, identity, lambda servers: servers.review(name, connection=connection)))


async def accepted(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers/{server}:accept``: accept tools, each by the digest that was reviewed, or all as they are now."""
    body, name = await members_of(request, set(), {"tools", "connection", "headers"}), request.path_params["server"]
    digests, connection = body.get("tools", {}), body.get("connection")
    if not isinstance(digests, dict) or not all(isinstance(one, str) for one in digests.values()):
        raise Problem(422, "'tools' must be an object of digests by tool")
    if connection is not None and not isinstance(connection, str):
        raise Problem(422, "'connection' must be the name of a connection")
    credentials = _credentials(body.get("headers"))

    def step(servers: McpServers) -> object:
        return servers.accept(name, connection=connection, digests=digests, credentials=credentials)

    return answer(await _done(request, server, identity, step))


async def overlaid(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/mcp-servers/{server}:overlay``: say what tools do, without asking the server."""
    body, name = await members_of(request, {"actions"}, set()), request.path_params["server"]
    changes = body["actions"]
    if not isinstance(changes, dict) or not changes or not all(isinstance(one, dict) for one in changes.values()):
        raise Problem(422, "'actions' must be an object of objects by tool")
    return answer(await _done(request, server, identity, lambda servers: servers.overlay(name, changes)))


def _credentials(given: object) -> tuple[str, str] | None:
    """Return the header field with which a server is asked for its tools; it is not kept.

    :raises Problem: if it is none.
    """
    if given is None:
        return None
    if not isinstance(given, dict) or len(given) != 1 or not all(isinstance(value, str) and value for value in given.values()):
        raise Problem(422, "'headers' must be an object with one header field")
    return next(iter(given.items()))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/v1/mcp-servers", listed, "manage", "listMcpServers",
        "List the MCP servers that are connectors of the workspace, those that all workspaces share among them.",
        {200: "McpServerList"}, query=paged(BY_KEY), problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/mcp-servers", created, "manage", "addMcpServer",
        "Ask an MCP server for its tools, accept them as they are, and make it a connector of the workspace.",
        {201: "McpServerDetail"}, body="NewMcpServer", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "GET", "/v1/mcp-servers/{server}", shown, "manage", "showMcpServer", "Show an MCP server and its accepted tools.",
        {200: "McpServerDetail"}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/mcp-servers/{server}/review", reviewed, "manage", "reviewMcpServer",
        "Ask an MCP server for its tools, and compare them with the accepted ones.",
        {200: "McpServerReview"}, query={"connection": LONG}, problems=(404, 422, 503),
    ),
    Operation(
        "POST", "/v1/mcp-servers/{server}:accept", accepted, "manage", "acceptMcpTools",
        "Accept tools as the server has them now: those that were reviewed, by their digests, or all.",
        {200: "McpServerDetail"}, body="McpAcceptance", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "POST", "/v1/mcp-servers/{server}:overlay", overlaid, "manage", "overlayMcpTools",
        "Say what accepted tools do, such as their effects: that beats what the server says of itself.",
        {200: "McpServerDetail"}, body="McpOverlay", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "DELETE", "/v1/mcp-servers/{server}", removed, "manage", "removeMcpServer",
        "Delete an MCP server that no connection is for.", {200: "McpServerEnd"}, problems=(404, 409, 503),
    ),
)  # fmt: skip
