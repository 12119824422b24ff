"""Dapr's HTTP API mounted on the server, if the server has components."""

from __future__ import annotations

import logging
from threading import Event
from typing import TYPE_CHECKING

from jackfield_dapr.sidecar.reloading import served_api
from jackfield_dapr.sidecar.routes import dapr_route

if TYPE_CHECKING:
    from starlette.routing import Route

    from jackfield_dapr.sidecar.loading import Components
    from jackfield_service.shell.process.server_context import ServerContext

_LOG = logging.getLogger("jackfield.dapr")


class _Stopping(Event):
    """Event that is set once a server is stopping."""

    def __init__(self, server: ServerContext) -> None:
        super().__init__()
        self._server = server

    def is_set(self) -> bool:
        """Return whether the server stops."""
        return self._server.stopping


def dapr_routes(components: Components, server: ServerContext) -> list[Route]:
    """Build the routes under ``/v1.0``. They use Dapr's own token, ``DAPR_API_TOKEN``, and its
    error format.
    """
    environment, settings = server.runtimes.environment, server.settings
    found = components.read(environment)
    runtime = server.runtimes.beside(
        environment.get("JACKFIELD_WORKSPACE") or "default",
        [{"connections": dict(found.connections)}],
    )
    api = served_api(
        components,
        found,
        runtime,
        environment,
        lambda text: _LOG.warning("%s", text),
        origins=settings.origins,
        local=settings.local,
        stopping=_Stopping(server),
    )
    return [dapr_route("/v1.0/{rest:path}", api, server.asking)]
