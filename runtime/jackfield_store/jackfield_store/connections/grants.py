"""Grants of stored connections, sealed in the database: approvals that a person has given at the
provider.

A grant is bound to the connection's type and open values. After a change of a value, such as the
URL that tokens are sent to, the connection must be approved again.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jackfield.connections.named_connection import NamedConnection
from jackfield.connector.grants import Grant
from jackfield.kernel.clock import Deadline, iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import InvalidConnection, Unavailable
from jackfield.kernel.hints import NextStep
from jackfield.kernel.secrecy import SecretHolder
from jackfield.manifest.manifest import OAUTH_CLIENT
from jackfield_store.connections.awaited import note_approved
from jackfield_store.connections.connection_rows import COLUMNS, ConnectionRow
from jackfield_store.connections.oauth_client_table import identity_of
from jackfield_store.database import Row, SealBroken, Transaction
from jackfield_store.keys.vault import SealedTable

_PLACE = "WHERE workspace = :workspace AND connection_id = :id"
_ID = "SELECT id FROM connections WHERE workspace = :workspace AND name = :name"
_CONNECTION = f"SELECT {COLUMNS} FROM connections WHERE workspace = :workspace AND id = :id"
_SELECT = (
    "SELECT grant_id, sealed, scopes, reason, granted_at, granted_by, renewed_at, "
    f"refresh_begun_at FROM grants {_PLACE}"
)
_WANTED = f"SELECT scopes, wanted FROM grants {_PLACE}"
_WANT = f"UPDATE grants SET wanted = :wanted {_PLACE}"
_PUT = """
INSERT INTO grants (workspace, connection_id, grant_id, sealed, scopes, reason, granted_at, granted_by, renewed_at)
VALUES (:workspace, :id, :grant, :sealed, :scopes, NULL, :now, :by, :now)
ON CONFLICT (workspace, connection_id) DO UPDATE SET grant_id = excluded.grant_id, sealed = excluded.sealed, scopes = excluded.scopes,
    reason = NULL, granted_at = excluded.granted_at, granted_by = excluded.granted_by, renewed_at = excluded.renewed_at,
    refresh_begun_at = NULL, wanted = NULL
"""
_ADOPT = f"""
UPDATE grants SET grant_id = :grant, sealed = :sealed, scopes = :scopes, reason = :reason, granted_at = :now, granted_by = :by,
    renewed_at = :now, refresh_begun_at = NULL {_PLACE} AND grant_id = :before_id AND sealed = :before
"""
_REASON = f"UPDATE grants SET reason = :reason {_PLACE} AND grant_id = :grant"
_BEGIN = (
    f"UPDATE grants SET refresh_begun_at = :now {_PLACE} AND grant_id = :grant AND sealed = :before"
)
_ROTATE = f"""
UPDATE grants SET sealed = :sealed, scopes = :scopes, reason = NULL, renewed_at = :now, refresh_begun_at = NULL {_PLACE}
    AND grant_id = :grant AND sealed = :before
"""
_END = f"UPDATE grants SET reason = :reason {_PLACE} AND grant_id = :grant AND sealed = :before"
_STATUS = (
    "UPDATE connections SET status = :status WHERE workspace = :workspace AND id = :id AND "
    "status {instead}"
)
_FORGET = (
    "DELETE FROM grants WHERE workspace = :workspace AND connection_id = :id",
    "DELETE FROM authorizations WHERE workspace = :workspace AND connection_id = :id",
)
_CHANGED = "a value of the connection has changed since"
_INSIST = 10.0
"""Seconds for which storing rotated tokens in an unavailable database is retried."""
_FIRST_PAUSE = 0.05
_MOST_SCOPES, _LONGEST_SCOPE = 100, 200
"""Maximum number of scopes stored for the next approval, and maximum characters of one."""


@dataclass(frozen=True, slots=True)
class GrantState:
    """State of a connection's grant. ``reason`` says why the grant has ended; None while it is in
    use. ``about`` is an import's data about the grant.
    """

    scopes: tuple[str, ...]
    reason: str | None
    granted_at: float
    granted_by: str
    renewed_at: float
    about: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the member ``authorization`` of a connection."""
        about = {
            "grantedAt": iso(self.granted_at),
            "grantedBy": self.granted_by,
            "renewedAt": iso(self.renewed_at),
        }
        ended = {} if self.reason is None else {"reason": self.reason}
        imported = {name: self.about[name] for name in ("user", "metadata") if name in self.about}
        return {
            "status": "granted" if self.reason is None else "ended",
            "scopes": list(self.scopes),
            **about,
            **imported,
            **ended,
        }


@dataclass(frozen=True, slots=True, repr=False)
class Adoption(SecretHolder):
    """Grant from another system. ``about`` is stored along with its tokens: ``source``, ``id``,
    ``user``, ``metadata``. ``reason`` says why the grant cannot be used.
    """

    grant: Grant
    about: Mapping[str, Any]
    by: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class _Sealed(SecretHolder):
    """Sealed part of a grant: its tokens, and an import's data about it."""

    grant: Grant
    about: Mapping[str, Any]


class GrantTable(SealedTable):
    """Grants of one workspace. Thread-safe."""

    def of(self, identifier: str, name: str) -> ConnectionGrants:
        """Return the grant of one connection, for its type."""
        return ConnectionGrants(self, identifier, name)

    def state(self, identifier: str) -> GrantState | None:
        """Return the state of a connection's grant; None if no person has approved yet."""
        connection, row = self._connection_and_grant(identifier)
        if row is None or connection is None:
            return None
        intact = self._intact(identifier, connection, row)
        ended = row.reason or (None if intact is not None else _CHANGED)
        about = intact.about if intact is not None else {}
        return GrantState(
            tuple(json.loads(row.scopes)),
            ended,
            row.granted_at,
            row.granted_by,
            row.renewed_at,
            about,
        )

    def find(self, identifier: str, name: str) -> Grant:
        """Return the grant of a connection.

        :raises InvalidConnection: if no person has approved yet, or the approval has ended.
        """
        connection, row = self._connection_and_grant(identifier)
        if row is None or connection is None:
            raise InvalidConnection(
                f"nobody has approved the connection '{name}' at the provider yet",
                hint=NextStep("connect", name=name),
            )
        if row.reason is not None:
            raise ended(name, row.reason)
        try:
            return self._unseal_grant(identifier, connection, row).grant
        except SealBroken:
            raise ended(name, _CHANGED) from None

    def about(self, identifier: str) -> Mapping[str, Any]:
        """Return an import's data about a connection's grant; empty if it was not imported."""
        connection, row = self._connection_and_grant(identifier)
        found = (
            None if connection is None or row is None else self._intact(identifier, connection, row)
        )
        return {} if found is None else found.about

    def digest(self, stored: NamedConnection) -> str:
        """Return the digest of the connection that an approval belongs to: its type and its open
        values.

        :raises InvalidConnection: if the connection has changed since ``stored`` was read.
        """
        connection = self._connection_and_grant(stored.id or "")[0]
        if connection is None or connection.version != stored.version:
            raise changed(stored.name)
        return _digest(connection)

    def put(
        self,
        identifier: str,
        grant: Grant,
        by: str,
        over: str,
        in_transaction: Callable[[Transaction], None],
    ) -> Grant:
        """Store a new approval in place of an earlier one; return it with its id. ``over`` is the
        digest of the connection that was approved; ``in_transaction`` runs in the same transaction.

        :raises InvalidConnection: if the connection was removed or changed meanwhile.
        """
        fresh = replace(grant, id=uuid.uuid4().hex)
        with self._database.write() as transaction:
            connection = _connection(transaction, self._place(identifier))
            if connection is None:
                raise InvalidConnection(
                    "the connection was removed before it was approved",
                    hint="Add it again, then connect it.",
                )
            if _digest(connection) != over:
                raise changed(connection.name)
            row = transaction.find(_SELECT, self._place(identifier))
            earlier = None if row is None else self._intact(identifier, connection, row)
            about = {} if earlier is None else earlier.about
            transaction.change(_PUT, {**self._row(identifier, connection, fresh, about), "by": by})
            transaction.change(
                _STATUS.format(instead="= 'expired'"), {**self._place(identifier), "status": "ok"}
            )
            note_approved(transaction, self._workspace, identifier)
            in_transaction(transaction)
        return fresh

    def adopt(self, transaction: Transaction, name: str, given: Adoption, *, replaces: bool) -> str:
        """Store a grant from another system, in the transaction that stores its connection or a
        later one; return ``added``, ``replaced`` or ``kept``.

        A present grant stays if a person approved it here, or if its tokens were used or refreshed
        since its import; ``replaces`` replaces it even so. If the grants are equal, the present one
        stays.
        """
        found = transaction.find(_ID, {"workspace": self._workspace, "name": name})
        identifier = "" if found is None else found.id
        connection, row = self._rows(transaction, identifier)
        if connection is None:
            return "kept"
        fresh = replace(given.grant, id=uuid.uuid4().hex)
        values = {
            **self._row(identifier, connection, fresh, given.about),
            "by": given.by,
            "reason": given.reason,
        }
        if row is None:
            transaction.change(_PUT, values)
            transaction.change(_REASON, values)
            note_approved(transaction, self._workspace, identifier)
            self._note_adopted(transaction, identifier, given)
            return "added"
        present = self._intact(identifier, connection, row)
        is_untouched = (
            row.renewed_at == row.granted_at
            and row.refresh_begun_at is None
            and present is not None
            and bool(present.about)
        )
        is_same = present is not None and present.grant.value == given.grant.value
        if is_same or not (replaces or is_untouched):
            return "kept"
        if not transaction.change(
            _ADOPT, {**values, "before_id": row.grant_id, "before": row.sealed}
        ):
            return "kept"
        self._note_adopted(transaction, identifier, given)
        return "replaced"

    def _note_adopted(self, transaction: Transaction, identifier: str, given: Adoption) -> None:
        status, instead = (
            ("untested", "= 'expired'") if given.reason is None else ("expired", "<> :status")
        )
        transaction.change(
            _STATUS.format(instead=instead), {**self._place(identifier), "status": status}
        )

    def begin(self, identifier: str, used: Grant) -> None:
        """Record that the tokens of ``used`` are about to be sent. If this process ends before the
        answer, the next process knows of it.
        """
        self._change(
            _BEGIN, identifier, used, lambda _connection, _about: {"now": self._clock.time()}
        )

    def rotate(self, identifier: str, used: Grant, rotated: Grant) -> None:
        """Store the tokens that replace the tokens of ``used``; the grant keeps its id.

        The database is tried for ten seconds, since these tokens may exist nowhere else.

        :raises Unavailable: if it stays unavailable.
        """
        deadline, pause = Deadline.after(_INSIST, self._clock), _FIRST_PAUSE
        while True:
            try:
                self._change(
                    _ROTATE,
                    identifier,
                    used,
                    lambda found, about: self._row(
                        identifier, found, replace(rotated, id=used.id), about
                    ),
                )
            except Unavailable:
                if deadline.remaining() <= pause:
                    raise
                self._clock.sleep(pause)
                pause *= 2
            else:
                return

    def wanted(self, identifier: str) -> tuple[str, ...]:
        """Return the scopes of a connection's grant, and the scopes that its provider has requested
        since.
        """
        with self._database.read() as transaction:
            row = transaction.find(_WANTED, self._place(identifier))
        return (
            ()
            if row is None
            else tuple(dict.fromkeys([*json.loads(row.scopes), *json.loads(row.wanted or "[]")]))
        )

    def want(self, identifier: str, scopes: Sequence[str]) -> None:
        """Store scopes that the provider requested. The sealed part stays: a refresh that runs
        meanwhile must not be lost.
        """
        known = self.wanted(identifier)
        new = [
            one for one in dict.fromkeys(scopes) if one not in known and len(one) <= _LONGEST_SCOPE
        ]
        if new and len(known) + len(new) <= _MOST_SCOPES:
            with self._database.write() as transaction:
                transaction.change(
                    _WANT, {**self._place(identifier), "wanted": json.dumps([*known, *new])}
                )

    def end(self, identifier: str, used: Grant, reason: str) -> None:
        """Record that ``used`` has ended, and its connection has expired, unless its tokens were
        rotated or replaced meanwhile.
        """
        self._change(
            _END, identifier, used, lambda _connection, _about: {"reason": reason}, "expired"
        )

    def _change(
        self,
        statement: str,
        identifier: str,
        used: Grant,
        values: Callable[[ConnectionRow, Mapping[str, Any]], Mapping[str, Any]],
        status: str | None = None,
    ) -> None:
        """Change the row of ``used``, unless another process has replaced its tokens meanwhile, and
        set the connection's status.
        """
        with self._database.write() as transaction:
            connection, row = self._rows(transaction, identifier)
            stored = (
                None
                if connection is None or row is None
                else self._intact(identifier, connection, row)
            )
            if (
                connection is None
                or row is None
                or stored is None
                or (stored.grant.id, stored.grant.value) != (used.id, used.value)
            ):
                return
            place = {**self._place(identifier), "grant": used.id, "before": row.sealed}
            changed = transaction.change(statement, {**place, **values(connection, stored.about)})
            if changed and status is not None:
                transaction.change(
                    _STATUS.format(instead="<> :status"),
                    {**self._place(identifier), "status": status},
                )

    def _connection_and_grant(self, identifier: str) -> tuple[ConnectionRow | None, Row | None]:
        with self._database.read() as transaction:
            return self._rows(transaction, identifier)

    def _rows(
        self, transaction: Transaction, identifier: str
    ) -> tuple[ConnectionRow | None, Row | None]:
        return _connection(transaction, self._place(identifier)), transaction.find(
            _SELECT, self._place(identifier)
        )

    def _place(self, identifier: str) -> dict[str, Any]:
        return {"workspace": self._workspace, "id": identifier}

    def _row(
        self, identifier: str, connection: ConnectionRow, grant: Grant, imported: Mapping[str, Any]
    ) -> dict[str, Any]:
        kept = {"about": dict(imported)} if imported else {}
        text = json.dumps(
            {"value": dict(grant.value), "secrets": grant.secrets, **kept}, separators=(",", ":")
        )
        sealed = self._vault().seal(
            self._workspace, _sealed_place(identifier, grant.id, connection), text.encode()
        )
        about = {"grant": grant.id, "scopes": json.dumps(grant.scopes), "now": self._clock.time()}
        return {**self._place(identifier), "sealed": sealed, **about}

    def _unseal_grant(self, identifier: str, connection: ConnectionRow, row: Row) -> _Sealed:
        text = self._vault().open(
            self._workspace, _sealed_place(identifier, row.grant_id, connection), row.sealed
        )
        found = json.loads(text)
        grant = Grant(
            found["value"],
            tuple(json.loads(row.scopes)),
            tuple(found["secrets"]),
            row.grant_id,
            row.refresh_begun_at,
        )
        return _Sealed(grant, found.get("about", {}))

    def _intact(self, identifier: str, connection: ConnectionRow, row: Row) -> _Sealed | None:
        """Return the grant of a row; None if the connection has changed since the approval."""
        try:
            return self._unseal_grant(identifier, connection, row)
        except SealBroken:
            return None


class ConnectionGrants:
    """Grant of one connection. Each method reads or changes the database, since other processes
    rotate tokens, too.
    """

    def __init__(self, table: GrantTable, identifier: str, name: str) -> None:
        self._table = table
        self._identifier = identifier
        self._name = name

    def find(self) -> Grant:
        """Return the grant as it is stored now.

        :raises InvalidConnection: if no person has approved yet, or the approval has ended.
        """
        return self._table.find(self._identifier, self._name)

    def begin(self, used: Grant) -> None:
        """Record that the tokens of ``used`` are about to be sent to be refreshed."""
        self._table.begin(self._identifier, used)

    def replace(self, used: Grant, rotated: Grant) -> None:
        """Store the tokens that replace the tokens of ``used``. Nothing changes if they were
        replaced meanwhile.
        """
        self._table.rotate(self._identifier, used, rotated)

    def end(self, used: Grant, reason: str) -> None:
        """Record that the provider no longer accepts ``used``."""
        self._table.end(self._identifier, used, reason)

    def want(self, scopes: Sequence[str]) -> None:
        """Record scopes that the provider requested beyond the approved ones."""
        self._table.want(self._identifier, scopes)

    def wanted(self) -> tuple[str, ...]:
        """Return the scopes of the approval, and later requested ones."""
        return self._table.wanted(self._identifier)


def ended(name: str, reason: str) -> InvalidConnection:
    """Return the error for a grant that has ended."""
    return InvalidConnection(
        f"the approval of the connection '{name}' has ended: {reason}",
        hint=NextStep("connect", name=name),
    )


def changed(name: str) -> InvalidConnection:
    """Return the error for a connection that was changed after its approval had begun."""
    return InvalidConnection(
        f"the connection '{name}' has changed since its approval began, so the approval is for "
        "other values",
        hint="Connect it again.",
    )


def forget(transaction: Transaction, workspace: str, identifier: str) -> None:
    """Delete the grant of a removed connection, and its pending authorizations."""
    for statement in _FORGET:
        transaction.change(statement, {"workspace": workspace, "id": identifier})


def _connection(transaction: Transaction, place: Mapping[str, Any]) -> ConnectionRow | None:
    """Return a connection, None if it does not exist, with the values of the OAuth client that it
    refers to, since the approval is for that client.
    """
    row = transaction.find(_CONNECTION, place)
    found = ConnectionRow.from_row(row) if row is not None else None
    if found is None or not isinstance(found.public.get(OAUTH_CLIENT), str):
        return found
    return replace(
        found,
        public={
            **found.public,
            OAUTH_CLIENT: identity_of(transaction, place["workspace"], found.public[OAUTH_CLIENT]),
        },
    )


def _sealed_place(identifier: str, grant: str, connection: ConnectionRow) -> tuple[str, ...]:
    return ("grant", identifier, grant, _digest(connection))


def _digest(connection: ConnectionRow) -> str:
    text = json.dumps(
        [connection.type, connection.origin, connection.public],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()
