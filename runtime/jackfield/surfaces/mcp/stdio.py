"""MCP over stdin and stdout, for the operator's own client: it runs as long as stdin is open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from mcp.server.stdio import stdio_server

from jackfield.catalog.index import ActionIndex
from jackfield.pipe.permit import LIBRARY
from jackfield.surfaces.mcp.server import build_server
from jackfield.surfaces.mcp.visit import Visit

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.pipe.executor import Jackfield
    from jackfield.surfaces.mcp.visit import Tools

__all__ = ["serve_stdio"]


def serve_stdio(panel: Jackfield, tools: Tools, grace: float) -> None:
    """Serve until stdin ends, or SIGTERM or SIGINT comes. What was sent by then has ``grace`` seconds to end."""
    index = ActionIndex(panel.catalog)
    index.start()

    filled = _filling(panel)

    async def run(invocation: Mapping[str, Any], _request: str | int | None) -> Result:
        return await panel.ainvoke(await filled(invocation), caller=LIBRARY)

    visit = Visit(panel, LIBRARY, index, run, asyncio.to_thread, tools)
    asyncio.run(_serve(visit, grace))


def _filling(panel: Jackfield) -> Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]:
    """What puts the files in that an invocation names: those that ``jackfield serve`` keeps in the same home. Without the extra ``server``
    there are none."""
    try:
        from jackfield.surfaces.http.files import Files  # noqa: PLC0415 (another extra)
        from jackfield.surfaces.http.settings import Settings  # noqa: PLC0415 (as above)
        from jackfield.surfaces.http.uploaded import with_files  # noqa: PLC0415 (as above)
    except ImportError:

        async def as_it_is(invocation: Mapping[str, Any]) -> Mapping[str, Any]:
            return invocation

        return as_it_is
    files = Files(panel.storage, Settings(), panel.clock)

    async def filled(invocation: Mapping[str, Any]) -> Mapping[str, Any]:
        return await with_files(invocation, panel.catalog, files, panel.workspace, asyncio.to_thread)

    return filled


async def _serve(visit: Visit, grace: float) -> None:
    server = build_server(lambda _context: visit)

    async def talk() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    talking = asyncio.ensure_future(talk())
    leaving: list[asyncio.Future[None]] = []

    def leave() -> None:
        if not leaving:
            leaving.append(asyncio.ensure_future(_left(visit.panel, talking, grace)))

    with contextlib.suppress(NotImplementedError):  # Windows has no signals for event loops
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, leave)
    try:
        await talking
    finally:
        await visit.panel.drained(grace)


async def _left(panel: Jackfield, talking: asyncio.Future[None], grace: float) -> None:
    """Leave although stdin is open: a thread waits for its next line, and nothing but the process's end stops that."""
    talking.cancel()
    await panel.drained(grace)
    await asyncio.to_thread(panel.close)
    os._exit(0)
