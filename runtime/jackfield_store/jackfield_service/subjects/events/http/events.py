"""Operations ``/v1/events``: events of the workspace, read by cursor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.http.query_parts import LIMIT, LONG, Schema
from jackfield_service.shell.identity.identity import Identity, bearer
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.subjects.events import CursorExpired, Feed
from jackfield_service.subjects.events.event import listed_types
from jackfield_service.subjects.events.http import asyncapi
from jackfield_service.subjects.events.marks import PATTERN
from jackfield_service.subjects.events.reader import EventReader
from jackfield_service.subjects.events.visible import feed_of


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/events``: a page of events after a cursor, oldest first.

    :raises Problem: 410 for a cursor whose events are gone; 400 for an unknown type; 401 or 403 if
        the caller's rights end during a wait.
    """
    server.require_database("events")
    given, text = request.query_params, bearer(request)

    def again() -> Feed:
        present = server.identities.of(text)
        present.require("read")
        return _feed(server, present)

    async def left() -> bool:
        return server.stopping or await request.is_disconnected()

    waits = partial(server.requests.waiting, identity.holder, identity.id, reads=True)
    reader = EventReader(partial(_feed, server, identity), again, left, server.briefly, waits)
    try:
        page = await reader.page(
            given.get("after"),
            listed_types(given.get("types")),
            limit_of(request),
            int(given.get("wait", 0)),
        )
    except CursorExpired as error:
        raise of_error(error, 410) from None
    except InvalidInvocation as error:
        raise of_error(error, 400) from None
    return answer({"items": [event.to_json() for event in page.events], "nextCursor": page.cursor})


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/events/{id}``."""
    server.require_database("events")
    try:
        event = await server.briefly(
            lambda: _feed(server, identity).find(request.path_params["id"])
        )
    except InvalidInvocation as error:
        raise Problem(404, error.message) from None
    return answer(event.to_json())


def _feed(server: ServerContext, identity: Identity) -> Feed:
    runtime = server.runtimes.find(identity.workspace)
    return feed_of(
        server.storage,
        identity.workspace,
        runtime.catalog,
        runtime.access.authorizer(identity.caller),
    )


_EVENTS: Mapping[str, Schema] = {
    "after": {
        "type": "string",
        "pattern": f"^{PATTERN}$",
        "description": (
            "The nextCursor of the previous page, or an event's cursor; without it from the "
            "oldest event kept."
        ),
    },
    "types": {
        **LONG,
        "description": "Types and patterns, separated by commas: invocation.finished,connection.*",
    },
    "wait": {
        "type": "integer",
        "minimum": 0,
        "maximum": 60,
        "description": "Seconds for which to wait for an event.",
    },
    "limit": LIMIT,
}
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/events",
        listed,
        "read",
        "listEvents",
        "List events after a cursor, oldest first; 'wait' holds the request until there is one.",
        {200: "EventList"},
        query=_EVENTS,
        problems=(410, 503),
    ),
    Operation(
        "GET",
        "/v1/events/{id}",
        shown,
        "read",
        "showEvent",
        "Show an event.",
        {200: "Event"},
        problems=(404, 503),
    ),
    Operation(
        "GET",
        "/asyncapi.json",
        asyncapi.served,
        None,
        "asyncapi",
        "Show the AsyncAPI document of what callbacks get.",
        {200: "Schema", 304: ""},
        headers=("If-None-Match",),
    ),
)
