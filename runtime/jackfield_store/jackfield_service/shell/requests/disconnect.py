"""Disconnection of waiting callers: requests to providers that have not been sent are cancelled
(docs/concepts.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from starlette.requests import Request

_PATIENCE = 0.1
"""Seconds before watching for a disconnect starts: most invocations have ended by then."""


@contextlib.contextmanager
def cancelling(request: Request, cancelled: threading.Event) -> Iterator[None]:
    """Set ``cancelled`` when the caller disconnects, and at the end of the block, as when the
    server stops. The body must have been read.
    """
    watching: list[asyncio.Future[None]] = []

    def watch() -> None:
        watching.append(asyncio.ensure_future(_left(request, cancelled)))

    patience = asyncio.get_running_loop().call_later(_PATIENCE, watch)
    try:
        yield
    finally:
        patience.cancel()
        cancelled.set()
        for watcher in watching:
            watcher.cancel()


async def _left(request: Request, cancelled: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    cancelled.set()
