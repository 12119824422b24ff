"""The runtimes of all workspaces in one process, on one database."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from jackfield.catalog import Catalog, entry_points
from jackfield.clock import Clock, SystemClock
from jackfield.connector.guard import Guard
from jackfield.pipe.executor import Jackfield
from jackfield.pipe.storage import Storage

__all__ = ["Panels"]

_KEPT = 500
"""Workspaces whose open connections one process keeps."""


class Panels:
    """Gives the runtime of a workspace, made on first use; all share the catalog and the database. ``guard`` judges the hosts that
    connections which were made over HTTP or MCP name; ``plugins`` are those besides the installed ones."""

    def __init__(
        self,
        environment: Mapping[str, str],
        clock: Clock | None = None,
        url: str | None = None,
        guard: Guard | None = None,
        plugins: Iterable[object] = (),
    ) -> None:
        self.environment = environment
        self.guard = guard
        self.clock: Clock = clock or SystemClock()
        self.storage = Storage(url, environment, self.clock)
        groups = entry_points()
        self.catalog = Catalog.installed(groups)
        self._points = groups.get("jackfield.plugins", ())
        self._plugins = tuple(plugins)
        self._panels: OrderedDict[str, Jackfield] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, workspace: str) -> Jackfield:
        """The runtime of one workspace. Connections from files belong to the workspace ``default``."""
        found = self._panels.get(workspace)
        if found is not None:
            return found
        with self._lock:
            found = self._panels.get(workspace)
            if found is None:
                files = None if workspace == "default" else ()
                found = self._panels[workspace] = Jackfield(
                    workspace, files, catalog=self.catalog, environment=self.environment, storage=self.storage, clock=self.clock,
                    guard=self.guard, points=self._points, plugins=self._plugins,
                )  # fmt: skip
                if len(self._panels) > _KEPT:
                    self._panels.popitem(last=False)
        return found

    def known(self, workspace: str) -> Jackfield | None:
        """The runtime of a workspace that was used before."""
        return self._panels.get(workspace)

    async def drained(self, within: float) -> None:
        """Let what runs in this event loop end, at most ``within`` seconds; of the rest the journals then tell what is known."""
        await asyncio.gather(*(panel.drained(within) for panel in list(self._panels.values())))

    def close(self) -> None:
        """Let what runs end, and close the database."""
        for panel in list(self._panels.values()):
            panel.close()
        self.storage.close()
