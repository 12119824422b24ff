"""Tell providers that the approvals of removed connections are no longer needed: at once, and again later if one does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from jackfield.connections.revocations import LASTS, due
from jackfield.database import SealBroken
from jackfield.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield.clock import Clock
    from jackfield.connections.connection_table import ConnectionTable
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.database import Database, Row, Transaction
    from jackfield.management.authorizing import Authorizing

_AT_ONCE = 20
_NO_ENDPOINT = "the provider has no endpoint for that"


class Revoking:
    """Revocations of one workspace. ``find`` returns a connection with its values, ``audited`` makes the unit that records an event."""

    def __init__(
        self,
        store: ConnectionTable,
        clock: Clock,
        find: Callable[[str], NamedConnection],
        authorizing: Callable[[], Authorizing],
        audited: Callable[..., Callable[[Transaction], None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._find = find
        self._authorizing = authorizing
        self._audited = audited

    def remove(self, name: str, audited: Callable[[Transaction], None]) -> None:
        """Remove a connection, and tell its provider that the grant is no longer needed: now, or later if it does not answer.

        :raises UnknownConnection: if there is none with that name.
        """
        table, noted = self._store.revocations, list[str]()
        try:
            stored = self._find(name)
            grant = self._store.approvals[0].find(stored.id or "", name)
        except JackfieldError:  # nobody has approved it, or the approval has ended
            return self._store.remove(name, audited)

        def also(transaction: Transaction) -> None:
            noted.append(table.note(transaction, self._store.workspace, stored, grant))
            audited(transaction)

        self._store.remove(name, also)
        for row in map(table.find, noted):
            if row is not None:
                self.revoke(row)
        return None

    def revoke(self, row: Row) -> bool | None:
        """Tell a provider; return whether it could be told, and None if that is tried again later."""
        table = self._store.revocations
        try:
            found = table.read(row)
        except SealBroken:
            return self._ended(row.id, "unknown", "its row in the database was changed")
        try:
            told = self._authorizing().revoke(found.stored, found.grant)
        except JackfieldError as error:
            if error.retryable and found.created_at > self._clock.time() - LASTS:
                table.put_off(row.id)
                return None
            return self._ended(row.id, found.name, error.message)
        return self._ended(row.id, found.name, "" if told else _NO_ENDPOINT)

    def _ended(self, identifier: str, name: str, reason: str) -> bool:
        details = {"told": not reason, **({"reason": reason} if reason else {})}
        self._store.revocations.end(identifier, self._audited("connection.approval_ended", name, **details))
        return not reason


def revoke_due(database: Database, clock: Clock, revoking: Callable[[str], Revoking], within: float = 60.0) -> dict[str, bool]:
    """Tell the providers of all approvals that are due, and begin nothing more after ``within`` seconds. ``revoking`` returns what does so
    for a workspace.

    :return: whether the provider was told, by the id of each that is over.
    """
    until, over = time.monotonic() + within, dict[str, bool]()
    while time.monotonic() < until:
        rows = due(database, clock.time(), _AT_ONCE)
        for row in rows:
            try:
                outcome = revoking(row.workspace).revoke(row)
            except JackfieldError:  # such as a workspace whose key service does not answer: another try comes when the claim runs out
                continue
            if outcome is not None:
                over[row.id] = outcome
        if not rows:
            break
    return over
