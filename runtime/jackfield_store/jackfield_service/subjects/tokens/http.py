"""Operations ``/v1/tokens``: tokens of the caller's workspace, so that a platform can create and
revoke them without a shell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield.callers import TOKEN_SCOPES, Rules
from jackfield.callers.rules import LISTS
from jackfield.kernel.clock import moment
from jackfield.kernel.errors import Detail
from jackfield_service.shell.http.bodies import invalid_body, members_of
from jackfield_service.shell.http.endpoints import Row, filtered
from jackfield_service.shell.http.query_parts import BY_MOMENT, filters, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_store.access import Token, Tokens

FILTERS = ("status", "scope", "name")
"""Members by which the list can be filtered."""


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/tokens``: newest first, including revoked and expired ones."""
    return answer(
        await _done(server, identity, lambda tokens: page(tokens, request, server.clock.time()))
    )


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/tokens``: create a token. Only this response contains the token itself."""
    step = await creation(request)
    return answer(
        await _done(server, identity, lambda tokens: step(tokens, server.clock.time())),
        201,
        {"Cache-Control": "no-store"},
    )


async def creation(request: Request) -> Callable[[Tokens, float], dict[str, Any]]:
    """Read a body that requests a token, and return the step that creates it at the time ``now``,
    and returns the token itself once.

    :raises Problem: 400 if a member is unknown or has another type.
    """
    body = await members_of(request, "NewToken")
    expires, lasts = body.get("expiresAt"), body.get("expiresIn")
    if lasts is not None and expires is not None:
        fault = Detail("/expiresIn", "cannot be combined with 'expiresAt'")
        raise of_error(invalid_body([fault]), 400)
    rules = Rules.checked(*(body.get("rules", {}).get(name) or [] for name in LISTS))

    def step(tokens: Tokens, now: float) -> dict[str, Any]:
        at = (
            now + lasts
            if lasts is not None
            else moment(expires, now, 1, "'expiresAt'")
            if expires is not None
            else None
        )
        quotas = body.get("quotas", ())
        made = tokens.create(body["scope"], body.get("name", ""), rules, at, quotas)
        return {"token": made.text, **made.token.to_json(now), **made.to_json()}

    return step


def page(tokens: Tokens, request: Request, now: float) -> Row:
    """Return the requested page of tokens, without the tokens themselves."""

    def fetch(cursor: str | None, limit: int) -> tuple[list[Token], str | None]:
        return tokens.list(cursor=cursor, limit=limit)

    return filtered(fetch, lambda token: token.to_json(now), request, FILTERS)


async def revoked(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/tokens/{id}``: revoke a token. Revoking it again has no effect."""
    identifier = request.path_params["id"]
    if identity.kind == "token" and identifier == identity.id:
        raise Problem(409, "a token cannot revoke itself: use another one")
    await _done(server, identity, lambda tokens: tokens.revoke(identifier))
    return Response(status_code=204)


async def _done(server: ServerContext, identity: Identity, step: Callable[[Tokens], Any]) -> Any:
    """Run a step in a thread.

    :raises Problem: 403 for a token with rules, which could otherwise create a token without rules;
        503 if there is no database.
    """
    if identity.rules:
        raise Problem(
            403, "a token with rules cannot list, create or revoke tokens", code="not_allowed"
        )
    server.require_database("tokens")
    tokens = Tokens(
        server.storage.database,
        server.storage.vault,
        identity.workspace,
        server.clock,
        identity.actor,
    )
    return await server.briefly(lambda: step(tokens))


_TOKEN_STATUS = ("active", "expired", "revoked")
TOKENS = {**filters(FILTERS, status=_TOKEN_STATUS, scope=TOKEN_SCOPES), **paged(BY_MOMENT)}
"""Query parameters of a list of tokens."""
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/tokens",
        listed,
        "manage",
        "listTokens",
        "List the workspace's tokens, newest first.",
        {200: "TokenList"},
        query=TOKENS,
        problems=(503,),
    ),
    Operation(
        "POST",
        "/v1/tokens",
        created,
        "manage",
        "createToken",
        "Create a token. Only this response contains its text.",
        {201: "CreatedToken"},
        body="NewToken",
        problems=(413, 415, 503),
    ),
    Operation(
        "DELETE",
        "/v1/tokens/{id}",
        revoked,
        "manage",
        "revokeToken",
        "Revoke a token.",
        {204: ""},
        problems=(404, 409, 503),
    ),
)
