"""Handler that runs an action's form and renders the Result."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from jackfield.errors import JackfieldError
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.surfaces.console.action import found_action, read_invocation
from jackfield.surfaces.console.results import result_shown
from jackfield.surfaces.console.shell import fragment
from jackfield.surfaces.shared.body import take_room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from jackfield.manifest import ActionManifest
    from jackfield.surfaces.console.page_request import PageRequest

__all__ = ["run"]


async def run(visit: PageRequest) -> Response:
    """``POST /connectors/{key}/actions/{action}/run``; ``mode`` is ``run`` or ``dry``."""
    visit.require("invoke")
    manifest, action = found_action(visit)
    invocation = read_invocation(visit, manifest, action)
    if visit.form.get("mode") == "dry":
        invocation["dryRun"] = True
    result = await _result(visit, invocation, action)
    visit.server.metrics.note(result)
    return fragment(result_shown(result.to_json("console"), action))


async def _result(visit: PageRequest, invocation: dict[str, Any], action: ActionManifest) -> Result:
    given = invocation.get("inputs", {})
    try:
        inputs = await asyncio.to_thread(
            visit.server.files.filled, visit.identity.workspace, given, action.inputs, lambda size: take_room(visit.request, size, size)
        )
    except JackfieldError as error:
        meta = Meta(new_invocation_id(), connector=invocation["connector"], action=invocation["action"])
        return Result("failed", meta, error=error)
    return await _run(visit, {**invocation, "inputs": inputs})


async def _run(visit: PageRequest, invocation: Mapping[str, Any]) -> Result:
    """Run the invocation. If the client disconnects before anything was sent, cancel it; after that it runs to its end."""
    cancelled = threading.Event()
    task = asyncio.ensure_future(visit.runtime.ainvoke(invocation, cancelled=cancelled, caller=visit.identity.caller))
    gone = asyncio.ensure_future(_left(visit.request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            cancelled.set()
        return await task
    finally:
        gone.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
