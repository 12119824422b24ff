"""Probes and metrics: ``/healthz``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.errors import JackfieldError
from jackfield_service.shell.http.authentication import identified
from jackfield_service.shell.identity.identity import Identity, bearer
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access import DEFAULT
from jackfield_store.management.conditions import Condition, FoundCondition, answer_of, of_packages

_PATIENCE = 0.3
"""Seconds that a probe waits for the look-up of its token after the examination."""
_STOPPING = FoundCondition("stopping", "the server is stopping")


async def healthy(_request: Request, _server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /healthz``."""
    return answer({"status": "ok"})


async def ready(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /readyz``: check the parts that each call needs. The operator's token gets the
    full text, others get kinds of faults.
    """
    asked = asyncio.ensure_future(_is_operator(request, server))
    try:
        condition = Condition(_STOPPING) if server.stopping else await server.readiness.condition()
        done, _ = await asyncio.wait({asked}, timeout=_PATIENCE)
        operator = asked.result() if done else _was_operator(request, server)
    finally:
        asked.cancel()
    fault = condition.fault
    if fault is not None:
        raise Problem(
            503, fault.shown(full=operator), {"Retry-After": "1"}, **fault.members(full=operator)
        )
    return answer(
        answer_of([*condition.warnings, *of_packages(server.runtimes.warnings())], full=operator)
    )


async def _is_operator(request: Request, server: ServerContext) -> bool:
    """Return whether the caller is the operator, by the last known answer if the database does not
    answer.
    """
    if not bearer(request):
        return False
    try:
        return (await identified(request, server, server.identities)).is_operator
    except Problem as refusal:
        return refusal.status >= 500 and _was_operator(request, server)
    except JackfieldError:
        return _was_operator(request, server)


def _was_operator(request: Request, server: ServerContext) -> bool:
    known = server.identities.outlasting(bearer(request))
    return known is not None and known.is_operator


async def metrics(_request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /metrics``. The figures cover all workspaces and actions, so it requires a token
    of the operator's workspace without rules.
    """
    if identity.workspace != DEFAULT or identity.rules:
        raise Problem(
            403,
            f"this needs a token of the workspace '{DEFAULT}' without rules",
            code="not_allowed",
        )
    if server.storage.enabled:
        await asyncio.to_thread(
            lambda: server.metrics.note_queue(server.storage.database, server.clock)
        )
    server.metrics.note_leases(server.runtimes.mints())
    server.metrics.overdue.set(server.runtimes.overdue())
    isolated = server.runtimes.isolated
    server.metrics.note_isolation(len(isolated.processes()), isolated.ends())
    return Response(
        await asyncio.to_thread(server.metrics.text),
        media_type="text/plain; version=0.0.4; charset=utf-8",
    )
