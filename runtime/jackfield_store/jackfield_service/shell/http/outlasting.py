"""Retries while the database restarts, for requests to queue: they need it only briefly, and
callers rely on their 202.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request

from jackfield.kernel.errors import Unavailable
from jackfield_store.database import DatabaseUnfit

T = TypeVar("T")

RESTART = 5.0
"""Seconds that a restart of the database may take before an invocation to queue is refused."""
_PAUSE = 0.25
_ASYNC = re.compile(r"(?:^|,)\s*respond-async\s*(?:[,;]|$)", re.IGNORECASE)


def queues(request: Request) -> bool:
    """Return whether a request asks to be queued (RFC 7240: ``Prefer: respond-async``)."""
    return _ASYNC.search(",".join(request.headers.getlist("prefer"))) is not None


async def patiently(request: Request, step: Callable[[], Awaitable[T]]) -> T:
    """Run a step; outlast a restart of the database if the request is to queue.

    :raises JackfieldError: the step's error.
    """
    return await (outlasting(step) if queues(request) else step())


async def outlasting(step: Callable[[], Awaitable[T]]) -> T:
    """Repeat a step that had no effect because the database was unavailable, for up to ``RESTART``
    seconds.

    :raises JackfieldError: any other error of the step, or its last one if the database stays
        unavailable.
    """
    until = time.monotonic() + RESTART
    while True:
        try:
            return await step()
        except Unavailable as error:
            if isinstance(error, DatabaseUnfit) or not error.repeatable or time.monotonic() > until:
                raise
        await asyncio.sleep(_PAUSE)
