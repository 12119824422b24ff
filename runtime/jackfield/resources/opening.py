"""The parts of the database that opening a connection needs: shared leases, grants, and External IDs of other workspaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield.clock import Clock
    from jackfield.connections.shared_leases import SharedLeases
    from jackfield.connector import Grants
    from jackfield.database import Transaction
    from jackfield.journal import Journal
    from jackfield.resources.storage import Storage


class Opening:
    """Leases, grants and External IDs of one workspace. ``journal`` returns its journal, None without a database."""

    def __init__(self, storage: Storage, workspace: str, clock: Clock, journal: Callable[[], Journal | None]) -> None:
        self._storage = storage
        self._workspace = workspace
        self._clock = clock
        self._opened = journal

    def open_journal(self, retention: Callable[[], float]) -> Journal:
        """Open the journal, recover what lost processes have left, and begin to watch for more.

        :raises Unavailable: if the database cannot be opened.
        :raises UnknownWorkspace: if it has no such workspace.
        """
        self._storage.require(self._workspace)
        journal = self._made(retention=retention)
        journal.recover()
        journal.watch(self._told_return)
        return journal

    def watch(self) -> None:
        """Watch for what other processes leave in all workspaces, without opening a journal."""
        self._made().watch(self._told_return)

    def _made(self, **more: Any) -> Journal:
        from jackfield.journal import Journal

        return Journal(self._storage.database, self._storage.vault, self._workspace, self._clock, **more)

    def _told_return(self, transaction: Transaction, details: Mapping[str, Any]) -> None:
        """Record in the operator's audit log that the database went back."""
        from jackfield.access import DEFAULT, Audit

        Audit(self._storage.database, lambda: self._storage.vault, DEFAULT, self._clock).append(
            transaction, "database.wentBack", "database", details
        )

    def leases(self, name: str, kind: str, values: Mapping[str, Any]) -> SharedLeases | None:
        """Return the leases that processes share for one version of a connection's values; None without a database."""
        journal = self._opened()
        if journal is None:
            return None
        from jackfield.connections.shared_leases import SharedLeases

        version = journal.fingerprint({"name": name, "type": kind, "values": values})
        return SharedLeases(self._storage.database, self._storage.vault, self._workspace, version, self._clock)

    def grants(self, identifier: str, name: str) -> Grants | None:
        """Return the grant of a stored connection; None without a database."""
        if not self._storage.enabled:
            return None
        from jackfield.connections.grants import GrantTable

        return GrantTable(self._storage.database, lambda: self._storage.vault, self._workspace, self._clock).of(identifier, name)

    def refuse_foreign(self, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Refuse values that contain the External ID of another workspace."""
        if self._storage.enabled:
            from jackfield.connections.external_ids import refuse_foreign_ids

            refuse_foreign_ids(self._storage.database, lambda: self._storage.vault, self._workspace, schema, values)
