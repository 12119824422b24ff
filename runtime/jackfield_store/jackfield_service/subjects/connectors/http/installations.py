"""``/v1/installations``: connectors that were or can be installed from catalogues."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.subjects.connectors.operations import (
    changed,
    exactly,
    find_installer,
    key_of,
)


async def listed(_request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/installations``: one row per installed version."""
    return await _rows(server, find_installer(server, identity).installed)


async def available(_request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/installations:available``: the connectors of the catalogues."""
    return await _rows(server, find_installer(server, identity).available)


async def outdated(_request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/installations:outdated``: installed connectors with a newer release or a
    revoked key.
    """
    return await _rows(server, find_installer(server, identity).outdated)


async def installed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/installations``: verify and install a connector."""
    body = await members_of(request, "NewInstallation")
    installer = find_installer(server, identity)
    name, source, pin = body["name"], body.get("from"), body.get("pin", False)
    key, change = key_of(name), partial(installer.install, name, source, pin=pin)
    found = await server.slowly(
        lambda: changed(
            server, identity, "connector.installed", key, change, source=source, pin=pin or None
        )
    )
    return answer(found, 201 if found["changed"] else 200)


async def upgraded(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/installations/{key}/upgrade``: install the newest release unless it breaks
    callers; ``dryRun`` only compares.
    """
    body = await members_of(request, "UpgradeOptions")
    installer = find_installer(server, identity)
    breaking, dry_run = body.get("allowBreaking", False), body.get("dryRun", False)
    key = exactly(request.path_params["key"])

    def step() -> dict[str, Any]:
        if dry_run:
            return installer.upgrade(key, breaking=breaking, dry_run=True)
        change = partial(installer.upgrade, key, breaking=breaking, dry_run=False)
        return changed(
            server, identity, "connector.upgraded", key, change, allowBreaking=breaking or None
        )

    return answer(await server.slowly(step))


async def removed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``DELETE /v1/installations/{key}``: remove all versions of a connector, or only
    ``?version=``.
    """
    installer, key, version = (
        find_installer(server, identity),
        request.path_params["key"],
        request.query_params.get("version"),
    )
    name = exactly(key, version)
    rows = await server.slowly(
        lambda: changed(
            server,
            identity,
            "connector.removed",
            key,
            lambda: installer.uninstall(name),
            version=version,
        )
    )
    return answer({"removed": rows})


async def _rows(server: ServerContext, step: Callable[[], list[dict[str, Any]]]) -> Response:
    return answer({"items": await server.slowly(step), "nextCursor": None})
