"""A workspace's journal, and the parts of the database that opening a connection needs: shared
leases, grants, foreign External IDs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.kernel.fork import ProcessLocal
from jackfield_store.database.setting_rows import POLICY, is_judged, store_setting

if TYPE_CHECKING:
    from jackfield.connector import Grants
    from jackfield.kernel.clock import Clock
    from jackfield_store.connections.shared_leases import SharedLeases
    from jackfield_store.database import Transaction
    from jackfield_store.journal.journal import Journal
    from jackfield_store.resources.process_settings import SettingsStorage
    from jackfield_store.resources.storage import Storage


class Opening(ProcessLocal):
    """Journal, leases, grants and External IDs of one workspace.

    ``check`` raises to refuse opening the journal.
    """

    def __init__(
        self,
        storage: Storage,
        workspace: str,
        clock: Clock,
        check: Callable[[], object] = lambda: None,
        **about: Any,
    ) -> None:
        self._storage = storage
        self._workspace = workspace
        self._clock = clock
        self._check = check
        self._about: dict[str, Any] = about
        """Options of the journal."""
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Open the journal anew: after a fork, it belongs to the parent."""
        self.current: Journal | None = None
        """The journal, once it is open."""
        self._lock = threading.Lock()

    def journal(self) -> Journal | None:
        """Return the journal, opened on first use; None without a database.

        :raises Unavailable: if the database cannot be opened.
        :raises UnknownWorkspace: if it has no such workspace.
        """
        return self.opened() if self.current is None and self._storage.enabled else self.current

    def opened(self) -> Journal:
        """Return the journal; the first use opens it, recovers calls of lost processes, and begins
        to watch for more.

        :raises Unavailable: if the database cannot be opened.
        :raises UnknownWorkspace: if it has no such workspace.
        """
        if self.current is None:
            self._check()
            # before the lock: each caller waits for the database for as long as it has patience
            _ = self._storage.vault
            with self._lock:
                if self.current is None:
                    self._check()
                    self._storage.require(self._workspace)
                    self.current = self.watched(recovers=True)
        return self.current

    def watched(self, *, recovers: bool = False) -> Journal:
        """Return a journal that watches for calls of lost processes in all workspaces. With
        ``recovers``, it recovers its own workspace first.
        """
        from jackfield_store.journal.journal import Journal

        journal = Journal(
            self._storage.database, self._storage.vault, self._workspace, self._clock, **self._about
        )
        if recovers:
            journal.recover()
        shared = self._storage.shared
        shared.note_policy = partial(_note_policy, self._clock)
        if POLICY in shared.own:
            shared.note_policy(self._storage, shared.own[POLICY])
        journal.also = partial(_look_due, self._storage, self._clock)
        journal.watch(partial(_tell_return, self._storage, self._clock), shared)
        return journal

    def leases(self, name: str, kind: str, values: Mapping[str, Any]) -> SharedLeases | None:
        """Return the leases that processes share for one version of a connection's values; None
        without a database.
        """
        journal = self.journal()
        if journal is None:
            return None
        from jackfield_store.connections.shared_leases import SharedLeases

        version = journal.fingerprint({"name": name, "type": kind, "values": values})
        return SharedLeases(
            self._storage.database, self._storage.vault, self._workspace, version, self._clock
        )

    def grants(self, identifier: str, name: str) -> Grants | None:
        """Return the grant of a stored connection; None without a database."""
        if not self._storage.enabled:
            return None
        from jackfield_store.connections.grants import GrantTable

        return GrantTable(
            self._storage.database, lambda: self._storage.vault, self._workspace, self._clock
        ).of(identifier, name)

    def refuse_foreign(self, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Refuse values that contain the External ID of another workspace."""
        if self._storage.enabled:
            from jackfield_store.connections.external_ids import refuse_foreign_ids

            refuse_foreign_ids(
                self._storage.database, lambda: self._storage.vault, self._workspace, schema, values
            )


def _look_due(storage: Storage, clock: Clock) -> None:
    """Start the due looks at doubts of the program's functions."""
    if storage.look_due is not None:
        storage.look_due(storage, clock)


def _tell_return(
    storage: Storage, clock: Clock, transaction: Transaction, details: Mapping[str, Any]
) -> None:
    """Record in the operator's audit log that the database was restored."""
    _tell(storage, clock, transaction, "database.wentBack", "database", details)


def _note_policy(clock: Clock, storage: SettingsStorage, digest: str) -> None:
    """Store that a policy judges the calls of this database, unless that is known."""
    database = storage.database
    with database.read(flush=False) as transaction:
        if is_judged(transaction):
            return
    storage.vault.prepare("default")
    with database.write() as transaction:
        if not is_judged(transaction):
            store_setting(transaction, storage.vault, POLICY, digest, clock.time())
            _tell(
                storage,
                clock,
                transaction,
                "setting.changed",
                f"setting:{POLICY}",
                {"before": None, "after": digest},
            )


def _tell(
    storage: SettingsStorage,
    clock: Clock,
    transaction: Transaction,
    event: str,
    target: str,
    details: Mapping[str, Any],
) -> None:
    from jackfield_store.access import DEFAULT, Audit

    Audit(storage.database, lambda: storage.vault, DEFAULT, clock).append(
        transaction, event, target, details
    )
