"""Composition of a runtime over a database: the stored side of one workspace, which the framework
leaves to this package.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jackfield.catalog.loading import part
from jackfield.gates.unrecorded import ordered as without_database
from jackfield_store.access import WorkspaceAccess
from jackfield_store.database.setting_rows import LIVE_PREFIX
from jackfield_store.files.store import FileLimits, Files
from jackfield_store.gates.order import ordered
from jackfield_store.host_rows import HostRows
from jackfield_store.management.managed import WorkspaceManagement
from jackfield_store.recording.recorder import Recorder
from jackfield_store.resources.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from jackfield.call.gate import Gate
    from jackfield.call.pipe import Pipe, Recording
    from jackfield.call.tally import Dependencies
    from jackfield.callers import Caller
    from jackfield.callers.actor import Actor
    from jackfield.catalog.live import StoredManifests
    from jackfield.gates.policies import Policies
    from jackfield.kernel.clock import Clock
    from jackfield.manifest.manifest import Manifest
    from jackfield.pacing.pace import Paces
    from jackfield.pacing.state import PaceRow
    from jackfield_store.connections.connection_table import ConnectionTable
    from jackfield_store.recording.decisions import WaitingCalls


class _Manifests:
    """Stored manifests of one workspace. Their table is imported at the first use: most processes
    have none.
    """

    prefix = LIVE_PREFIX

    def __init__(self, storage: Storage, workspace: str, clock: Clock) -> None:
        self._about = storage, workspace, clock
        self._table: StoredManifests | None = None

    def _opened(self) -> StoredManifests:
        found = self._table
        if found is None:
            storage, workspace, clock = self._about
            found = self._table = part("stored-manifests")(
                storage.database, lambda: storage.vault, workspace, clock
            )
        return found

    def keys(self) -> Sequence[str]:
        """Return the keys, sorted."""
        return self._opened().keys()

    def find(self, key: str) -> Manifest | None:
        """Return a manifest; None if the workspace sees no connector with this key."""
        return self._opened().find(key)

    def load(self, key: str, version: str | None = None) -> Any:
        """Return the connector of a manifest."""
        return self._opened().load(key, version)

    def has_loaded(self, key: str, version: str | None = None) -> bool:
        """Return whether ``load`` needs neither the database nor an import."""
        return self._table is not None and self._table.has_loaded(key, version)


class DatabaseStore(HostRows):
    """Store of one workspace in a database: of ``storage``, else of ``url`` or the environment.

    None of its parts refers back to the store or to a runtime: each is freed with its last
    reference.
    """

    def __init__(
        self,
        workspace: str,
        url: str | None,
        environment: Mapping[str, str],
        clock: Clock,
        check: Callable[[], object],
        storage: Storage | None,
    ) -> None:
        self.storage = Storage(url, environment, clock) if storage is None else storage
        super().__init__(self.storage, workspace, clock, check)

    @property
    def connection_table(self) -> Callable[[], ConnectionTable] | None:
        """Function that opens the table of the stored connections; None without a database."""
        return (
            partial(self.storage.connection_table, self._workspace)
            if self.storage.enabled
            else None
        )

    @property
    def manifests(self) -> StoredManifests | None:
        """Manifests of servers that the workspace has stored; None without a database."""
        return (
            _Manifests(self.storage, self._workspace, self._clock) if self.storage.enabled else None
        )

    def files(self) -> Files:
        """Return the stored files."""
        return Files(self.storage, FileLimits(), self._clock)

    def access(self, names: Callable[[], Iterable[tuple[str, str]]]) -> WorkspaceAccess:
        """Return settings and access decisions of the workspace. Its settings determine the
        journal's retention.
        """
        found = WorkspaceAccess(self.storage, self._workspace, self._clock, names)
        self._about = {"retention": lambda: found.settings.retention}
        return found

    def recording(
        self, dependencies: Dependencies, paces: Paces, judge: Callable[..., Any] | None
    ) -> Recording:
        """Return the recording of calls, and share the paces among all processes. ``judge`` submits
        a recorded output to the policies again.
        """
        if not self.storage.enabled:
            from jackfield.call.unstored import Unrecorded

            return Unrecorded()
        self._about = {**self._about, "judge": judge}
        paces.shared = self._shared_row
        return Recorder(self.opened, dependencies)

    def gates(self, policies: Policies) -> Sequence[Gate]:
        """Return the features that take part in calls, in order."""
        return (
            ordered(policies, rides=self.storage.url.startswith("sqlite"))
            if self.storage.enabled
            else without_database(policies)
        )

    def _shared_row(
        self, key: tuple[str, str, str], about: Callable[[], Mapping[str, str]]
    ) -> PaceRow:
        # most connections have no account to share
        from jackfield_store.shared_paces import shared_row

        return shared_row(self._workspace, lambda: self.storage.database, self._clock, key, about)

    def approvals(self, pipeline: Pipe, caller: Caller, actor: Actor | None) -> WaitingCalls:
        """Return the calls that wait for an approval, limited to a caller's view."""
        from jackfield_store.recording.decisions import WaitingCalls

        self.opened()
        return WaitingCalls(self.storage, pipeline, caller, actor)

    def management(self, pipeline: Pipe) -> WorkspaceManagement:
        """Return the management of the workspace."""
        return WorkspaceManagement(self.storage, pipeline)
