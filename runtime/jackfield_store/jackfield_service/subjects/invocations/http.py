"""Operations ``/v1/invocations`` and ``/v1/queue``: run, queue, look up, cancel, resolve,
redrive.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from jackfield.invocation import Enqueued, Result
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import arrived, moment, note_arrival
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, LimitReached
from jackfield_service.shell.http.accept import prefers
from jackfield_service.shell.http.event_stream import events_response, takes_events
from jackfield_service.shell.http.outlasting import outlasting, patiently, queues
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.http.query_parts import BY_MOMENT, TEXT, WHEN, Schema, paged
from jackfield_service.shell.http.results import completed, to_answer
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.entry_export import CSV, LINES, MOST, exported
from jackfield_service.shell.operations.file_weight import weight_of
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import LARGE, crowded, decoded_call, read_body, take_room
from jackfield_service.shell.requests.disconnect import cancelling
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.prefix import below_prefix
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.shell.requests.refusals import refused
from jackfield_service.shell.requests.wording import reworded
from jackfield_store.journal.listing import FILTERS
from jackfield_store.management.visible_journal import SeenJournal
from jackfield_store.runtime import Jackfield

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?:[,;]|$)", re.IGNORECASE)


async def invoke(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations``."""
    runtime = await patiently(request, lambda: server.opened(identity.workspace))
    prefer = ",".join(request.headers.getlist("prefer"))
    text = await _whole(request, server)
    body: Any = None
    files, large = 0, False
    queued = queues(request)
    try:
        body = await decoded_call(text, request)
        if isinstance(body, dict):
            given = request.headers
            body = completed(
                body,
                given.get("idempotency-key"),
                given.get("traceparent"),
                given.get("x-request-id"),
            )
            large = len(text) >= LARGE or crowded(body)
            files = 0 if queued else await weight_of(body, server, identity, large=large)
            take_room(request, files, files)
        else:
            body = text  # pass the bytes on: a string would be parsed as JSON
    except JackfieldError as error:
        return to_answer(refused(error, body), identity.surface)
    waited = _WAIT.search(prefer)
    wait = float(waited[1]) if waited is not None else 0.0
    if queued:
        return await _queued(body, server, runtime, identity, wait)
    if takes_events(request.headers.get("accept", "")):
        stream = runtime.stream(
            body, wait=wait, caller=identity.caller, named=partial(_name, request)
        )
        return await events_response(stream, request, server, identity.surface)
    server.metrics.running.inc()
    try:
        large = large or len(text) + files >= LARGE
        result = await _run(request, server, runtime, body, identity, wait=wait, large=large)
    finally:
        server.metrics.running.dec()
    server.metrics.note(result)
    if not isinstance(result.error, LimitReached):
        request.scope["jackfield.invocation_id"] = result.meta.invocation_id
    if result.error is not None:
        request.scope["jackfield.error_code"] = result.error.code
    return to_answer(
        result,
        identity.surface,
        {"Preference-Applied": f"wait={waited[1]}"} if waited is not None else None,
    )


async def _whole(request: Request, server: ServerContext) -> bytes:
    """Read the body. The deadline of its call starts only once the body is complete."""
    before = server.clock.monotonic()
    text = await read_body(request, server.settings.max_body)
    note_arrival((arrived() or before) + server.clock.monotonic() - before)
    return text


async def _run(
    request: Request,
    server: ServerContext,
    runtime: Jackfield,
    body: Any,
    identity: Identity,
    *,
    wait: float,
    large: bool,
) -> Result:
    """Run the invocation. Cancel it if the caller disconnects before it was sent; after that it
    runs to its end. A large body is processed entirely in a thread, so that its validation does not
    block the event loop.
    """
    cancelled = threading.Event()
    how: dict[str, Any] = {
        "wait": wait,
        "cancelled": cancelled,
        "caller": identity.caller,
        "named": partial(_name, request),
    }
    running = (
        server.slowly(partial(runtime.invoke, body, **how, on_time=True))
        if large
        else runtime.begin(body, **how)
    )
    with cancelling(request, cancelled):
        return await asyncio.shield(running)


def _name(request: Request, identifier: str) -> None:
    """Record the invocation's ID while it runs: a server that stops before the Result exists
    answers with this ID.
    """
    request.scope["jackfield.invocation_id"] = identifier


async def _queued(
    body: Any, server: ServerContext, runtime: Jackfield, identity: Identity, wait: float
) -> Response:
    try:
        found = await outlasting(
            lambda: server.slowly(lambda: runtime.enqueue(body, caller=identity.caller))
        )
    except LimitReached as error:
        raise of_error(error) from None
    except JackfieldError as error:
        return to_answer(refused(error, body), identity.surface)
    if isinstance(found, Result) and found.status == "waiting" and not found.meta.replayed:
        return to_answer(found, identity.surface, {"Preference-Applied": "respond-async"})
    if isinstance(found, Result):
        return await _earlier(found, runtime, wait, identity.surface)
    server.wake()
    return _accepted(Enqueued(found))


async def _earlier(found: Result, runtime: Jackfield, wait: float, surface: str) -> Response:
    """Answer a repeat of a queued request: with its Result if it has ended within ``wait`` seconds,
    including a doubt that evidence may settle. Otherwise the answer is the same as the first one.
    """
    if wait and (Enqueued.of(found) is not None or found.meta.settling is not None):
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                found = await runtime.await_(found.meta.invocation_id, settles=True)
                found.meta.replayed = True
    queued = Enqueued.of(found)
    return to_answer(found, surface) if queued is None else _accepted(queued)


def _accepted(queued: Enqueued) -> Response:
    headers = {
        "Location": f"/v1/invocations/{queued.invocation_id}",
        "Preference-Applied": "respond-async",
    }
    return answer(
        queued.to_json(),
        202,
        headers | ({"Idempotency-Replayed": "true"} if queued.replayed else {}),
    )


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/invocations``; for ``Accept: text/csv`` or ``application/jsonl``, as an
    export.
    """
    journal = await journal_of(server, identity)
    given: dict[str, Any] = {name: request.query_params.get(name) for name in (*FILTERS, "cursor")}
    limit, now = limit_of(request), server.clock.time()
    try:
        for name in ("since", "until"):
            given[name] = (
                None
                if given[name] is None
                else moment(given[name], now, -1, f"the parameter '{name}'", ends=name == "until")
            )
        kind = next(
            (kind for kind in (CSV, LINES) if prefers(request.headers.get("accept", ""), kind)),
            None,
        )
        if kind is not None:
            return await _export(request, server, journal, kind, given)
        entries, cursor = await server.briefly(lambda: journal.entries(**given, limit=limit))
    except InvalidInvocation as error:
        raise of_error(error, 400) from None
    return answer(
        {
            "items": [reworded(entry.to_json(), identity.surface) for entry in entries],
            "nextCursor": cursor,
        },
        headers={"Vary": "Accept"},
    )


async def _export(
    request: Request,
    server: ServerContext,
    journal: SeenJournal,
    kind: str,
    given: Mapping[str, Any],
) -> Response:
    """Answer with the matching entries, up to the limits of an export; the header ``Link`` has the
    address of the export of the remaining entries.
    """
    filters = {name: value for name, value in given.items() if name != "cursor"}

    def fetch(cursor: str | None, limit: int) -> tuple[Sequence[Entry], str | None]:
        return journal.entries(**filters, cursor=cursor, limit=limit)

    text, _, cursor = await server.slowly(
        partial(exported, fetch, kind, given["cursor"], limit_of(request, MOST))
    )
    headers = {"Vary": "Accept"}
    if cursor is not None:
        query = urlencode({**request.query_params, "cursor": cursor})
        headers["Link"] = f'<{below_prefix("/v1/invocations")}?{query}>; rel="next"'
    return Response(text, 200, headers, f"{kind}; charset=utf-8")


async def shown(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/invocations/{id}``."""
    return answer(
        reworded((await visible_entry(request, server, identity)).to_json(), identity.surface)
    )


async def exchanges(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/invocations/{id}/exchanges``."""
    entry, journal = (
        await visible_entry(request, server, identity),
        await journal_of(server, identity),
    )
    try:
        return answer(await server.briefly(lambda: journal.exchanges(entry.id)))
    except InvalidInvocation as error:
        raise of_error(error, 404) from None


async def cancel(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations/{id}/cancel``."""
    await visible_entry(request, server, identity)
    runtime, identifier = server.runtime(identity.workspace), request.path_params["id"]
    done = await server.briefly(lambda: runtime.cancel(identifier))
    entry = await visible_entry(request, server, identity)
    if not done:
        raise Problem(409, f"it is too late to cancel: the invocation is {entry.status}")
    return answer(reworded(entry.to_json(), identity.surface), 202)


async def journal_of(server: ServerContext, identity: Identity) -> SeenJournal:
    """Return the journal of a caller's workspace, limited to entries that the caller may see.

    :raises Problem: 503 if the server has no journal.
    """
    runtime = await server.opened(identity.workspace)
    if runtime.journal is None:
        raise Problem(503, "this server has no journal")
    return await server.briefly(lambda: runtime.journal_of(identity.caller))


async def visible_entry(request: Request, server: ServerContext, identity: Identity) -> Entry:
    """Return the entry in the path.

    :raises Problem: 404 if the caller may see no such entry.
    """
    journal = await journal_of(server, identity)
    try:
        return await server.briefly(lambda: journal.find(request.path_params["id"]))
    except InvalidInvocation:
        raise Problem(404, f"no invocation has the ID '{request.path_params['id'][:80]}'") from None


_STATUS: Schema = {
    "type": "string",
    "enum": [
        "waiting",
        "queued",
        "running",
        "succeeded",
        "failed",
        "in_doubt",
        "cancelled",
        "dead",
    ],
}
_SEALED = "[A-Za-z0-9_-]{150,250}"
"""Regular expression of a journal's cursor for a token with rules, which is encrypted."""
_ENTRY_FILTERS: Mapping[str, Schema] = {
    "status": _STATUS,
    "connector": TEXT,
    "action": TEXT,
    "connection": TEXT,
    "since": WHEN,
    "until": WHEN,
    "caller": TEXT,
    "idempotencyKey": {**TEXT, "maxLength": 255},
    "correlationId": TEXT,
    "errorCode": TEXT,
    "label": {**TEXT, "description": "A label's name, or name=value."},
    "q": {
        **TEXT,
        "description": (
            "Text to find in the ID, connector, action, connection, caller, key, error code, "
            "request ID or context."
        ),
    },
}
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/invocations",
        invoke,
        "invoke",
        "invoke",
        "Run an action, or queue it for the workers. 'Accept: text/event-stream' returns its "
        "events, then its Result.",
        {200: "Result", 202: "Queued"},
        headers=("Idempotency-Key", "Prefer"),
        body="Invocation",
        results=(400, 403, 404, 409, 422, 500, 502, 503, 504),
        problems=(413, 415),
    ),
    Operation(
        "GET",
        "/v1/invocations",
        listed,
        "read",
        "listInvocations",
        "List invocations, newest first. 'Accept: text/csv' or 'application/jsonl' exports up to "
        "10,000.",
        {200: "EntryList"},
        query={**_ENTRY_FILTERS, **paged(f"({BY_MOMENT}|{_SEALED})")},
    ),
    Operation(
        "GET",
        "/v1/invocations/{id}",
        shown,
        "read",
        "showInvocation",
        "Show an invocation and its Result.",
        {200: "Entry"},
        problems=(404,),
    ),
    Operation(
        "GET",
        "/v1/invocations/{id}/exchanges",
        exchanges,
        "manage",
        "showExchanges",
        "Show what was sent to the provider and what came back, without secrets: of a call that "
        "failed, is in doubt, or was traced.",
        {200: "Exchanges"},
        problems=(404,),
    ),
    Operation(
        "POST",
        "/v1/invocations/{id}/cancel",
        cancel,
        "invoke",
        "cancelInvocation",
        "Cancel an invocation that was not sent yet, or a job that its provider can cancel.",
        {202: "Entry"},
        problems=(404, 409),
    ),
)
