"""Lists of a workspace's objects, filtered by members of their rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield_service.shell.http.parameters import asked, limit_of
from jackfield_service.shell.http.query_parts import Schema
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Endpoint
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_store.access.visible_pages import visible_page

Item = TypeVar("Item")
Row = Mapping[str, Any]


def filtered(
    fetch: Callable[[str | None, int], tuple[Sequence[Item], str | None]],
    shown: Callable[[Item], Row],
    request: Request,
    names: Sequence[str],
) -> Row:
    """Return a page of a list: rows whose members ``names`` equal the request's parameters of these
    names, and the next cursor. ``fetch`` gets a cursor and a limit, and returns items and the next
    cursor; ``shown`` makes a row of an item. A page with few matches is short, and has a cursor.
    """
    given = request.query_params
    wanted = {name: given[name] for name in names if name in given}

    def rows(cursor: str | None, limit: int) -> tuple[Sequence[Row], str | None]:
        items, following = fetch(cursor, limit)
        return [shown(item) for item in items], following

    def fits(row: Row) -> bool:
        return all(row.get(name) == value for name, value in wanted.items())

    found, cursor = visible_page(rows, fits, given.get("cursor"), limit_of(request))
    return {"items": found, "nextCursor": cursor}


def page_of(
    run: Callable[[Request, ServerContext, Identity, Callable[[Any], Row]], Awaitable[Row]],
    fetch: Callable[..., tuple[Sequence[Item], str | None]],
    shown: Callable[[Item], Row],
    filters: Sequence[str],
    query: Mapping[str, Schema] = MappingProxyType({}),
) -> Endpoint:
    """Make the endpoint of a list. ``run`` runs a step on the noun's objects; ``fetch`` gets these
    objects, a cursor, a limit and, by name, the parameters in ``query``.
    """

    async def endpoint(request: Request, server: ServerContext, identity: Identity) -> Response:
        def step(things: Any) -> Row:
            return filtered(
                partial(fetch, things, **asked(request, query)), shown, request, filters
            )

        return answer(await run(request, server, identity, step))

    return endpoint
