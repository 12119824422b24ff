"""A response over HTTP that takes long: a stream of events with the progress, which ends with the answer. A quick one is one document."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from jackfield.surfaces.shared.disconnect import cancelling

if TYPE_CHECKING:
    from jackfield.surfaces.mcp.stateless_http import Answer
    from jackfield.surfaces.mcp.tool_call import Send

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Header fields by which proxies pass events on as they come."""


async def with_progress(request: Request, cancelled: threading.Event, begin: Callable[[Send], Awaitable[Answer]]) -> Response:
    """Return the answer that ``begin`` finds, or a stream that ends with it, if something is sent before. ``cancelled`` is set when the
    client disconnects."""
    messages: asyncio.Queue[bytes | None] = asyncio.Queue()
    with ExitStack() as watching:
        watching.enter_context(cancelling(request, cancelled))
        answering = asyncio.ensure_future(begin(messages.put_nowait))
        answering.add_done_callback(lambda _ended: messages.put_nowait(None))
        first = await messages.get()
        if first is not None:
            return StreamingResponse(_events(first, messages, answering, watching.pop_all()), 200, _HEADERS, "text/event-stream")
    found = await answering
    return Response(found.body, found.status, dict(found.headers))


async def _events(
    first: bytes, messages: asyncio.Queue[bytes | None], answering: asyncio.Future[Answer], watching: ExitStack
) -> AsyncIterator[bytes]:
    message: bytes | None = first
    with watching:
        while message is not None:
            yield _event(message)
            message = await messages.get()
        yield _event((await answering).body)


def _event(message: bytes) -> bytes:
    return b"event: message\ndata: %s\n\n" % message
