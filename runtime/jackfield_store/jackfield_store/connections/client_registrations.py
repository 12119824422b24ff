"""Clients that were registered at providers named by servers (RFC 7591), and the document by which
providers know this installation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jackfield.kernel.errors import InvalidConnection
from jackfield.wire.guard import Guard
from jackfield_store.database import Row, SealBroken
from jackfield_store.keys.vault import SealedTable, Vault

if TYPE_CHECKING:
    from jackfield.kernel.clock import Clock
    from jackfield_store.connections.authorizations import Authorizations
    from jackfield_store.connections.connection_table import ConnectionTable
    from jackfield_store.connections.grants import GrantTable

CALLBACK = "/oauth2/callback"
"""Path of the redirect URI of this installation's server. Operators register it at a provider once,
for all surfaces.
"""
DOCUMENT = "/oauth2/client-metadata.json"
"""Path of the metadata document of this installation's client."""
_LASTS = 30 * 86_400.0
"""Seconds after which a client is registered again for new connections: a provider may have
silently dropped it.
"""
_SPARE = 3_600.0
"""Seconds for which a used client's secret must still be valid."""
_MOST = 1_000
"""Maximum number of a workspace's stored clients; further ones are registered for each
connection.
"""
_FIND = (
    "SELECT workspace, digest, sealed, created_at FROM client_registrations WHERE workspace "
    "= :workspace AND digest = :digest"
)
_COUNT = "SELECT COUNT(*) AS n FROM client_registrations WHERE workspace = :workspace"
_PUT = """
INSERT INTO client_registrations (workspace, digest, sealed, created_at) VALUES (:workspace, :digest, :sealed, :now)
ON CONFLICT (workspace, digest) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at
"""
_DROP = (
    "DELETE FROM client_registrations WHERE workspace = :workspace AND digest = :digest AND "
    "sealed = :sealed"
)

Json = Mapping[str, Any]


def client_document(public_url: str) -> dict[str, Any] | None:
    """Return the metadata of this installation's own client, for providers that read such documents
    (draft-ietf-oauth-client-id-metadata-document). Return None if providers cannot reach it: it has
    to be public, by https.
    """
    parts = urlsplit(public_url)
    if parts.scheme != "https" or not parts.hostname or not Guard().permits(parts.hostname):
        return None
    return {
        "client_id": f"{public_url}{DOCUMENT}",
        "client_name": "jackfield",
        "client_uri": public_url,
        "redirect_uris": [f"{public_url}{CALLBACK}"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    }


class ClientRegistrationTable(SealedTable):
    """Registered clients of one workspace. Thread-safe."""

    def at(self, redirect_uri: str, public_url: str) -> RegistrationsAt:
        """Return the clients for one redirect URI; ``public_url`` is the address of this
        installation's server, if it has one.
        """
        document = client_document(public_url)
        known = document is not None and redirect_uri in document["redirect_uris"]
        return RegistrationsAt(
            self, redirect_uri, document["client_id"] if document is not None and known else ""
        )

    def find(self, digest: str) -> dict[str, Any] | None:
        """Return a client that is valid for a while; None without such a client.

        :raises InvalidConnection: if its row was changed in the database.
        """
        row = self._database.look_up(_FIND, {"workspace": self._workspace, "digest": digest})
        if row is None:
            return None
        client, now = self._opened(row), self._clock.time()
        ends = client.get("expiresAt") or now + _LASTS
        return client if row.created_at + _LASTS > now and ends > now + _SPARE else None

    def keep(self, digest: str, client: Json) -> dict[str, Any]:
        """Store a client unless another process has stored one, and return the stored client."""
        vault = self._vault()
        vault.prepare(self._workspace)
        sealed = vault.seal(self._workspace, _place(digest), json.dumps(dict(client)).encode())
        with self._database.write() as transaction:
            first = self.find(digest)
            if first is not None:
                return first
            if transaction.execute(_COUNT, {"workspace": self._workspace})[0].n < _MOST:
                transaction.change(
                    _PUT,
                    {
                        "workspace": self._workspace,
                        "digest": digest,
                        "sealed": sealed,
                        "now": self._clock.time(),
                    },
                )
        return dict(client)

    def drop(self, digest: str, identifier: str) -> None:
        """Forget a client, unless another client was registered since."""
        row = self._database.look_up(_FIND, {"workspace": self._workspace, "digest": digest})
        if row is not None and self._opened(row).get("id") == identifier:
            with self._database.write() as transaction:
                transaction.change(
                    _DROP, {"workspace": self._workspace, "digest": digest, "sealed": row.sealed}
                )

    def _opened(self, row: Row) -> dict[str, Any]:
        try:
            return opened_registration(self._vault(), row)
        except SealBroken:
            text = (
                "a client that was registered at the provider cannot be used: its row was "
                "changed in the database"
            )
            raise InvalidConnection(
                text, hint="Find out who else writes to the database."
            ) from None


def approval_tables(
    store: ConnectionTable, clock: Clock
) -> tuple[GrantTable, Authorizations, Callable[[str], RegistrationsAt]]:
    """Return the tables of a workspace's approvals: its grants, its pending authorizations, and
    registered clients by redirect URI. ``store`` has its connections.
    """
    table = ClientRegistrationTable(store.database, lambda: store.vault, store.workspace, clock)
    return (*store.approvals, lambda redirect_uri: table.at(redirect_uri, store.public_url()))


class RegistrationsAt:
    """Registered clients of one workspace for one redirect URI. ``document`` is the URL of its
    client's metadata document, if any.
    """

    def __init__(self, table: ClientRegistrationTable, redirect_uri: str, document: str) -> None:
        self._table, self._redirect_uri, self.document = table, redirect_uri, document

    def find(self, issuer: str, server: str) -> dict[str, Any] | None:
        """Return the client for the connections to ``server`` at a provider; None if none is
        registered.
        """
        return self._table.find(self._digest(issuer, server))

    def keep(self, issuer: str, server: str, client: Json) -> dict[str, Any]:
        """Store a newly registered client, and return the client to use."""
        return self._table.keep(self._digest(issuer, server), client)

    def drop(self, issuer: str, server: str, identifier: str) -> None:
        """Forget a client that the provider no longer accepts."""
        self._table.drop(self._digest(issuer, server), identifier)

    def _digest(self, issuer: str, server: str) -> str:
        return hashlib.sha256(json.dumps([issuer, server, self._redirect_uri]).encode()).hexdigest()


def opened_registration(vault: Vault, row: Row) -> dict[str, Any]:
    """Return the client in a row.

    :raises SealBroken: if the row was changed in the database.
    """
    found: dict[str, Any] = json.loads(vault.open(row.workspace, _place(row.digest), row.sealed))
    return found


def _place(digest: str) -> tuple[str, ...]:
    return ("client-registration", digest)
