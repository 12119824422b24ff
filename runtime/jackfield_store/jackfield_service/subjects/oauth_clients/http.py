"""``/v1/oauth-clients``: clients of authorization servers, to which connections of the workspace refer by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.errors import InvalidInvocation, NotAllowed
from jackfield_service.shell.http.endpoints import Endpoints
from jackfield_service.shell.http.parameters import flag
from jackfield_service.shell.http.query_parts import BY_KEY, FLAG, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import members_of
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_store.management.oauth_clients import MEMBERS, ClientInUse, ClientTaken, OAuthClients, oauth_clients

T = TypeVar("T")


async def _done(_request: Request, server: ServerContext, identity: Identity, step: Callable[[OAuthClients], T]) -> T:
    if identity.rules:
        raise Problem(403, "a token with rules cannot manage OAuth clients, to which all connections may refer", code="not_allowed")
    server.require_database("OAuth clients")
    clients = oauth_clients(server.storage, identity.workspace, server.clock, identity.actor, "remote")
    try:
        return await server.briefly(lambda: step(clients))
    except (ClientInUse, ClientTaken) as error:
        raise of_error(error, 409) from None
    except NotAllowed as error:
        raise of_error(error, 403) from None
    except InvalidInvocation as error:
        raise of_error(error, 422 if error.details else 404) from None


_CLIENTS = Endpoints(_done, "client")
shown = _CLIENTS.one(OAuthClients.show)
listed = _CLIENTS.page(OAuthClients.page, dict, ("inherited",))


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/oauth-clients``."""
    body = await members_of(request, {"name", "values"}, {"server"})
    name, values, hosts = str(body["name"]), body["values"], body.get("server", [])
    made = await _done(request, server, identity, lambda clients: clients.add(name, hosts, values))
    return answer(made, 201, {"Location": f"/v1/oauth-clients/{made['name']}"})


async def changed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``PATCH /v1/oauth-clients/{client}``: change the members given, such as the secret."""
    body, name = await members_of(request, set(), MEMBERS), request.path_params["client"]
    return answer(await _done(request, server, identity, lambda clients: clients.change(name, body)))


async def removed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/oauth-clients/{client}``."""
    name, force = request.path_params["client"], flag(request, "force")
    return answer(await _done(request, server, identity, lambda clients: clients.remove(name, force=force)))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/v1/oauth-clients", listed, "manage", "listOAuthClients",
        "List the OAuth clients that connections may refer to, the server's among them, without secrets.",
        {200: "OAuthClientList"}, query=paged(BY_KEY), problems=(503,),
    ),
    Operation(
        "POST", "/v1/oauth-clients", created, "manage", "createOAuthClient",
        "Register an OAuth client of the workspace; the operator's own workspace has those of the server.",
        {201: "OAuthClient"}, body="NewOAuthClient", problems=(409, 413, 415, 422, 503),
    ),
    Operation(
        "GET", "/v1/oauth-clients/{client}", shown, "manage", "showOAuthClient", "Show an OAuth client without its secrets.",
        {200: "OAuthClient"}, problems=(404, 503),
    ),
    Operation(
        "PATCH", "/v1/oauth-clients/{client}", changed, "manage", "changeOAuthClient",
        "Change the values given, such as the secret; others stay.",
        {200: "OAuthClient"}, body="OAuthClientUpdate", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "DELETE", "/v1/oauth-clients/{client}", removed, "manage", "removeOAuthClient",
        "Delete an OAuth client to which no connection refers.",
        {200: "OAuthClientEnd"}, query={"force": FLAG}, problems=(404, 409, 503),
    ),
)  # fmt: skip
