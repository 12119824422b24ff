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
from jackfield_service.shell.http.endpoints import Row, filtered
from jackfield_service.shell.http.query_parts import BY_MOMENT, filters, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import members_of
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access import Token, Tokens

_LONGEST_MOMENT = 40
_LONGEST_LIFE = 100 * 365 * 86_400
"""Maximum lifetime of a token, in seconds."""


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
    body = await members_of(
        request, {"scope"}, {"name", "rules", "quotas", "expiresAt", "expiresIn"}
    )
    scope, name, expires, lasts = (
        body["scope"],
        body.get("name", ""),
        body.get("expiresAt"),
        body.get("expiresIn"),
    )
    if (
        not isinstance(scope, str)
        or not isinstance(name, str)
        or not isinstance(expires, str | None)
    ):
        raise Problem(400, "'scope', 'name' and 'expiresAt' must be strings")
    is_span = isinstance(lasts, int) and not isinstance(lasts, bool) and 1 <= lasts <= _LONGEST_LIFE
    if lasts is not None and (not is_span or expires is not None):
        text = (
            f"'expiresIn' must be a number of seconds, at most {_LONGEST_LIFE:,}, and cannot "
            "be combined with 'expiresAt'"
        )
        raise Problem(400, text)
    if len(expires or "") > _LONGEST_MOMENT:
        raise Problem(400, f"'expiresAt' must have at most {_LONGEST_MOMENT} characters")
    patterns = _patterns(body.get("rules", {}))

    def step(tokens: Tokens, now: float) -> dict[str, Any]:
        at = (
            now + lasts
            if lasts is not None
            else moment(expires, now, 1, "'expiresAt'")
            if expires is not None
            else None
        )
        made = tokens.create(scope, name, Rules.checked(*patterns), at, body.get("quotas", ()))
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


def _patterns(rules: Any) -> list[list[str]]:
    found = (
        [rules.get(name, []) for name in LISTS]
        if isinstance(rules, dict) and not rules.keys() - {*LISTS}
        else [None]
    )
    if not all(isinstance(patterns, list) for patterns in found):
        raise Problem(
            400,
            '\'rules\' must be {"allow": [patterns], "block": [patterns], "approve": [patterns]}',
        )
    if not all(isinstance(text, str) for patterns in found for text in patterns or ()):
        raise Problem(400, "the patterns of 'rules' must be strings")
    return [patterns or [] for patterns in found]


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
