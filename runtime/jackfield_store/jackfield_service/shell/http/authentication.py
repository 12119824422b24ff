"""Authentication of a request: the identity behind its token, looked up at most once, with a limit
on unknown tokens.
"""

from __future__ import annotations

from starlette.requests import Request

from jackfield_service.shell.identity.identity import Identities, Identity, bearer
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.problem import Problem


async def identified(request: Request, server: ServerContext, identities: Identities) -> Identity:
    """Authenticate the caller unless the identity is cached. A token is looked up before it counts
    as a guess.

    :raises Problem: 401 if the token is unknown; 429 if its address has sent too many unknown ones.
    """
    text = bearer(request)
    known = await identities.awaited(text)
    if known is not None:
        return known
    await identities.prepare(text)
    async with server.guesses.turn(request):
        try:
            return await identities.found_once(
                text, lambda: server.briefly(lambda: identities.of(text))
            )
        except Problem as refusal:
            if refusal.status == 401:
                server.guesses.note(request)
            raise
