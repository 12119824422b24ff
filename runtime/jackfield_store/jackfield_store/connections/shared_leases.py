"""Leases shared by all processes that use one database: concurrent processes share one mint, and a
dead holder blocks them only briefly.
"""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.connector.context import Minted
from jackfield.kernel.clock import Clock, Deadline
from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.failures import OnFailure

if TYPE_CHECKING:
    from jackfield_store.database import Database, Row, Transaction
    from jackfield_store.keys.vault import Vault

T = TypeVar("T")

HELD = 15.0
"""Seconds for which a process may hold the right to mint; then another process may take it."""
_FIRST_POLL = 0.01
_LONGEST_POLL = 0.2
_LOG = logging.getLogger("jackfield.leases")

_SELECT = """
SELECT sealed, expires_at, renew_at FROM leases
WHERE workspace = :workspace AND connection_key = :connection AND lease_key = :lease
"""
_INSERT = """
INSERT INTO leases (workspace, connection_key, lease_key, generation) VALUES (:workspace, :connection, :lease, 0)
ON CONFLICT DO NOTHING
"""
_TAKE = """
UPDATE leases SET holder = :holder, held_until = :until
WHERE workspace = :workspace AND connection_key = :connection AND lease_key = :lease
    AND (holder IS NULL OR held_until < :now) AND (renew_at IS NULL OR renew_at <= :now)
"""
_KEEP = """
UPDATE leases SET sealed = :sealed, expires_at = :expires_at, renew_at = :renew_at, generation = generation + 1, holder = NULL,
    held_until = NULL
WHERE workspace = :workspace AND connection_key = :connection AND lease_key = :lease AND holder = :holder
"""
_RELEASE = """
UPDATE leases SET holder = NULL, held_until = NULL
WHERE workspace = :workspace AND connection_key = :connection AND lease_key = :lease AND holder = :holder
"""
_DROP = """
UPDATE leases SET sealed = NULL, expires_at = NULL, renew_at = NULL
WHERE workspace = :workspace AND connection_key = :connection AND lease_key = :lease
    AND COALESCE(expires_at, -1) = :expires_at
"""
_EXPIRED = """
DELETE FROM leases
WHERE workspace = :workspace AND lease_key <> :lease AND (held_until IS NULL OR held_until < :now)
    AND (sealed IS NULL OR expires_at < :now)
"""
_COUNT = (
    "SELECT COUNT(*) AS found FROM leases WHERE workspace = :workspace AND connection_key = "
    ":connection"
)
_OLDEST = """
DELETE FROM leases
WHERE workspace = :workspace AND connection_key = :connection AND lease_key IN (
    SELECT lease_key FROM leases
    WHERE workspace = :workspace AND connection_key = :connection AND lease_key <> :lease AND (held_until IS NULL OR held_until < :now)
    ORDER BY COALESCE(renew_at, 0), lease_key LIMIT {excess}
)
"""
_MOST = 500
"""Maximum number of rows of one connection: enough for an AWS connection whose sessions are
narrowed to each service.
"""


class SharedLeases:
    """Leases of one connection version of one workspace, sealed in the database."""

    def __init__(
        self, database: Database, vault: Vault, workspace: str, connection: str, clock: Clock
    ) -> None:
        self._database = database
        self._vault = vault
        self._key = {"workspace": workspace, "connection": connection}
        self._clock = clock

    def lease(
        self,
        key: str,
        mint: Callable[[], Minted],
        renew_at: Callable[[Minted], float],
        deadline: Deadline,
    ) -> Minted:
        """Return the credential under ``key``, which all processes share; when it is due for
        renewal, exactly one process mints a new one.

        If the database is unavailable, the credential is minted for this process alone.

        :raises TimedOut: if the deadline passes while another process mints.
        """
        try:
            return self._lease(key, mint, renew_at, deadline)
        except _NotShared as fault:
            _LOG.warning("a lease is not shared with other processes: %s", fault)
            return mint()

    def drop(self, key: str, used: Minted) -> None:
        """Drop ``used``, which the provider calls expired, but not a lease that replaced it."""
        values = {
            **self._key,
            "lease": key,
            "expires_at": -1 if used.expires_at is None else used.expires_at,
        }
        with contextlib.suppress(_NotShared):
            _guarded(
                lambda: self._database.record(lambda transaction: transaction.change(_DROP, values))
            )

    def _lease(
        self,
        key: str,
        mint: Callable[[], Minted],
        renew_at: Callable[[Minted], float],
        deadline: Deadline,
    ) -> Minted:
        pause = _FIRST_POLL
        while True:
            row = _guarded(lambda: self._lease_row(key))
            now = self._clock.time()
            if row is not None and row.sealed is not None and now < (row.renew_at or now):
                return self._unseal_lease(key, row)
            holder = _guarded(lambda: self._take(key))
            if holder is not None:
                return self._minted(key, holder, mint, renew_at)
            if row is not None and row.sealed is not None and now < (row.expires_at or now):
                return self._unseal_lease(key, row)
            if deadline.remaining() <= pause:
                raise deadline.passed(
                    Sent.NOTHING, Unavailable("another process was still requesting the credential")
                )
            self._clock.sleep(pause)
            pause = min(_LONGEST_POLL, pause * 2)

    def _minted(
        self, key: str, holder: str, mint: Callable[[], Minted], renew_at: Callable[[Minted], float]
    ) -> Minted:
        mine = {**self._key, "lease": key, "holder": holder}
        with OnFailure(self._release, mine):
            minted = mint()
        text = json.dumps(
            {"value": minted.value, "expiresAt": minted.expires_at, "secrets": minted.secrets}
        )
        sealed = self._vault.seal(
            self._key["workspace"], lease_place(self._key["connection"], key), text.encode()
        )
        values = {
            **mine,
            "sealed": sealed,
            "expires_at": minted.expires_at,
            "renew_at": min(renew_at(minted), 1e12),
        }
        with contextlib.suppress(_NotShared):  # the other processes then mint their own
            _guarded(
                lambda: self._database.record(lambda transaction: transaction.change(_KEEP, values))
            )
        return minted

    def _release(self, mine: Mapping[str, Any]) -> None:
        with contextlib.suppress(_NotShared):
            _guarded(
                lambda: self._database.record(
                    lambda transaction: transaction.change(_RELEASE, mine)
                )
            )

    def _lease_row(self, key: str) -> Row | None:
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(_SELECT, {**self._key, "lease": key})
        return rows[0] if rows else None

    def _take(self, key: str) -> str | None:
        holder, now = uuid.uuid4().hex, self._clock.time()
        place = {**self._key, "lease": key}
        values = {**place, "holder": holder, "now": now, "until": now + HELD}

        def unit(transaction: Any) -> int:
            if transaction.change(_INSERT, place):
                self._make_room(transaction, {**place, "now": now})
            taken: int = transaction.change(_TAKE, values)
            return taken

        return holder if self._database.record(unit) else None

    def _make_room(self, transaction: Transaction, place: Mapping[str, Any]) -> None:
        """Delete the expired leases of the workspace and, if the connection has too many, the
        leases that are due first: processes mint them anew.
        """
        transaction.change(_EXPIRED, {name: place[name] for name in ("workspace", "lease", "now")})
        excess = transaction.execute(_COUNT, self._key)[0].found - _MOST
        if excess > 0:
            transaction.change(_OLDEST.format(excess=int(excess)), place)

    def _unseal_lease(self, key: str, row: Row) -> Minted:
        found = json.loads(
            self._vault.open(
                self._key["workspace"], lease_place(self._key["connection"], key), row.sealed
            )
        )
        return Minted(found["value"], found["expiresAt"], tuple(found["secrets"]))


def lease_place(connection: str, key: str) -> tuple[str, ...]:
    """Return the place that a lease is sealed for."""
    return ("lease", connection, key)


class _NotShared(Exception):
    """Signal that the database is unavailable now."""


def _guarded(step: Callable[[], T]) -> T:
    try:
        return step()
    except Unavailable as fault:
        raise _NotShared(fault.message) from None
