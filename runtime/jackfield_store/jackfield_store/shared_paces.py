"""State of the paces of a workspace in the database, where all processes share it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from jackfield.kernel.errors import Unavailable
from jackfield.pacing.state import MemoryRow, PaceState

if TYPE_CHECKING:
    from jackfield.kernel.clock import Clock
    from jackfield.pacing.state import AccountQuota
    from jackfield_store.database import Database, Transaction
    from jackfield_store.database.shared_clock import SharedClock

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.pace")
_ALONE = 5.0
"""Seconds for which a process paces alone after the database was unavailable."""
_KEPT = 30 * 86_400.0
"""Seconds after which the row of an account that is no longer used is deleted."""
_DRIFT = 1e-4
"""Maximum drift between two clocks, in seconds per second."""

_LOCK = (
    "UPDATE paces SET updated_at = {now} WHERE workspace = :workspace AND pace_key = :key "
    "RETURNING state, {now} AS now"
)
"""Statement that locks the row before it reads the clock: PostgreSQL evaluates RETURNING after it
has waited for other processes.
"""
_INSERT = """
INSERT INTO paces (workspace, pace_key, state, updated_at) VALUES (:workspace, :key, '{{}}', {now}) ON CONFLICT DO NOTHING
"""
_PURGE = "DELETE FROM paces WHERE workspace = :workspace AND updated_at < {now} - :kept"
_STORE = "UPDATE paces SET state = :state WHERE workspace = :workspace AND pace_key = :key"


def pace_key(connector: str, budget: str, scope: str) -> str:
    """Return the key of an account's pace: a hash, so that the table names no account."""
    return hashlib.sha256(f"{connector}\0{budget}\0{scope}".encode()).hexdigest()


def _shared(database: Database, clock: Clock) -> SharedClock:
    from jackfield_store.database.shared_clock import SharedClock  # loaded with the database

    return SharedClock.of(database, clock)


class DatabaseRow:
    """State in the database. While it is unavailable, this process continues alone with the last
    known state.

    The time is the database server's own; on SQLite, the time that its processes agree on.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        workspace: str,
        key: str,
        about: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Set the row's place; ``about`` returns the connector and more about the account for the
        event ``quota.low``.
        """
        self._database = database
        self._clock = clock
        self._key = {"workspace": workspace, "key": key}
        self._about = about
        self._alone: MemoryRow | None = None
        self._alone_until = 0.0
        self._seen = PaceState()
        self.rides = self._local = database.dialect.name == "sqlite"
        """True on SQLite, which has one writer at a time. On PostgreSQL the row of an account would
        be locked until a durable commit.
        """
        self._time = _shared(database, clock)
        self._ahead, self._measured_at = float("-inf"), 0.0

    def change(self, change: Callable[[PaceState, float], T]) -> tuple[T, PaceState, float]:
        """Apply ``change`` in a transaction; return its result, the state and the time."""
        if self._alone is not None and self._clock.monotonic() < self._alone_until:
            return self._alone.change(change)
        try:
            found = self._database.adjust(lambda transaction: self.joined(transaction, change))
        except Unavailable as fault:
            _LOG.warning(
                "calls are paced in this process alone, because the pace of all processes cannot "
                "be read: %s",
                fault.message,
            )
            self._alone = self._alone or MemoryRow(
                self._clock, PaceState.from_json(self._seen.to_json())
            )
            self._alone_until = self._clock.monotonic() + _ALONE
            return self._alone.change(change)
        self._alone, self._seen = None, found[1]
        return found

    def ahead(self, now: float) -> float:
        """Return the difference of the database's clock to this process's monotonic one; for a
        server, the largest recent difference, since answers take time.
        """
        if self._local:
            return self._time.now() - self._clock.monotonic()
        here = self._clock.monotonic()
        self._ahead = max(now - here, self._ahead - (here - self._measured_at) * _DRIFT)
        self._measured_at = here
        return self._ahead

    def joined(
        self, transaction: Transaction, change: Callable[[PaceState, float], T]
    ) -> tuple[T, PaceState, float]:
        """Apply ``change`` in the given transaction; return its result, the state and the time."""
        at = {"now": self._time.now()} if self._local else {}
        now, values = ":now" if self._local else self._database.dialect.now, {**self._key, **at}
        rows = transaction.execute(_LOCK.format(now=now), values)
        if not rows:
            transaction.change(
                _PURGE.format(now=now), {"workspace": self._key["workspace"], "kept": _KEPT, **at}
            )
            transaction.change(_INSERT.format(now=now), values)
            rows = transaction.execute(_LOCK.format(now=now), values)
        state, now_at = PaceState.from_json(rows[0].state), float(rows[0].now)
        value = change(state, now_at)
        if state.quota.falls_low(now_at):
            self._tell(transaction, state.quota, now_at)
        transaction.change(_STORE, {**self._key, "state": state.to_json()})
        return value, state, now_at

    def _tell(self, transaction: Transaction, quota: AccountQuota, now: float) -> None:
        """Record the event that the quota runs low, in the transaction that used it."""
        from jackfield_store.database.outbox import record

        facts: dict[str, object] = {**self._about()}
        if quota.per_day is not None:
            facts |= {"perDay": quota.per_day, "used": quota.used + quota.since}
        record(
            transaction,
            str(self._key["workspace"]),
            "quota.low",
            str(facts.get("connection", facts.get("connector"))),
            now,
            facts,
        )


def shared_row(
    workspace: str,
    database: Callable[[], Database],
    clock: Clock,
    key: tuple[str, str, str],
    about: Callable[[], Mapping[str, str]],
) -> DatabaseRow:
    """Return the row of an account's pace; ``about`` describes the account."""
    return DatabaseRow(database(), clock, workspace, pace_key(*key), about)
