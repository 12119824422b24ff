"""Pending authorizations: a person is at the provider, or has a device's code, and has not approved yet.

Each is found by a secret ``state`` that only the person's browser and the provider see; the table holds its digest. It can be completed
once, within ten minutes, and by the browser that began it, if that is known.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jackfield.clock import Clock
from jackfield.database import Database, Row, Transaction, Vault
from jackfield.errors import InvalidInvocation

Flow = Literal["redirect", "device"]
Status = Literal["pending", "granted", "failed"]

WITHIN = 600.0
"""Seconds within which a person must approve."""
_KEPT = 24 * 3600.0
"""Seconds for which the outcome of an authorization can be read."""
_MOST = 100
"""Limit of pending authorizations of one connection."""

_INSERT = """
INSERT INTO authorizations (workspace, id, digest, connection_id, flow, sealed, status, expires_at, ask_at)
VALUES (:workspace, :id, :digest, :connection, :flow, :sealed, 'pending', :until, 0)
"""
_COLUMNS = "workspace, id, digest, connection_id, flow, sealed, status, reason, expires_at, ask_at"
_OWN = "WHERE workspace = :workspace AND id = :id"
_FIND = f"SELECT {_COLUMNS} FROM authorizations {_OWN}"
_WORKSPACE = "SELECT workspace, id FROM authorizations WHERE digest = :digest"
_TAKE = f"UPDATE authorizations SET status = 'failed', reason = 'it was not completed' {_OWN} AND status = 'pending' AND expires_at > :now"
_ASK = f"UPDATE authorizations SET ask_at = :next, sealed = :sealed {_OWN} AND status = 'pending' AND ask_at <= :now AND expires_at > :now"
_SETTLE = f"UPDATE authorizations SET status = :status, reason = :reason, sealed = NULL {_OWN}"
_COUNT = """
SELECT COUNT(*) AS pending FROM authorizations
WHERE workspace = :workspace AND connection_id = :connection AND status = 'pending' AND expires_at > :now
"""
_PURGE = "DELETE FROM authorizations WHERE workspace = :workspace AND expires_at < :before"


class UnknownAuthorizationError(InvalidInvocation):
    """There is no such authorization: it was completed, has expired, or belongs to another browser."""

    http_status = 404


@dataclass(frozen=True, slots=True, repr=False)
class Pending:
    """Authorization that waits for a person's approval. ``kept`` belongs to the connection type."""

    id: str
    connection: str
    flow: Flow
    status: Status
    reason: str | None
    expires_at: float
    kept: Mapping[str, Any]
    redirect_uri: str = ""
    return_to: str = ""
    by: str = ""


def find_workspace(database: Database, state: str) -> tuple[str, str] | None:
    """Return the workspace and the id of the authorization to which a provider's answer belongs; None if there is none."""
    with database.read() as transaction:
        row = transaction.find(_WORKSPACE, {"digest": _digest(state)})
    return None if row is None else (row.workspace, row.id)


class Authorizations:
    """Pending authorizations of one workspace. Thread-safe."""

    def __init__(self, database: Database, vault: Callable[[], Vault], workspace: str, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._clock = clock

    def begin(self, connection: str, flow: Flow, state: str, kept: Mapping[str, Any], within: float = WITHIN, **about: str) -> Pending:
        """Store an authorization that has begun. ``about`` are its ``redirect_uri``, ``return_to``, ``by`` and ``browser``.

        :raises InvalidInvocation: if too many of this connection are pending.
        """
        now, identifier = self._clock.time(), str(uuid.uuid4())
        row = {"workspace": self._workspace, "id": identifier, "connection": connection, "flow": flow, "now": now}
        sealed = self._sealed(identifier, {"kept": dict(kept), **about})
        with self._database.write() as transaction:
            transaction.change(_PURGE, {"workspace": self._workspace, "before": now - _KEPT})
            counted = transaction.find(_COUNT, row)
            if counted is not None and counted.pending >= _MOST:
                raise InvalidInvocation("too many authorizations of this connection are pending", hint="Complete one, or wait ten minutes.")
            transaction.change(_INSERT, {**row, "digest": _digest(state), "sealed": sealed, "until": now + min(within, 3600.0)})
        return self.find(identifier)

    def find(self, identifier: str) -> Pending:
        """Return an authorization.

        :raises UnknownAuthorizationError: if there is none.
        """
        with self._database.read() as transaction:
            row = transaction.find(_FIND, {"workspace": self._workspace, "id": identifier})
        if row is None:
            raise unknown()
        return self._pending(row)[0]

    def take(self, identifier: str, state: str, browser: str = "") -> Pending:
        """Take an authorization to complete it. Nobody can take it again, whether or not that succeeds.

        :raises UnknownAuthorizationError: if the state is not its own, or it has expired, was taken before, or was begun by another
            browser.
        """
        place = {"workspace": self._workspace, "id": identifier, "now": self._clock.time()}
        with self._database.write() as transaction:
            row = transaction.find(_FIND, place)
            if row is None or row.sealed is None or not hmac.compare_digest(row.digest, _digest(state)):
                raise unknown()
            found, own = self._pending(row)
            if own and not hmac.compare_digest(own.encode(), browser.encode()):
                raise unknown()
            if not transaction.change(_TAKE, place):
                raise unknown()
        return found

    def turn(self, found: Pending, pause: float, kept: Mapping[str, Any] | None = None) -> bool:
        """Return whether it is this process's turn to ask the provider about a device; the next turn is after ``pause`` seconds."""
        now = self._clock.time()
        values = {"workspace": self._workspace, "id": found.id, "now": now, "next": now + pause}
        sealed = self._sealed(found.id, {"kept": dict(kept or found.kept), "by": found.by})
        with self._database.write() as transaction:
            return bool(transaction.change(_ASK, {**values, "sealed": sealed}))

    def settling(self, identifier: str, status: Status, reason: str | None = None) -> Callable[[Transaction], None]:
        """Return the unit that records the outcome."""
        values = {"workspace": self._workspace, "id": identifier, "status": status, "reason": reason}

        def unit(transaction: Transaction) -> None:
            transaction.change(_SETTLE, values)

        return unit

    def fail(self, identifier: str, reason: str) -> None:
        """Record that an authorization has failed."""
        with self._database.write() as transaction:
            self.settling(identifier, "failed", reason)(transaction)

    def _sealed(self, identifier: str, value: Mapping[str, Any]) -> bytes:
        return self._vault().seal(self._workspace, ("authorization", identifier), json.dumps(value, separators=(",", ":")).encode())

    def _pending(self, row: Row) -> tuple[Pending, str]:
        """Return an authorization and the secret of the browser that began it."""
        about: dict[str, Any] = {}
        if row.sealed is not None:
            about = json.loads(self._vault().open(self._workspace, ("authorization", row.id), row.sealed))
        late = row.status == "pending" and row.expires_at <= self._clock.time()
        status: Status = "failed" if late else row.status
        reason = "nobody approved in time" if late else row.reason
        found = Pending(
            row.id, row.connection_id, row.flow, status, reason, row.expires_at, about.get("kept", {}), about.get("redirect_uri", ""),
            about.get("return_to", ""), about.get("by", ""),
        )  # fmt: skip
        return found, about.get("browser", "")


def new_state() -> str:
    """Return a new secret of 256 bits, to protect against forged answers (RFC 6749 §10.12)."""
    return secrets.token_urlsafe(32)


def unknown() -> UnknownAuthorizationError:
    """Return the error for an authorization that cannot be completed; it does not say why."""
    return UnknownAuthorizationError(
        "there is no such authorization: it was completed before, has expired, or was begun elsewhere", hint="Connect again."
    )


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()
