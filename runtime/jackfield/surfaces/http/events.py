"""``/v1/events``: what happened in the workspace, read by cursor."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from jackfield.errors import InvalidInvocation
from jackfield.events import CursorExpired, Feed, Page
from jackfield.events.event import listed_types
from jackfield.events.feed import PAUSE
from jackfield.management.visible_events import feed_of
from jackfield.surfaces.http.parameters import limit_of
from jackfield.surfaces.shared.identity import Identity, bearer
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.problem import Problem, of_error
from jackfield.surfaces.shared.server_context import ServerContext

_LOOKS = round(1 / PAUSE)  # in a second


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/events``: a page of events after a cursor, oldest first.

    :raises Problem: 410 for a cursor whose events are gone; 400 for an unknown type.
    """
    feed, given = await _feed(server, identity), request.query_params
    types = listed_types(given.get("types"))
    try:
        page = await server.briefly(lambda: feed.page(given.get("after"), types, limit_of(request)))
        if not page.events and int(given.get("wait", 0)):
            page = await _waited(request, server, feed, page, types)
    except CursorExpired as error:
        raise of_error(error, 410) from None
    except InvalidInvocation as error:
        raise of_error(error, 400) from None
    return answer({"items": [event.to_json() for event in page.events], "nextCursor": page.cursor})


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/events/{id}``."""
    feed = await _feed(server, identity)
    try:
        event = await server.briefly(lambda: feed.find(request.path_params["id"]))
    except InvalidInvocation as error:
        raise Problem(404, error.message) from None
    return answer(event.to_json())


async def _feed(server: ServerContext, identity: Identity) -> Feed:
    server.require_database("events")
    runtime = await server.opened(identity.workspace)

    def opened() -> Feed:
        return feed_of(server.storage, identity.workspace, runtime.catalog, runtime.access.authorizer(identity.caller))

    return await server.briefly(opened)


async def _waited(request: Request, server: ServerContext, feed: Feed, page: Page, types: list[str]) -> Page:
    """Return the first page that is not empty, or the last one when the time has passed, the caller has left or the server stops.

    No thread waits: a look at the database takes two look-ups in indexes. Every second, and before a page is read, the caller's rights are
    looked up again.

    :raises Problem: 401 if the token has ended; 403 if the workspace was suspended.
    """
    until, limit, looks = time.monotonic() + int(request.query_params["wait"]), limit_of(request), 0
    while not page.events and time.monotonic() < until and not server.stopping:
        await asyncio.sleep(PAUSE)
        if await request.is_disconnected():
            break
        looks, more = looks + 1, await server.briefly(partial(feed.has_after, page.cursor))
        if more or looks % _LOOKS == 0:
            identity = server.identities.cached(bearer(request)) or (await server.identities.confirmed(bearer(request)))[0]
            identity.require("read")
            feed = await _feed(server, identity)
        if more:
            page = await server.briefly(partial(feed.page, page.cursor, types, limit))
    return page
