"""Pool of the runtimes of all workspaces in one process, on one database."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import jackfield
from jackfield.catalog import Catalog, entry_points
from jackfield.catalog.loading import Isolated
from jackfield.connector.hooks import Plugins
from jackfield.invocation import Result
from jackfield.invocation.claimed import Claimed
from jackfield.kernel.clock import Clock, SystemClock
from jackfield.kernel.dataclass import replace
from jackfield.kernel.exports import late_hints
from jackfield.kernel.fork import ProcessLocal
from jackfield.wire.guard import Guard
from jackfield_store.access.workspaces import DEFAULT, UnknownWorkspace, Workspaces
from jackfield_store.files.store import FileLimits, Files
from jackfield_store.journal.budgets import Limit, QueueLimits
from jackfield_store.journal.instance import Instance
from jackfield_store.journal.recovery import Recovery
from jackfield_store.resources.opening import Opening
from jackfield_store.resources.storage import Storage
from jackfield_store.resources.turns import Turns
from jackfield_store.runtime import Jackfield

if TYPE_CHECKING:
    from jackfield_store.access import Settings
    from jackfield_store.database.blocked import BlockedWorkspaces

_CACHED = 500
"""Maximum number of workspaces whose runtimes, with their open connections, one process caches."""


def _code() -> tuple[int, int, int] | None:
    """Return the identity of jackfield's files, to notice another installation at the same place;
    None if there is no file.
    """
    try:
        found = os.stat(jackfield.__file__)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


_RUNNING = _code()
"""Identity of jackfield's files when this process started."""
_REPLACED = (
    "the files of jackfield were replaced since this process began: restart it, since what "
    "it has not loaded yet may fail"
)


def _limits(settings: Settings) -> QueueLimits | None:
    """Return the budgets that a workspace's settings define; None without budgets."""
    whole = Limit(settings.queue_rate or None, settings.queue_concurrency or None)
    connections = {
        name: Limit(budget.get("rate") or None, int(budget.get("concurrency") or 0) or None)
        for name, budget in settings.connection_budgets.items()
    }
    return QueueLimits(whole, connections) if connections or whole != Limit() else None


class RuntimePool(ProcessLocal):
    """Pool of runtimes, one per workspace, created on first use; all share the catalog and the
    database.

    ``guard`` checks the hosts named by connections that were made over HTTP or MCP; ``plugins`` are
    added to the installed ones.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        clock: Clock | None = None,
        url: str | None = None,
        guard: Guard | None = None,
        plugins: Iterable[object] = (),
        file_limits: FileLimits | None = None,
    ) -> None:
        self.environment = environment
        self.clock: Clock = clock or SystemClock()
        self.storage = Storage(url, environment, self.clock)
        self.outgoing = Guard(shared=self.storage.allowed_hosts)
        """Guard of callbacks made over HTTP: even loopback is refused, since local servers trust
        their clients.
        """
        self.guard = (
            self.outgoing if guard is None else replace(guard, shared=self.storage.allowed_hosts)
        )
        self.files = Files(self.storage, file_limits or FileLimits(), self.clock)
        self.turns = Turns()
        self._groups = entry_points()
        self.isolated = Isolated(environment)
        self.catalog = Catalog.installed(self._groups, environment, self.isolated.load)
        self._given = tuple(plugins)
        self.plugins = self._plugins()
        """Installed plugins, and plugins passed by the program."""
        self._runtimes: OrderedDict[str, Jackfield] = OrderedDict()
        self._beside: list[Jackfield] = []
        self._lock = threading.Lock()

    def add(self, plugins: Iterable[object]) -> None:
        """Add plugins before the first call, such as plugins with a thread, which a fork would not
        copy.
        """
        self._given = (*self._given, *plugins)
        self.plugins = self._plugins()

    def _plugins(self) -> Plugins:
        return Plugins(self._groups.get("jackfield.plugins", ()), self._given)

    def warnings(self) -> list[str]:
        """Return warnings for probes about the installed packages: plugins' warnings, known broken
        packages, and changed packages.
        """
        return [
            *self.plugins.warn(),
            *self.catalog.broken(),
            *([] if _code() == _RUNNING else [_REPLACED]),
        ]

    def broken(self) -> list[str]:
        """Return the parts of installed packages that are known to be broken."""
        return [*self.plugins.broken(), *self.catalog.broken()]

    def find(self, workspace: str) -> Jackfield:
        """Return the runtime of a workspace. Connections from files belong to the workspace
        ``default``.
        """
        found = self._runtimes.get(workspace)
        if found is not None:
            return found
        with self._lock:
            found = self._runtimes.get(workspace)
            if found is None:
                found = self._runtimes[workspace] = self._new_runtime(
                    workspace, None if workspace == "default" else ()
                )
                if len(self._runtimes) > _CACHED:
                    self._runtimes.popitem(last=False)
        return found

    def beside(self, workspace: str, connections: Iterable[Any] | None) -> Jackfield:
        """Create another runtime of a workspace, with its own connections."""
        found = self._new_runtime(workspace, connections)
        self._beside.append(found)
        return found

    def _new_runtime(self, workspace: str, connections: Iterable[Any] | None) -> Jackfield:
        return Jackfield(
            workspace,
            connections,
            catalog=self.catalog,
            environment=self.environment,
            storage=self.storage,
            clock=self.clock,
            guard=self.guard,
            groups=self._groups,
            plugins=self._given,
            files=self.files,
            turns=self.turns,
        )

    def mints(self) -> dict[str, int]:
        """Return the number of credentials that this process has requested from providers, by
        outcome.
        """
        found = {"leased": 0, "failed": 0}
        for runtime in [*self._runtimes.values(), *self._beside]:
            for outcome, count in runtime.open_connections.mints.items():
                found[outcome] += count
        return found

    def overdue(self) -> int:
        """Return the number of actions' calls that still run in this process although their
        deadline has passed.
        """
        return sum(runtime.overdue for runtime in [*self._runtimes.values(), *self._beside])

    def limits(self, workspace: str) -> QueueLimits | None:
        """Return the present budgets of a workspace's queued invocations; None if the workspace has
        no budgets.
        """
        try:
            return _limits(
                Workspaces(self.storage.database, self.storage.vault, self.clock).settings(
                    workspace
                )
            )
        except UnknownWorkspace:
            return None

    @property
    def blocked(self) -> BlockedWorkspaces:
        """Workspaces that this process cannot serve at present."""
        return self.storage.blocked

    def watch(self) -> None:
        """Renew this process's lease and recover entries of lost processes, now and every few
        seconds from then on.
        """
        self.find(DEFAULT)  # whose store looks for doubts, too
        # it does so while somebody refers to it
        self._watching = Opening(self.storage, DEFAULT, self.clock).watched()
        Instance.of(self.storage.database).renew()

    def has_lost(self, owner: str) -> bool:
        """Return whether a process has ended or is unknown; False if it may still live."""
        return self._recovery().has_lost(owner)

    def refuse(self, claimed: Claimed, result: Result) -> None:
        """Finish a claimed invocation as failed, because it cannot begin."""
        self._recovery().refuse(claimed.workspace, claimed.id, result)

    def leave(self, claimed: Claimed) -> None:
        """Recover by effect, or requeue, an invocation that was begun here but no longer runs; an
        outstanding outcome may correct the recovery.
        """
        journal = self.find(claimed.workspace).journal
        if journal is None:
            return
        entry = journal.find(claimed.id)
        if (entry.status, entry.owner, entry.delivery) == (
            "running",
            journal.owner,
            claimed.delivery,
        ):
            journal.recovery.recover(claimed.workspace, entry)

    def _recovery(self) -> Recovery:
        return Recovery(self.storage.database, self.storage.vault, self.clock)

    def cancel(self, workspace: str, identifier: str) -> None:
        """Cancel an invocation that runs in this process and has not been sent."""
        for runtime in [*self._runtimes.values(), *self._beside]:
            if runtime.workspace == workspace:
                runtime.cancel_here(identifier)

    def known(self, workspace: str) -> Jackfield | None:
        """Return the cached runtime of a workspace; None if none is cached."""
        return self._runtimes.get(workspace)

    async def drained(self, within: float) -> None:
        """Wait up to ``within`` seconds for the invocations of this event loop, then cancel
        unfinished ones and record their state.
        """
        await asyncio.gather(
            *(runtime.drained(within) for runtime in [*self._runtimes.values(), *self._beside])
        )

    def close(self) -> None:
        """Wait for running invocations, and close the database."""
        for runtime in [*self._runtimes.values(), *self._beside]:
            runtime.close()
        self.isolated.close()
        self.storage.close()


late_hints(__name__)
