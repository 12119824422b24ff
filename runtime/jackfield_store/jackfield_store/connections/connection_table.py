"""Connections of one workspace that are stored in the database."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from jackfield.connections.host_access import HostAccess
from jackfield.connections.named_connection import NAME, NAME_EXPECTED, STORE, NamedConnection
from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.clock import Clock
from jackfield.kernel.errors import Detail, InvalidConnection, LimitReached, UnknownConnection
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.hints import NextStep
from jackfield.kernel.secrecy import SecretHolder
from jackfield.kernel.stored_values import like_literal
from jackfield_store.connections import authorizations, external_ids, grants
from jackfield_store.connections.awaited import LISTED
from jackfield_store.connections.connection_rows import (
    COLUMNS,
    ConnectionRow,
    Draft,
    LastOutcome,
    Parts,
    join_secrets,
)
from jackfield_store.connections.connection_seals import (
    binding,
    check_seal,
    opened_secret,
    rebound,
    sealed_place,
    sealed_whole,
    stored_secrets,
)
from jackfield_store.connections.file_tests import FileTests
from jackfield_store.connections.oauth_client_table import OAuthClientTable
from jackfield_store.connections.revocations import Revocations
from jackfield_store.database import Database, SealBroken, Transaction, UniqueViolation
from jackfield_store.database.epoch import EpochCache
from jackfield_store.database.faults import damaged_settings
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.keys.settings_seals import checked_settings
from jackfield_store.keys.vault import Vault

InTransaction = Callable[[Transaction], None]
"""Further statements for the transaction of a change, such as its entry in the audit log."""


def nothing(_transaction: Transaction) -> None:
    """Add no statement."""


def _unlimited() -> None:
    """Set no limit."""


_RESTORE = (
    "Remove it and add it again, or restore a backup. Then find out who else writes to the "
    "database."
)
_CACHED = 2000
"""Maximum number of connections whose values are cached in memory, most recently used first."""
_NAMES = 20_000
"""Maximum number of names that are cached in memory: for each type, and in total."""
_BY_NAME = "WHERE workspace = :workspace AND name = :name"
_FIND = f"SELECT id, version FROM connections {_BY_NAME}"
_NAME = "SELECT name FROM connections WHERE workspace = :workspace AND id = :id"
_READ = f"SELECT {COLUMNS} FROM connections {_BY_NAME}"
_OF_TYPE = f"""
SELECT name FROM connections WHERE workspace = :workspace AND type = :type AND {LISTED} {{granted}} ORDER BY name LIMIT :limit
"""
_GRANTED = (
    "AND EXISTS (SELECT 1 FROM grants WHERE grants.workspace = :workspace AND connection_id "
    "= connections.id)"
)
_ALL_NAMES = (
    f"SELECT name, type FROM connections WHERE workspace = :workspace AND {LISTED} ORDER BY name"
)
COUNT = f"SELECT COUNT(*) AS n FROM connections WHERE workspace = :workspace AND {LISTED}"
_RENAME = f"UPDATE connections SET name = :new_name, updated_at = :now {_BY_NAME}"
_REMOVE = f"DELETE FROM connections {_BY_NAME} RETURNING id"
_LIST = (
    f"SELECT {COLUMNS} FROM connections WHERE workspace = :workspace AND name > :after AND {LISTED}"
)
_TEXT = (
    "(LOWER(name) LIKE :text ESCAPE '!' OR LOWER(type) LIKE :text ESCAPE '!' OR "
    "LOWER(account_label) LIKE :text ESCAPE '!')"
)
_INSERT = f"""
INSERT INTO connections (workspace, {COLUMNS}, created_at, updated_at)
VALUES (:workspace, :id, :name, :type, :version, :public_values, :status, :account_id, :account_label, :last_test, :seal, :now, :now)
"""
_OUTCOME = (
    "status = :status, account_id = :account_id, account_label = :account_label, last_test = "
    ":last_test"
)
_BY_VERSION = "WHERE workspace = :workspace AND id = :id AND version = :version"
_UPDATE = f"""
UPDATE connections
SET type = :type, version = version + 1, public_values = :public_values, seal = :seal, {_OUTCOME}, updated_at = :now {_BY_VERSION}
"""
_WORKS = "CASE WHEN :status = 'untested' AND status = 'ok' THEN status ELSE :status END"
"""SQL expression of the status after a test. A test that asked the provider nothing keeps the
status ``ok``, which comes from an action that succeeded.
"""
_TESTED = (
    f"UPDATE connections SET {_OUTCOME.replace('status = :status', f'status = {_WORKS}')} "
    f"{_BY_VERSION}"
)
_USED = f"UPDATE connections SET status = 'ok' {_BY_VERSION} AND status IN ('untested', 'expired')"
_EXPIRED = f"UPDATE connections SET status = 'expired' {_BY_VERSION} AND status <> 'expired'"
_SEAL = """
INSERT INTO connection_secrets (workspace, connection_id, field, version, sealed) VALUES (:workspace, :id, :field, :version, :sealed)
"""


class NameTaken(InvalidConnection):
    """Error for a name that another connection of the workspace has already."""

    http_status = 409
    problem = "name_taken"


class NotStored(InvalidConnection):
    """Error for a connection that is defined in a file, and can be changed only in the file."""

    http_status = 409
    problem = "conflict"


class VersionConflict(InvalidConnection):
    """Error for a connection that was changed meanwhile; nothing was written."""

    http_status = 409
    problem = "version_conflict"


class ConnectionTable(ProcessLocal, SecretHolder):
    """Stored connections of ``workspace`` alone: every statement carries it. Thread-safe. ``most``
    returns the maximum number of connections, and ``public_url`` the address of this installation's
    server, if it has one. Each change runs ``in_transaction`` in its transaction.

    Each secret is sealed for its place (connection, field, version), so none can be moved to
    another. Each connection has a seal over all its open values and the list of its secrets.
    ``find`` returns the same object while the connection's version is the same.
    """

    def __init__(
        self,
        database: Database,
        vault: Callable[[], Vault],
        workspace: str,
        clock: Clock,
        most: Callable[[], float | None] = _unlimited,
        public_url: Callable[[], str] = str,
    ) -> None:
        self.workspace = workspace
        self._most = most
        self._database = database
        self._vault = vault
        self._clock = clock
        self._cache: BoundedCache[str, NamedConnection] = BoundedCache(_CACHED)
        self._by_name: EpochCache[str, NamedConnection] = EpochCache(database.epoch, _CACHED)
        self._by_type: EpochCache[tuple[str, int, bool], Sequence[str]] = EpochCache(
            database.epoch, _NAMES, lambda names: len(names) + 1
        )
        self._all: EpochCache[str, Sequence[tuple[str, str]]] = EpochCache(
            database.epoch, _NAMES, len
        )
        self._access: EpochCache[str, HostAccess] = EpochCache(database.epoch, 1)
        self._lock = threading.Lock()
        self.file_tests = FileTests(database, vault, workspace)
        self.revocations = Revocations(database, vault, workspace, clock)
        self.oauth_clients = OAuthClientTable(database, vault, workspace, clock)
        self.public_url = public_url
        self.approvals = (
            grants.GrantTable(database, vault, workspace, clock),
            authorizations.Authorizations(database, vault, workspace, clock),
        )

    def __repr__(self) -> str:
        return f"<ConnectionTable of {self.workspace!r} in {self._database!r}>"

    @property
    def database(self) -> Database:
        """Database that the connections are stored in."""
        return self._database

    @property
    def vault(self) -> Vault:
        """Vault that seals the data of connections."""
        return self._vault()

    def now(self) -> float:
        """Return the database's time."""
        return SharedClock.of(self._database, self._clock).now()

    @property
    def answers_locally(self) -> bool:
        """True if the database is in this process."""
        return self._database.dialect.name == "sqlite"

    def find(self, name: str) -> NamedConnection | None:
        """Return the connection called ``name`` with its secrets opened; None if it does not exist.

        :raises InvalidConnection: if one of its values or secrets was changed, moved or removed in
            the database.
        """
        known = self._by_name.present()
        found = known.get(name) or self._find_connection(name)
        if found is not None:
            self._by_name.keep(known, name, found)
        return found

    def knows(self, name: str) -> bool:
        """Return whether ``find`` needs no SQL for this name now."""
        return name in self._by_name.present()

    def _find_connection(self, name: str) -> NamedConnection | None:
        row = self._database.look_up(_FIND, self._row_key(name))
        if row is None:
            return None
        found = self._cache.get(name)
        if found is None or (found.id, found.version) != (row.id, row.version):
            with self._database.read(flush=False) as transaction:
                found = self._select_connection(transaction, name)
        return found

    def show(self, name: str) -> ConnectionRow | None:
        """Return the connection called ``name`` without its secrets, None if it does not exist.
        This needs no key.
        """
        with self._database.read(flush=False) as transaction:
            row = transaction.find(_READ, self._row_key(name))
        return ConnectionRow.from_row(row) if row is not None else None

    def name_of(self, identifier: str) -> str | None:
        """Return the name of the connection with that id; None if it does not exist."""
        with self._database.read(flush=False) as transaction:
            row = transaction.find(_NAME, {"workspace": self.workspace, "id": identifier})
        return None if row is None else str(row.name)

    def list(
        self,
        *,
        after: str = "",
        limit: int = 100,
        type: str | None = None,
        text: str | None = None,
    ) -> Sequence[ConnectionRow]:
        """List up to ``limit`` connections by name, beginning after ``after``, optionally only
        those of a type, or with ``text`` in their name, type or account, ignoring case. Connections
        that wait for a connect session's approval are in no list.
        """
        found = like_literal(text.lower()) if text else None
        wanted = [
            _LIST,
            *(["type = :type"] if type is not None else ()),
            *([_TEXT] if found is not None else ()),
        ]
        values = {
            "workspace": self.workspace,
            "after": after,
            "type": type,
            "text": f"%{found}%",
            "limit": limit,
        }
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(f"{' AND '.join(wanted)} ORDER BY name LIMIT :limit", values)
        return [ConnectionRow.from_row(row) for row in rows]

    def names(self, types: Iterable[str], limit: int, *, granted: bool = False) -> Sequence[str]:
        """Return the names of up to ``limit`` connections of each of ``types``, optionally only
        approved ones.
        """
        keys = ((type_, limit, granted) for type_ in types)
        return sorted(
            name for key in keys for name in self._by_type.find(key, partial(self._named_of, *key))
        )

    def named(self) -> Sequence[tuple[str, str]]:
        """Return name and type of every connection, by name."""
        return self._all.find("", self._all_named)

    def access(self) -> HostAccess:
        """Return the host access that the operator grants to this workspace's connections made over
        HTTP or MCP.

        :raises Unavailable: if the workspace's settings cannot be read.
        """
        return self._access.find("", self._granted)

    def _granted(self) -> HostAccess:
        with self._database.read(flush=False) as transaction:
            row = transaction.find(
                "SELECT settings, seal FROM workspaces WHERE name = :workspace",
                {"workspace": self.workspace},
            )
        try:
            return HostAccess.from_settings(
                checked_settings(self._vault(), self.workspace, row) if row is not None else None
            )
        except (ValueError, TypeError):
            raise damaged_settings(self.workspace) from None

    def require_room(self) -> None:
        """Check that the workspace may store one connection more.

        :raises LimitReached: if it has as many as its limit allows.
        """
        most = self._most()
        if most is not None:
            with self._database.read(flush=False) as transaction:
                self._check_room(transaction, most)

    def _check_room(self, transaction: Transaction, most: float | None) -> None:
        if (
            most is not None
            and transaction.execute(COUNT, {"workspace": self.workspace})[0].n >= most
        ):
            raise LimitReached("connections", most)

    def add(
        self, name: str, draft: Draft, in_transaction: InTransaction = nothing
    ) -> ConnectionRow:
        """Store a new connection as version 1.

        :raises LimitReached: if the workspace has as many as its limit allows.
        :raises NameTaken: if the name is taken.
        :raises InvalidConnection: if the name is not valid, the values are too large, or another
            workspace uses the External ID.
        """
        _check_name(name)
        most = self._most()
        identifier, parts = str(uuid.uuid4()), draft.parts()
        bound = binding(name, draft.type, draft.origin, parts.public, draft.quotas)
        whole = sealed_whole(self._vault(), self.workspace, identifier, 1, bound, parts.secrets)
        row = {**self._row(identifier, 1, draft, parts), "name": name, "seal": whole}
        sealed = self._sealed(identifier, 1, parts, bound)
        try:
            with self._database.write() as transaction:
                self._check_room(transaction, most)
                transaction.change(_INSERT, row)
                _insert(transaction, sealed)
                external_ids.claim(
                    self._vault, transaction, self.workspace, identifier, draft.external_ids()
                )
                in_transaction(transaction)
        except UniqueViolation:
            raise name_taken(name) from None
        return self._existing_row(name)

    def replace(
        self, name: str, draft: Draft, version: int, in_transaction: InTransaction = nothing
    ) -> ConnectionRow:
        """Replace version ``version`` of a connection by ``draft``.

        :raises UnknownConnection: if no connection has that name.
        :raises VersionConflict: if its version has changed.
        :raises InvalidConnection: as ``add`` does.
        """
        parts = draft.parts()
        with self._database.read(flush=False) as transaction:
            found = transaction.find(_FIND, self._row_key(name))
        if found is None:
            raise _gone(name)
        bound = binding(name, draft.type, draft.origin, parts.public, draft.quotas)
        whole = sealed_whole(
            self._vault(), self.workspace, found.id, version + 1, bound, parts.secrets
        )
        sealed = self._sealed(found.id, version + 1, parts, bound)
        row = {**self._row(found.id, version, draft, parts), "seal": whole}
        with self._database.write() as transaction:
            if not transaction.change(_UPDATE, row):
                raise conflict(name)
            transaction.change(
                "DELETE FROM connection_secrets WHERE workspace = :workspace AND connection_id = "
                ":id",
                row,
            )
            _insert(transaction, sealed)
            external_ids.claim(
                self._vault, transaction, self.workspace, found.id, draft.external_ids()
            )
            in_transaction(transaction)
        return self._existing_row(name)

    def rename(
        self, name: str, new_name: str, in_transaction: InTransaction = nothing
    ) -> ConnectionRow:
        """Rename a connection. The version does not change, since the values do not. The secrets
        are bound to the name and sealed again.

        :raises UnknownConnection: if no connection has the old name.
        :raises NameTaken: if the new name is taken.
        :raises InvalidConnection: if the new name is not valid, or secrets cannot be opened.
        """
        _check_name(new_name)
        values = {**self._row_key(name), "new_name": new_name, "now": self._clock.time()}
        self._vault().prepare(self.workspace)
        try:
            with self._database.write() as transaction:
                row = transaction.find(_READ, values)
                changed = transaction.change(_RENAME, values)
                if changed and row is not None:
                    stored = ConnectionRow.from_row(row)
                    check_seal(self._vault(), self.workspace, stored)
                    rebound(transaction, self._vault(), self.workspace, stored, new_name)
                    in_transaction(transaction)
        except SealBroken:
            raise _altered(name) from None
        except UniqueViolation:
            raise name_taken(new_name) from None
        if not changed:
            raise _gone(name)
        return self._existing_row(new_name)

    def remove(self, name: str, in_transaction: InTransaction = nothing) -> None:
        """Delete a connection, its secrets, its grant and its External IDs.

        :raises UnknownConnection: if no connection has that name.
        """
        with self._database.write() as transaction:
            rows = transaction.execute(_REMOVE, self._row_key(name))
            for row in rows:
                external_ids.release(transaction, self.workspace, row.id)
                grants.forget(transaction, self.workspace, row.id)
                in_transaction(transaction)
        if not rows:
            raise _gone(name)

    def set_test_outcome(
        self, stored: NamedConnection, outcome: LastOutcome, in_transaction: InTransaction = nothing
    ) -> bool:
        """Store the outcome of a test of ``stored``; return False if that version has been replaced
        or removed.
        """
        if stored.id is None:
            return False
        place = {"workspace": self.workspace, "id": stored.id, "version": stored.version}
        with self._database.write() as transaction:
            in_transaction(transaction)
            return transaction.change(_TESTED, {**place, **outcome.columns()}) > 0

    def note_used(self, identifier: str, version: int) -> None:
        """Mark a connection as working at the next commit, unless this version of it was tested."""
        self._note(_USED, identifier, version)

    def note_expired(self, identifier: str, version: int) -> None:
        """Mark a connection as expired at the next commit, if it still has this version."""
        self._note(_EXPIRED, identifier, version)

    def _note(self, statement: str, identifier: str, version: int) -> None:
        place = {"workspace": self.workspace, "id": identifier, "version": version}
        self._database.defer(lambda transaction: transaction.change(statement, place))

    def _named_of(self, type_: str, limit: int, granted: bool) -> Sequence[str]:
        statement = _OF_TYPE.format(granted=_GRANTED if granted else "")
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                statement, {"workspace": self.workspace, "type": type_, "limit": limit}
            )
        return [row.name for row in rows]

    def _all_named(self) -> Sequence[tuple[str, str]]:
        with self._database.read(flush=False) as transaction:
            return [
                (row.name, row.type)
                for row in transaction.execute(_ALL_NAMES, {"workspace": self.workspace})
            ]

    def _row_key(self, name: str) -> dict[str, Any]:
        return {"workspace": self.workspace, "name": name}

    def _row(self, identifier: str, version: int, draft: Draft, parts: Parts) -> dict[str, Any]:
        about = {
            "workspace": self.workspace,
            "id": identifier,
            "version": version,
            "type": draft.type,
            "now": self._clock.time(),
        }
        return {**about, "public_values": draft.document(parts), **draft.outcome.columns()}

    def _sealed(
        self, identifier: str, version: int, parts: Parts, bound: str
    ) -> Sequence[Mapping[str, Any]]:
        rows = []
        for field, text in parts.secrets.items():
            sealed = self._vault().seal(
                self.workspace, sealed_place(identifier, field, version, bound), text
            )
            rows.append(
                {
                    "workspace": self.workspace,
                    "id": identifier,
                    "field": field,
                    "version": version,
                    "sealed": sealed,
                }
            )
        return rows

    def _select_connection(self, transaction: Transaction, name: str) -> NamedConnection | None:
        row = transaction.find(_READ, self._row_key(name))
        if row is None:  # removed since its version was read
            return None
        stored = ConnectionRow.from_row(row)
        if stored.damage is not None:
            raise damaged(name)
        sealed = stored_secrets(transaction, self.workspace, stored)
        found = NamedConnection(
            stored.name,
            stored.type,
            self._unseal_values(stored, sealed),
            STORE,
            ".",
            stored.version,
            stored.id,
            stored.origin,
            quotas=stored.quotas,
        )
        if self._database.writing:  # what is rolled back leaves its version to another change
            return found
        with self._lock:
            other = self._cache.get(name)
            if other is not None and (other.id, other.version) == (found.id, found.version):
                # another thread was faster: return its object, so that there is only one
                return other
            self._cache.put(name, found)
        return found

    def _unseal_values(
        self, stored: ConnectionRow, sealed: Mapping[str, bytes]
    ) -> Mapping[str, Any]:
        opened: dict[str, bytes] = {}
        for field in stored.sealed:
            try:
                opened[field] = opened_secret(
                    self._vault(), self.workspace, stored, field, sealed[field]
                )
            except (SealBroken, KeyError):
                text = (
                    "the sealed value, or a value that it is bound to (name, type, origin, "
                    "endpoint, …), was changed in the database"
                )
                raise _unopened(stored.name, [Detail(field, text)]) from None
        try:
            check_seal(self._vault(), self.workspace, stored)
        except SealBroken:
            raise _altered(stored.name) from None
        try:
            return join_secrets(stored.public, opened)
        except (LookupError, TypeError, ValueError):
            raise damaged(stored.name) from None

    def _existing_row(self, name: str) -> ConnectionRow:
        found = self.show(name)
        if found is None:
            raise _gone(name)
        return found


def _unopened(name: str, details: list[Detail]) -> InvalidConnection:
    return InvalidConnection(
        f"a secret of the connection '{name}' cannot be decrypted",
        details=details,
        hint=_RESTORE,
    )


def _altered(name: str) -> InvalidConnection:
    return InvalidConnection(
        f"the connection '{name}' cannot be opened: its values in the database were changed",
        hint=_RESTORE,
    )


def _insert(transaction: Transaction, sealed: Iterable[Mapping[str, Any]]) -> None:
    for row in sealed:
        transaction.change(_SEAL, row)


def _check_name(name: str) -> None:
    if not NAME.match(name):
        raise InvalidConnection(
            "the name is not valid",
            details=[Detail("/name", NAME_EXPECTED, "pattern")],
            hint="Choose another name.",
        )


def name_taken(name: str) -> NameTaken:
    """Return the error for a name that is taken."""
    fault = Detail("/name", f"the workspace already has a connection '{name}'")
    return NameTaken(
        f"the connection '{name}' exists already",
        details=[fault],
        hint=("Choose another name, or replace the existing connection."),
    )


def damaged(name: str) -> InvalidConnection:
    """Return the error for a connection whose row in the database is damaged."""
    return InvalidConnection(
        f"the connection '{name[:100]}' cannot be read: its row in the database is damaged",
        hint=_RESTORE,
    )


def _gone(name: str) -> UnknownConnection:
    return UnknownConnection(
        f"no stored connection is named '{name[:100]}'", hint=NextStep("connections")
    )


def conflict(name: str) -> VersionConflict:
    """Return the error for a connection whose version has changed."""
    fault = Detail("/version", "is not the connection's current version")
    return VersionConflict(
        f"the connection '{name}' was changed in the meantime",
        details=[fault],
        hint="Reload it, then repeat your change.",
    )
