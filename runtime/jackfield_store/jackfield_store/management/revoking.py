"""Revocation of removed connections' approvals at their providers: at once, and again later if a
provider does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jackfield.kernel.clock import monotonic
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.frames import bordered
from jackfield_store.connections.revocations import LASTS, DueRevocations
from jackfield_store.database import SealBroken
from jackfield_store.management.platform_part import platform_part

if TYPE_CHECKING:
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector.grants import Grant
    from jackfield.kernel.clock import Clock
    from jackfield_store.access import Audit
    from jackfield_store.connections.connection_table import ConnectionTable
    from jackfield_store.database import Database, Row, Transaction
    from jackfield_store.database.blocked import BlockedWorkspaces
    from jackfield_store.management.authorizing import Authorizing

_AT_ONCE = 20
_NO_ENDPOINT = "the provider has no endpoint for that"


@bordered
class Revoking:
    """Revocations of one workspace. ``find`` returns a connection with its values, ``audited``
    makes the unit that records an event, and ``audit`` records the objects that stop with a
    connection.
    """

    def __init__(
        self,
        store: ConnectionTable,
        clock: Clock,
        find: Callable[[str], NamedConnection],
        authorizing: Callable[[], Authorizing],
        audited: Callable[..., Callable[[Transaction], None]],
        audit: Audit | None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._find = find
        self._authorizing = authorizing
        self._audited = audited
        self._audit = audit

    def remove(self, name: str, joined: Callable[[Transaction], None], *, is_granted: bool) -> None:
        """Remove a connection and pause its subscriptions; ``joined`` runs in the same transaction.
        If a person granted its use (``is_granted``), revoke the grant at the provider: now, or
        later if the provider does not answer. If webhooks still have to be removed there, which
        needs the grant, revoke it later.

        :raises UnknownConnection: if no connection has that name.
        """
        store, noted, audited = self._store, list[str](), self._audited("connection.removed", name)
        stored = self._find_connection(name)
        grant = self._grant(stored) if stored is not None and is_granted else None

        def in_transaction(transaction: Transaction) -> None:
            ended: Sequence[tuple[str, str]] = ()
            if stored is not None:
                ended = platform_part().part(
                    transaction, store.vault, store.workspace, store.now(), stored, grant
                )
            if stored is not None and grant is not None:
                noted.append(store.revocations.note(transaction, store.workspace, stored, grant))
            audited(transaction)
            if self._audit is not None:
                for event, target in ended:
                    self._audit.append(
                        transaction,
                        event,
                        target,
                        {"reason": f"its connection '{name}' was removed"},
                    )
            joined(transaction)

        store.remove(name, in_transaction)
        for row in map(store.revocations.find, noted):
            # else a process tells it later: no transaction waits for a provider
            if row is not None and not store.database.writing:
                self.revoke(row)

    def _find_connection(self, name: str) -> NamedConnection | None:
        try:
            return self._find(name)
        except JackfieldError:  # its row was changed: its provider cannot be told
            return None

    def _grant(self, stored: NamedConnection) -> Grant | None:
        try:
            return self._store.approvals[0].find(stored.id or "", stored.name)
        except JackfieldError:  # nobody has approved it, or the approval has ended
            return None

    def revoke(self, row: Row) -> bool | None:
        """Notify a provider; return whether that worked, or None if it will be tried again
        later.
        """
        table = self._store.revocations
        try:
            found = table.read(row)
        except SealBroken:
            return self._ended(row.id, "unknown", "its row in the database was changed")
        is_late = found.created_at <= self._clock.time() - LASTS
        if not is_late and platform_part().is_parting(
            self._store.database, found.workspace, found.name
        ):
            table.put_off(row.id)
            return None
        try:
            told = self._authorizing().revoke(found.stored, found.grant)
        except JackfieldError as error:
            if error.retryable and not is_late:
                table.put_off(row.id)
                return None
            return self._ended(row.id, found.name, error.message)
        return self._ended(row.id, found.name, "" if told else _NO_ENDPOINT)

    def _ended(self, identifier: str, name: str, reason: str) -> bool:
        details = {"told": not reason, **({"reason": reason} if reason else {})}
        self._store.revocations.end(
            identifier, self._audited("connection.approval_ended", name, **details)
        )
        return not reason


def revoke_due(
    database: Database,
    clock: Clock,
    revoking: Callable[[str], Revoking],
    blocked: BlockedWorkspaces,
    within: float = 60.0,
) -> dict[str, bool]:
    """Notify the providers of all due revocations, and begin nothing more after ``within`` seconds.
    ``revoking`` returns the object that revokes a workspace's grants.

    :return: whether the provider was notified, by the id of each finished revocation.
    """
    until, over, revocations = (
        monotonic() + within,
        dict[str, bool](),
        DueRevocations(database, clock, blocked),
    )
    while monotonic() < until:
        rows = revocations.claimed_rows(_AT_ONCE)
        for row in rows:
            outcome = blocked.apart(
                row.workspace,
                "the revocation of an approval",
                lambda row=row: revoking(row.workspace).revoke(row),  # type: ignore[misc]
            )
            if outcome is not None:
                over[row.id] = outcome
        if not rows:
            break
    return over
