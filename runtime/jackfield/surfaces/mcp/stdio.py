"""MCP over stdin and stdout, for the operator's own client: it runs as long as stdin is open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.access.workspace_access import LIBRARY
from jackfield.catalog.index import ActionIndex
from jackfield.surfaces.mcp.call_context import Visit
from jackfield.surfaces.mcp.instructions import instructions
from jackfield.surfaces.mcp.lines import wired
from jackfield.surfaces.mcp.server import build_server

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.runtime import Jackfield
    from jackfield.surfaces.shared.settings import McpTools

__all__ = ["serve_stdio"]

_LOG = logging.getLogger("jackfield.mcp")


def serve_stdio(panel: Jackfield, tools: McpTools, grace: float) -> None:
    """Serve until stdin ends, or SIGTERM or SIGINT comes. What runs when stdin ends is answered, and what was sent ends, within ``grace``
    seconds."""
    index = ActionIndex(panel.catalog)
    index.start()
    calls = _Calls(panel)
    visit = Visit(panel, LIBRARY, index, calls.run, asyncio.to_thread, tools)
    asyncio.run(_serve(visit, calls, grace))


class _Calls:
    """The invocations that run: each may be cancelled by its client, and all of them by a signal."""

    def __init__(self, panel: Jackfield) -> None:
        self._panel = panel
        self._filled = _filling(panel)
        self._running: set[threading.Event] = set()

    async def run(self, invocation: Mapping[str, Any], _request: str | int | None) -> Result:
        """Run one."""
        given, cancelled = await self._filled(invocation), threading.Event()
        self._running.add(cancelled)
        try:
            return await self._panel.ainvoke(given, cancelled=cancelled, caller=LIBRARY)
        finally:
            self._running.discard(cancelled)

    def leave(self) -> None:
        """Send nothing that was not sent by now."""
        for cancelled in self._running:
            cancelled.set()


def _filling(panel: Jackfield) -> Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]:
    """What puts the files in that an invocation names: those that ``jackfield serve`` keeps in the same home. Without the extra ``server``
    there are none."""
    try:
        from jackfield.surfaces.shared.files import Files
        from jackfield.surfaces.shared.named_files import with_files
        from jackfield.surfaces.shared.settings import Settings
    except ImportError:

        async def as_it_is(invocation: Mapping[str, Any]) -> Mapping[str, Any]:
            return invocation

        return as_it_is
    files = Files(panel.storage, Settings(), panel.clock)

    async def filled(invocation: Mapping[str, Any]) -> Mapping[str, Any]:
        return await with_files(invocation, panel.catalog, files, panel.workspace, asyncio.to_thread)

    return filled


async def _serve(visit: Visit, calls: _Calls, grace: float) -> None:
    server = build_server(lambda _context: visit, instructions(visit))

    async def talk() -> None:
        async with wired(grace) as wire:
            await server.run(wire.read, wire.write, server.create_initialization_options())

    talking = asyncio.ensure_future(talk())
    leaving: list[asyncio.Future[None]] = []

    def leave() -> None:
        calls.leave()
        _LOG.info("told to stop: what was sent may take %g seconds to end", grace)
        if not leaving:
            leaving.append(asyncio.ensure_future(_left(visit.panel, talking, grace)))

    with contextlib.suppress(NotImplementedError):  # Windows has no signals for event loops
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, leave)
    with contextlib.suppress(asyncio.CancelledError):  # by a signal, and stdin has ended since
        await talking
    if leaving:
        await leaving[0]
    if await visit.panel.drained(grace):
        await _exit(visit.panel)


async def _left(panel: Jackfield, talking: asyncio.Future[None], grace: float) -> None:
    """Leave although stdin is open: a thread waits for its next line."""
    talking.cancel()
    await panel.drained(grace)
    await _exit(panel)


async def _exit(panel: Jackfield) -> None:
    """End the process at once: threads that wait for stdin, or for an action that does not end, would keep it."""
    await asyncio.to_thread(panel.storage.close)
    os._exit(0)
