"""Limits of a workspace over HTTP (``access.settings.LIMITS``): a request beyond one is refused with 429 and the limit's name."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping

from starlette.requests import Request

from jackfield.database import Database
from jackfield.surfaces.shared.problem import Problem
from jackfield.tenants import in_use

Run = Callable[[Callable[[], int]], Awaitable[int]]
"""Runs a step that waits for the database in a thread."""

_ADDS = {"createConnection": "connections", "uploadFile": "storageBytes", "batch": "queued", "invoke": "queued"}
"""Operations that add to what a limit counts."""


class TenantLimits:
    """Limits of all workspaces in one process."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    async def judge(
        self, request: Request, operation: str, workspace: str, limits: Mapping[str, float], run: Run, database: Callable[[], Database]
    ) -> None:
        """Refuse an operation that would add to what has reached its limit.

        :raises Problem: 429 if it would.
        """
        name = _ADDS.get(operation, "")
        if name not in limits or (operation == "invoke" and "respond-async" not in request.headers.get("prefer", "")):
            return
        if await run(lambda: in_use(database(), workspace, name)) >= limits[name]:
            raise reached(name, limits[name])

    @contextlib.contextmanager
    def running(self, operation: str, workspace: str, limits: Mapping[str, float]) -> Iterator[None]:
        """Count a call while it is served.

        :raises Problem: 429 if too many run already.
        """
        if operation != "invoke" or "concurrent" not in limits:
            yield
            return
        if self._running[workspace] >= limits["concurrent"]:
            raise reached("concurrent", limits["concurrent"])
        self._running[workspace] += 1
        try:
            yield
        finally:
            self._running[workspace] -= 1


def reached(name: str, limit: float) -> Problem:
    """Return the refusal of a request beyond a limit."""
    text = f"the workspace's limit '{name}' of {limit:,.0f} is reached"
    return Problem(429, text, {"Retry-After": "1"}, code="rate_limited", limit=name)
