"""Part of a journal that watches the processes of its database: this one's lease, those of others, and whether the database went back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.fork import ProcessLocal, without_fork
from jackfield_store.journal.instance import Instance, Sharing
from jackfield_store.journal.upkeep import Upkeep
from jackfield_store.journal.went_back import note_return

if TYPE_CHECKING:
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database, Transaction
    from jackfield_store.journal.recovery import Recovery
    from jackfield_store.journal.went_back import Tell
    from jackfield_store.keys.vault import Vault


class Watched(ProcessLocal):
    """Base of ``Journal``."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self.database = database
        self._vault = vault
        self._clock = clock
        self._recovery: Recovery | None = None
        self._upkeep: Upkeep | None = None
        self._found: Instance | None = None
        self._watches = False
        self._tell: Tell | None = None

    @property
    def vault(self) -> Vault:
        """Vault that seals its entries."""
        return self._vault

    @property
    def owner(self) -> str:
        """Id of this process in entries; its lease is renewed from the first use on."""
        if not self._watches:
            self.watch(self._tell)
        return (self._found or self._instance).owner

    @property
    def _instance(self) -> Instance:
        """This process's instance."""
        found = self._found
        if found is None:
            found = self._found = Instance.of(self.database)
        return found

    def _leave_to_parent(self) -> None:
        self._found, self._watches = None, False

    @property
    def recovery(self) -> Recovery:
        """Recovery that takes over the entries of lost processes."""
        if self._recovery is None:
            with without_fork():  # the thread of the lease imports this, too: a child would wait for its import for good
                from jackfield_store.journal.recovery import Recovery

            self._recovery = Recovery(self.database, self._vault, self._clock)
        return self._recovery

    @property
    def upkeep(self) -> Upkeep:
        """Upkeep of the statistics and of the file."""
        if self._upkeep is None:
            self._upkeep = Upkeep(self.database, self._clock)
        return self._upkeep

    def watch(self, tell: Tell | None = None, settings: Sharing | None = None) -> None:
        """Begin to renew this process's lease, to look for expired ones, and to notice a database that went back; ``tell`` records that.
        ``settings`` are published with the lease."""
        if settings is not None:
            self._instance.share(settings)
        self._watches, self._tell = True, tell
        self._instance.watch(self)

    def look(self) -> None:
        """Take over the entries of lost processes, and keep the statistics and the file in order."""
        try:
            self.recovery.look()  # created only when first needed
        finally:
            self.upkeep.run_if_due()

    def report_late(self, transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        """Report the doubts that late outcomes of any workspace settle, once these are committed."""
        raise NotImplementedError

    def note_return(self, why: str, since: float) -> float:
        """Note that the database went back; return when, by the database's clock."""
        noted = note_return(self.database, why, self.database.highest_epoch, since, self._tell)
        self._vault.reread()
        return noted

    @property
    def tasks(self) -> dict[str, int]:
        """Deliveries, by id, of the invocations that this process has begun, and whose end it has not written."""
        return (self._found or self._instance).tasks
