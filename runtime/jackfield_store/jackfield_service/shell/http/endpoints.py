"""Endpoints that the kinds of things of a workspace have in common: a page of them, one of them, and the end of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Endpoint
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_store.access.visible_pages import visible_page

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")
Item = TypeVar("Item")
Row = Mapping[str, Any]


def filtered(
    fetch: Callable[[str | None, int], tuple[Sequence[Item], str | None]],
    shown: Callable[[Item], Row],
    request: Request,
    names: Sequence[str],
) -> Row:
    """Return the page of a list that a request asks for: the rows whose members ``names`` are what its parameters of these names say, and
    the next cursor. ``fetch`` gets a cursor and a limit, and returns items and the next cursor; ``shown`` makes a row of an item. Where few
    rows fit, the page is short, and has a cursor."""
    given = request.query_params
    wanted = {name: given[name] for name in names if name in given}

    def rows(cursor: str | None, limit: int) -> tuple[Sequence[Row], str | None]:
        items, following = fetch(cursor, limit)
        return [shown(item) for item in items], following

    def fits(row: Row) -> bool:
        return all(row.get(name) == value for name, value in wanted.items())

    found, cursor = visible_page(rows, fits, given.get("cursor"), limit_of(request))
    return {"items": found, "nextCursor": cursor}


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
        self,
        fetch: Callable[[T, str | None, int], tuple[Sequence[Item], str | None]],
        shown: Callable[[Item], Row],
        filters: Sequence[str],
    ) -> Endpoint:
        """Make the endpoint of a list; ``fetch`` gets a cursor and a limit, and returns the items and the next cursor. Parameters named as
        ``filters`` choose the items of which these members are equal to them."""

        async def endpoint(request: Request, server: ServerContext, identity: Identity) -> Response:
            def step(things: T) -> Row:
                return filtered(partial(fetch, things), shown, request, filters)

            return answer(await self._run(request, server, identity, step))

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
