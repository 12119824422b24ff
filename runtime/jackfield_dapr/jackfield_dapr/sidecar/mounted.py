"""Dapr's HTTP API mounted on the server, if it is given components."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from jackfield.access.workspace_access import Caller
from jackfield.surfaces.shared.body import TooLarge, read_body
from jackfield.surfaces.shared.problem import Problem
from jackfield_dapr.sidecar.api import DaprApi
from jackfield_dapr.sidecar.http_api import MAX_BODY
from jackfield_dapr.sidecar.reloading import Reloading
from jackfield_dapr.sidecar.routes import ReadBody, dapr_route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from jackfield.surfaces.shared.server_context import ServerContext
    from jackfield_dapr.sidecar.bindings import Bindings
    from jackfield_dapr.sidecar.loading import Components

_LOG = logging.getLogger("jackfield.dapr")


def dapr_routes(components: Components, server: ServerContext) -> list[Route]:
    """Build the routes under ``/v1.0``. They use Dapr's own token, ``DAPR_API_TOKEN``, and its error format."""
    api = _api(components, server)
    return [dapr_route("/v1.0/{rest:path}", api, server.slowly, _read(server, api))]


def _api(components: Components, server: ServerContext) -> DaprApi:
    environment = server.runtimes.environment
    found = components.read(environment)
    workspace = environment.get("JACKFIELD_WORKSPACE") or "default"
    runtime = server.runtimes.beside(workspace, [{"connections": dict(found.connections)}])
    token, local = environment.get("DAPR_API_TOKEN") or None, server.settings.loopback and not server.settings.behind_proxy
    api = DaprApi(
        found.by_name,
        partial(runtime.invoke, caller=Caller(remote=True), on_time=True),
        components.app_id,
        token,
        server.settings.origins,
        local,
    )

    def apply(bindings: Bindings) -> None:
        runtime.connections.known.reread([{"connections": dict(bindings.connections)}], catalog=runtime.catalog)
        api.bindings = bindings.by_name

    Reloading(components, environment, found, apply, lambda text: _LOG.warning("%s", text)).start(lambda: server.stopping)
    return api


def _read(server: ServerContext, api: DaprApi) -> ReadBody:
    async def read(request: Request) -> bytes:
        if server.stopping:
            api.stopping.set()
        try:
            return await read_body(request, MAX_BODY)
        except TooLarge as error:
            raise Problem(413, str(error), {"Connection": "close"}) from None

    return read
