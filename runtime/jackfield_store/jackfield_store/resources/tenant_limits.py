"""Limits of workspaces in one process (``access.settings.LIMITS``), checked at the begin of a call,
a queued invocation, a connection, a file.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import ref

from jackfield.kernel.fork import ProcessLocal

if TYPE_CHECKING:
    from jackfield.kernel.clock import Clock
    from jackfield_store.access.ports import SealedStorage

_NONE: Mapping[str, float] = {}


class TenantLimits(ProcessLocal):
    """Limits of all workspaces, and the running calls of this process in workspaces with the limit
    ``concurrent``. Thread-safe.

    The settings are read with the database's epoch, so a check costs no statement while nothing
    changes.
    """

    def __init__(self, storage: SealedStorage, clock: Clock) -> None:
        # whose part it is, and which it must not keep alive
        self._storage, self._clock = ref(storage), clock
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Begin with a count of zero, also in a forked child: running calls belong to the
        parent.
        """
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def of(self, workspace: str) -> Mapping[str, float]:
        """Return the limits of a workspace by name; a missing one means no limit.

        :raises Unavailable: if its settings cannot be read.
        """
        storage = self._storage()
        if storage is None or not storage.enabled:
            return _NONE
        from jackfield_store.access.workspaces import UnknownWorkspace, Workspaces

        try:
            return (
                Workspaces(storage.database, storage.vault, self._clock).settings(workspace).limits
            )
        except UnknownWorkspace:
            return _NONE

    def most(self, workspace: str, limit: str) -> float | None:
        """Return one limit of a workspace; None if the workspace has no such limit."""
        return self.of(workspace).get(limit)

    def begins(self, workspace: str, most: float) -> bool:
        """Count a call that begins; return False if ``most`` run already."""
        with self._lock:
            if self._running[workspace] >= most:
                return False
            self._running[workspace] += 1
        return True

    def ends(self, workspace: str) -> None:
        """Count a begun call as ended."""
        with self._lock:
            self._running[workspace] -= 1
            if not self._running[workspace]:
                del self._running[workspace]

    def free(self, workspace: str, busy: int, most: int) -> int:
        """Return how many queued calls may be taken for a workspace that runs ``busy`` calls: up to
        ``most`` in all, within its limit ``concurrent``.
        """
        limit = self.most(workspace, "concurrent")
        own = most - busy
        return own if limit is None else min(own, int(limit) - max(busy, self._running[workspace]))
