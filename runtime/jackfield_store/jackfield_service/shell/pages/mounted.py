"""Route under which the console is mounted. Its pages are imported at the first request for one:
130 modules, which a server of programs never needs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from importlib import import_module

from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

from jackfield_service.shell.process.server_context import ServerContext

_APP = "jackfield_service.shell.pages.app"
_ROUTE = "jackfield.page"
"""Member of a scope with the page's route."""


class MountedPages(Route):
    """Route of all pages. It comes after the routes of operations."""

    def __init__(self, server: ServerContext) -> None:
        super().__init__("/{path:path}", _endpoint)
        self._server = server
        self._routes: Sequence[Route] | None = None
        self._lock = threading.Lock()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a path as the pages' routes do. Before they are there, match each path that no
        operation knows.
        """
        if self._routes is None:
            is_known = scope["type"] != "http" or _has_operation(scope, self)
            return (Match.NONE, {}) if is_known else (Match.FULL, {})
        found = [(route, *route.matches(scope)) for route in self._routes]
        for wanted in (Match.FULL, Match.PARTIAL):
            for route, match, more in found:
                if match is wanted:
                    return match, {**more, _ROUTE: route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request by its page."""
        route = scope.pop(_ROUTE, None)
        if route is None:
            routes = await asyncio.to_thread(self._loaded)
            await Router(routes, redirect_slashes=False)(scope, receive, send)
        else:
            scope["route"] = route
            await route.handle(scope, receive, send)

    def _loaded(self) -> Sequence[Route]:
        with self._lock:
            if self._routes is None:
                self._routes = import_module(_APP).routes(self._server)
            return self._routes


def _has_operation(scope: Scope, own: Route) -> bool:
    """Return whether an operation has the path, with another method."""
    for route in scope["app"].routes:
        if route is own:
            return False
        if route.matches(scope)[0] is not Match.NONE:
            return True
    return False


async def _endpoint() -> None:
    """Stand in for the endpoint of a route that delegates to others."""


def routes(server: ServerContext) -> list[Route]:
    """Return the console's route."""
    return [MountedPages(server)]
