"""Dapr's HTTP API beside ours, where the server was given components."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jackfield.access.workspace_access import Caller
from jackfield.surfaces.http.body import read_body

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from jackfield.surfaces.dapr import DaprApi
    from jackfield.surfaces.dapr.routes import ReadBody
    from jackfield.surfaces.http.host import Host

__all__ = ["dapr_routes"]


def dapr_routes(host: Host) -> list[Route]:
    """Everything under ``/v1.0``: callers know it by its own token, ``DAPR_API_TOKEN``, and its own errors."""
    api = _api(host)
    if api is None:
        return []
    from jackfield.surfaces.dapr.routes import dapr_route  # noqa: PLC0415 (as above)

    return [dapr_route("/v1.0/{rest:path}", api, host.slowly, _read(host, api))]


def _api(host: Host) -> DaprApi | None:
    components = host.settings.components
    if components is None:
        return None
    from jackfield.surfaces.dapr import DaprApi  # noqa: PLC0415 (few servers have components)

    environment = host.panels.environment
    found = components.read(environment)
    workspace = environment.get("JACKFIELD_WORKSPACE") or "default"
    panel = host.panels.beside(workspace, [{"connections": dict(found.connections)}])
    token, local = environment.get("DAPR_API_TOKEN") or None, host.settings.loopback and not host.settings.behind_proxy
    return DaprApi(found.by_name, partial(panel.invoke, caller=Caller(remote=True)), components.app_id, token, host.settings.origins, local)


def _read(host: Host, api: DaprApi) -> ReadBody:
    from jackfield.surfaces.dapr.http_api import MAX_BODY  # noqa: PLC0415 (as above)
    from jackfield.surfaces.http.body import TooLarge  # noqa: PLC0415 (as above)
    from jackfield.surfaces.http.problem import Problem  # noqa: PLC0415 (as above)

    async def read(request: Request) -> bytes:
        if host.stopping:
            api.stopping.set()
        try:
            return await read_body(request, MAX_BODY)
        except TooLarge as error:
            raise Problem(413, str(error), {"Connection": "close"}) from None

    return read
