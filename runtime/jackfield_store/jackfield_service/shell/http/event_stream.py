"""``POST /v1/invocations`` as a stream of events (HTML Living Standard, server-sent events): the
action's events, then the Result.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield.call.streams import Stream
from jackfield.kernel.errors import LimitReached
from jackfield.kernel.failures import OnFailure
from jackfield_service.shell.http.accept import prefers
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import dumps
from jackfield_service.shell.requests.problem import of_error
from jackfield_service.shell.requests.streamed import Streamed

KIND = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_SILENCE = 15.0
"""Seconds without an event after which a comment is sent: proxies close connections that are
silent.
"""
_COMMENT = b": waiting\n\n"


def takes_events(accept: str) -> bool:
    """Return whether a client prefers a stream of events to JSON."""
    return KIND in accept.lower() and prefers(accept, KIND)


async def events_response(
    stream: Stream, request: Request, server: ServerContext, surface: str
) -> Response:
    """Return the response that passes on the events of a call. It begins with the first event or
    the Result, and after 15 seconds in any case: a proxy ends a request that is silent for 50
    seconds (HAProxy) or 60 (nginx).

    :raises Problem: 429 if the call never began, since a limit of the workspace is reached.
    """
    server.metrics.running.inc()
    leaving = asyncio.ensure_future(_left(request, stream))
    asking = asyncio.ensure_future(_next(stream))
    with OnFailure(asking.cancel), OnFailure(partial(_end, stream, server)):
        try:
            if (await asyncio.wait((asking,), timeout=_SILENCE))[0]:
                _check_began(stream, asking.result())
        finally:
            leaving.cancel()
    return Streamed(_events(asking, stream, server, surface), 200, _HEADERS, KIND)


def _end(stream: Stream, server: ServerContext) -> None:
    server.metrics.running.dec()
    stream.close()


def _check_began(stream: Stream, first: Mapping[str, Any] | None) -> None:
    if first is None and isinstance(error := stream.result.error, LimitReached):
        raise of_error(error)


async def _left(request: Request, stream: Stream) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stream.close()


async def _events(
    asking: asyncio.Task[Mapping[str, Any] | None],
    stream: Stream,
    server: ServerContext,
    surface: str,
) -> AsyncGenerator[bytes]:
    try:
        while True:
            while not asking.done():
                yield _COMMENT
                await asyncio.wait((asking,), timeout=_SILENCE)
            event = asking.result()
            if event is None:
                break
            yield _message("event", dumps(event))
            asking = asyncio.ensure_future(_next(stream))
            await asyncio.wait((asking,), timeout=_SILENCE)
        result = stream.result
        server.metrics.note(result)
        yield _message("result", dumps(result.to_json(surface)))
    finally:
        _end(stream, server)
        asking.cancel()


async def _next(stream: Stream) -> Mapping[str, Any] | None:
    return await anext(stream, None)


def _message(name: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), data)
