"""OAuth clients in the database: a workspace's, and the server's, which belong to the workspace
``default``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from jackfield.connections.named_connection import Origin
from jackfield.connections.oauth_clients import SECRETS, OAuthClient
from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.clock import Clock
from jackfield.kernel.errors import InvalidConnection
from jackfield.kernel.stored_values import like_literal, parsed_object
from jackfield.manifest.manifest import OAUTH_CLIENT
from jackfield_store.database import Database, Row, SealBroken, Transaction, UniqueViolation
from jackfield_store.database.epoch import EpochCache
from jackfield_store.keys.vault import SealedTable, Vault

SERVER = "default"
"""Workspace whose clients all workspaces can use."""
COLUMNS = "workspace, name, version, origin, hosts, public_values, sealed, created_at, updated_at"
_CACHED = 500
_FIND = f"""
SELECT {COLUMNS} FROM oauth_clients WHERE name = :name AND workspace IN (:workspace, '{SERVER}')
ORDER BY CASE WHEN workspace = :workspace THEN 0 ELSE 1 END LIMIT 1
"""
_ONE = f"SELECT {COLUMNS} FROM oauth_clients WHERE workspace = :workspace AND name = :name"
_LIST = f"""
SELECT {COLUMNS} FROM oauth_clients own WHERE name > :after AND (workspace = :workspace OR (workspace = '{SERVER}' AND NOT EXISTS (
    SELECT 1 FROM oauth_clients hiding WHERE hiding.workspace = :workspace AND hiding.name = own.name
))) ORDER BY name LIMIT :limit
"""
_INSERT = f"""
INSERT INTO oauth_clients ({COLUMNS})
VALUES (:workspace, :name, 1, :origin, :hosts, :public_values, :sealed, :now, :now)
"""
_UPDATE = """
UPDATE oauth_clients SET version = version + 1, origin = :origin, hosts = :hosts, public_values = :public_values, sealed = :sealed,
    updated_at = :now
WHERE workspace = :workspace AND name = :name AND version = :version
"""
_REMOVE = "DELETE FROM oauth_clients WHERE workspace = :workspace AND name = :name"
# LIKE of SQLite takes upper case for lower case
_EXACTLY = "AND REPLACE(public_values, :mention, '') <> public_values"
_USERS = f"""
SELECT workspace, name FROM connections WHERE public_values LIKE :text ESCAPE '!' {_EXACTLY} {{where}} ORDER BY workspace, name LIMIT 1000
"""
_LOST = f"""
UPDATE connections SET status = 'expired' WHERE status <> 'expired' AND public_values LIKE :text ESCAPE '!' {_EXACTLY} {{where}}
AND NOT EXISTS (SELECT 1 FROM oauth_clients other WHERE other.workspace IN (connections.workspace, '{SERVER}') AND other.name = :name)
"""
_OWN_USERS = "AND workspace = :workspace"
_SERVERS_USERS = """AND NOT EXISTS (
    SELECT 1 FROM oauth_clients hiding
    WHERE hiding.workspace = connections.workspace AND hiding.name = :name AND hiding.workspace <> :workspace
)"""


class OAuthClientTable(SealedTable):
    """OAuth clients of one workspace. ``find`` returns the same object while the client's version
    is the same. Thread-safe.
    """

    def __init__(
        self, database: Database, vault: Callable[[], Vault], workspace: str, clock: Clock
    ) -> None:
        super().__init__(database, vault, workspace, clock)
        self._read: BoundedCache[str, tuple[tuple[object, ...], OAuthClient]] = BoundedCache(
            _CACHED
        )
        self._known: EpochCache[str, OAuthClient | None] = EpochCache(database.epoch, _CACHED)

    def find(self, name: str) -> OAuthClient | None:
        """Return the client of this name: the workspace's own, else the server's; None without
        either.

        :raises InvalidConnection: if its row was changed in the database.
        """
        return self._known.find(name, partial(self._find_client, name))

    def _find_client(self, name: str) -> OAuthClient | None:
        row = self.visible_row(name)
        if row is None:
            return None
        about = (
            row.workspace,
            row.version,
            row.origin,
            row.hosts,
            row.public_values,
            bytes(row.sealed),
        )
        known = self._read.get(name)
        if known is not None and known[0] == about:
            return known[1]
        found = opened(self._vault(), row)
        self._read.put(name, (about, found))
        return found

    def visible_row(self, name: str) -> Row | None:
        """Return the row of the workspace's own client, else the server's; None without either."""
        return self._database.look_up(_FIND, {"workspace": self._workspace, "name": name})

    def row(self, name: str) -> Row | None:
        """Return the row of the workspace's own client; None without such a client."""
        return self._database.look_up(_ONE, {"workspace": self._workspace, "name": name})

    def page(self, after: str, limit: int) -> Sequence[Row]:
        """Return rows of clients by name: the workspace's own, and the server's, unless the
        workspace has a client of that name.
        """
        with self._database.read(flush=False) as transaction:
            return transaction.execute(
                _LIST, {"workspace": self._workspace, "after": after, "limit": limit}
            )

    def add(
        self,
        transaction: Transaction,
        name: str,
        origin: Origin,
        hosts: Sequence[str],
        values: Mapping[str, Any],
    ) -> bool:
        """Store a new client; return False if the name is taken."""
        if transaction.find(_ONE, {"workspace": self._workspace, "name": name}) is not None:
            return False
        try:
            with transaction.savepoint():
                transaction.change(_INSERT, self._values(name, 1, origin, hosts, values))
        except UniqueViolation:
            return False
        return True

    def replace(
        self,
        transaction: Transaction,
        name: str,
        version: int,
        origin: Origin,
        hosts: Sequence[str],
        values: Mapping[str, Any],
    ) -> bool:
        """Replace a version of a client; return False if ``version`` is not the present one."""
        row = {**self._values(name, version + 1, origin, hosts, values), "version": version}
        return transaction.change(_UPDATE, row) == 1

    def remove(self, transaction: Transaction, name: str) -> bool:
        """Delete a client; return False if it does not exist. Connections without a client are
        expired from then on.
        """
        if transaction.change(_REMOVE, {"workspace": self._workspace, "name": name}) != 1:
            return False
        transaction.change(_LOST.format(where=self._meaning), self._mention(name))
        return True

    def users(self, name: str) -> list[tuple[str, str]]:
        """Return workspace and name of up to 1,000 connections that use this client. It reads all
        connections that may use it.
        """
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(_USERS.format(where=self._meaning), self._mention(name))
        return [(row.workspace, row.name) for row in rows]

    @property
    def _meaning(self) -> str:
        """SQL condition of connections that use this workspace's client, if they refer to its
        name.
        """
        return _SERVERS_USERS if self._workspace == SERVER else _OWN_USERS

    def _mention(self, name: str) -> dict[str, Any]:
        mention = f'"{OAUTH_CLIENT}": "{name}"'
        return {
            "workspace": self._workspace,
            "name": name,
            "mention": mention,
            "text": f"%{like_literal(mention)}%",
        }

    def _values(
        self,
        name: str,
        version: int,
        origin: Origin,
        hosts: Sequence[str],
        values: Mapping[str, Any],
    ) -> dict[str, Any]:
        public = json.dumps(
            {key: value for key, value in values.items() if key not in SECRETS}, sort_keys=True
        )
        named, secrets = (
            json.dumps(list(hosts)),
            json.dumps({key: value for key, value in values.items() if key in SECRETS}),
        )
        sealed = self._vault().seal(
            self._workspace, client_place(name, version, origin, named, public), secrets.encode()
        )
        return {
            "workspace": self._workspace,
            "name": name,
            "origin": origin,
            "hosts": named,
            "public_values": public,
            "sealed": sealed,
            "now": self._clock.time(),
        }


def opened(vault: Vault, row: Row) -> OAuthClient:
    """Return the client in a row.

    :raises InvalidConnection: if the row was changed in the database.
    """
    try:
        secrets = opened_client(vault, row)
    except SealBroken:
        text = f"the OAuth client '{row.name}' cannot be used: its row was changed in the database"
        raise InvalidConnection(
            text, hint="Remove it and add it again. Then find out who else writes to the database."
        ) from None
    values = {**json.loads(row.public_values), **secrets}
    origin: Origin = "operator" if row.origin == "operator" else "remote"
    return OAuthClient(
        row.name, row.workspace, row.version, origin, tuple(json.loads(row.hosts)), values
    )


def opened_client(vault: Vault, row: Row) -> dict[str, Any]:
    """Return the secrets of a row.

    :raises SealBroken: if the row was changed in the database.
    """
    found: dict[str, Any] = json.loads(
        vault.open(
            row.workspace,
            client_place(row.name, row.version, row.origin, row.hosts, row.public_values),
            row.sealed,
        )
    )
    return found


def client_place(name: str, version: int, origin: str, hosts: str, public: str) -> tuple[str, ...]:
    """Return the place that the secrets of a client are sealed for: the facts that decide where
    they are sent.
    """
    return ("oauth-client", name, str(version), origin, hosts, public)


def identity_of(transaction: Transaction, workspace: str, name: str) -> list[str]:
    """Return the facts that approvals over a client are bound to: its owner, and its open values.
    Secrets and limits are not among these facts.
    """
    row = transaction.find(_FIND, {"workspace": workspace, "name": name})
    if row is None:
        return [name]
    values = {
        key: value for key, value in parsed_object(row.public_values).items() if key != "scopes"
    }
    return [name, row.workspace, json.dumps(values, sort_keys=True)]
