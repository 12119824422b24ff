"""Endpoints that the kinds of things of a workspace have in common: a page of them, one of them, and the end of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.surfaces.http.parameters import limit_of
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.operation import Endpoint
from jackfield.surfaces.shared.server_context import ServerContext

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")
Item = TypeVar("Item")


class Run(Protocol[T_co]):
    """Runner of a step in a thread, on the things of the caller's workspace."""

    def __call__(self, request: Request, server: ServerContext, identity: Identity, step: Callable[[T_co], R], /) -> Awaitable[R]:
        """Run ``step`` and return its result."""


class Endpoints(Generic[T]):
    """Endpoints of the things on which ``run`` runs a step. A path names one of them by its parameter ``key``."""

    def __init__(self, run: Run[T], key: str = "name") -> None:
        self._run = run
        self._key = key

    def page(
        self, fetch: Callable[[T, str | None, int], tuple[Sequence[Item], str | None]], shown: Callable[[Item], object] = lambda item: item
    ) -> Endpoint:
        """Make the endpoint of a list; ``fetch`` gets a cursor and a limit, and returns the items and the next cursor."""

        async def endpoint(request: Request, server: ServerContext, identity: Identity) -> Response:
            cursor, limit = request.query_params.get("cursor"), limit_of(request)
            items, following = await self._run(request, server, identity, lambda things: fetch(things, cursor, limit))
            return answer({"items": [shown(item) for item in items], "nextCursor": following})

        return endpoint

    def one(self, step: Callable[[T, str], object], status: int = 200) -> Endpoint:
        """Make the endpoint that answers with what a step on one of them returns."""

        async def endpoint(request: Request, server: ServerContext, identity: Identity) -> Response:
            found = await self._run(request, server, identity, lambda things: step(things, request.path_params[self._key]))
            return answer(found, status)

        return endpoint

    def removal(self, step: Callable[[T, str], object]) -> Endpoint:
        """Make the endpoint that answers with nothing once a step has removed one of them."""

        async def endpoint(request: Request, server: ServerContext, identity: Identity) -> Response:
            await self._run(request, server, identity, lambda things: step(things, request.path_params[self._key]))
            return Response(status_code=204)

        return endpoint
