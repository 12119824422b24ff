"""Callers who hang up while they wait: what has not been sent for them is cancelled (contract §4)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["cancelling"]

_PATIENCE = 0.02
"""Seconds after which it is looked at whether the caller is still there: most invocations have ended by then."""


@contextlib.contextmanager
def cancelling(request: Request, cancelled: threading.Event) -> Iterator[None]:
    """Set ``cancelled`` as soon as the caller hangs up, and when this is left: where the server stops, too. The body has been read."""
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
