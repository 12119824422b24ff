"""Probes and metrics: ``/healthz``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from jackfield.access import DEFAULT
from jackfield.surfaces.shared.identity import Identity
from jackfield.surfaces.shared.json_response import answer
from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.readiness import answer_of
from jackfield.surfaces.shared.server_context import ServerContext


async def healthy(_request: Request, _server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /healthz``."""
    return answer({"status": "ok"})


async def ready(_request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /readyz``: check that the database is writable and its schema up to date."""
    if server.stopping:
        raise Problem(503, "the server is stopping")
    fault = await server.readiness.fault()
    if fault is not None:
        raise Problem(503, fault, {"Retry-After": "1"})
    found = server.readiness
    more = (found.key_warning, found.blocked_warning, found.return_warning, found.hold_warning, found.silence_warning, found.broker_warning)
    return answer(answer_of(found.warning, [*filter(None, more), *server.runtimes.warnings()]))


async def metrics(_request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /metrics``. The figures cover all workspaces and actions, so it requires a token of the operator's workspace without
    rules."""
    if identity.workspace != DEFAULT or identity.rules:
        raise Problem(403, f"this needs a token of the workspace '{DEFAULT}' without rules")
    if server.storage.enabled:
        await asyncio.to_thread(lambda: server.metrics.note_queue(server.storage.database, server.clock))
    server.metrics.note_leases(server.runtimes.mints())
    server.metrics.overdue.set(server.runtimes.overdue())
    isolated = server.runtimes.isolated
    server.metrics.note_isolation(len(isolated.processes()), isolated.ends())
    return Response(await asyncio.to_thread(server.metrics.text), media_type="text/plain; version=0.0.4; charset=utf-8")
