"""Sessions of the console and the one-time links that start them, stored in the database so that
every process knows them and a sign-out ends them everywhere. Only the SHA-256 of 256 random bits is
stored, and each row has a seal: neither reading nor writing the table lets anybody sign in.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield_store.database import Row, Transaction
from jackfield_store.keys.sealing import digest
from jackfield_store.keys.vault import SealedTable

_LOG = logging.getLogger("jackfield.access")

LINK_LASTS = 600.0
"""Seconds for which a one-time link is valid."""
IDLE = 3600.0
"""Idle timeout in seconds: a session ends this long after the last request of a person."""
LASTS = 12 * 3600.0
"""Maximum age of a session in seconds, active or not."""
_NOTED_EVERY = 60.0
"""Seconds between two records of a session's use."""
_INSERT = """
INSERT INTO console_sessions (workspace, digest, kind, identity, created_at, seen_at, expires_at, seal)
VALUES (:workspace, :digest, :kind, :identity, :created_at, :created_at, :expires_at, :seal)
"""
_FIND = """
SELECT identity, created_at, seen_at, expires_at, seal FROM console_sessions
WHERE workspace = :workspace AND digest = :digest AND kind = :kind
"""
_SPEND = (
    "DELETE FROM console_sessions WHERE workspace = :workspace AND digest = :digest AND kind "
    "= 'link' AND expires_at > :now"
)
_SEEN = (
    "UPDATE console_sessions SET seen_at = :now WHERE workspace = :workspace AND digest = :digest"
)
_END = "DELETE FROM console_sessions WHERE workspace = :workspace AND digest = :digest"
_PURGE = (
    "DELETE FROM console_sessions WHERE workspace = :workspace AND (expires_at <= :now OR "
    "(kind = 'session' AND seen_at <= :idle))"
)
_END_ALL = "DELETE FROM console_sessions WHERE workspace = :workspace"


def end_sessions(transaction: Transaction, workspace: str) -> int:
    """Sign everybody out of a workspace, in a change of it, and end its one-time links; return the
    number of ended sessions and links.
    """
    return transaction.change(_END_ALL, {"workspace": workspace})


@dataclass(frozen=True, slots=True)
class Session:
    """Session of a signed-in person. ``identity`` has the console's data from the sign-in; times
    are seconds since 1970.
    """

    identity: Mapping[str, Any]
    created_at: float
    seen_at: float
    expires_at: float


class Sessions(SealedTable):
    """Sessions of one workspace."""

    def make_link(self) -> str:
        """Create a one-time link, valid for ten minutes, and return its secret."""
        return self._create_session("link", {}, LINK_LASTS)

    def spend_link(self, secret: str) -> bool:
        """Use up a one-time link; return False if it is unknown, expired or already used. Only one
        of several concurrent attempts succeeds.
        """
        if self._sealed(secret, "link") is None:
            return False
        values = {**self._of(secret), "now": self._clock.time()}
        return bool(self._database.record(lambda transaction: transaction.change(_SPEND, values)))

    def begin(self, identity: Mapping[str, Any], lasts: float = LASTS) -> str:
        """Start a session of at most ``lasts`` seconds and return its secret."""
        return self._create_session("session", identity, min(lasts, LASTS))

    def find(self, secret: str, *, touch: bool = True) -> Session | None:
        """Return the session of this secret; None if it is unknown or expired. ``touch`` counts the
        request as a person's.
        """
        now = self._clock.time()
        row = self._sealed(secret, "session")
        if row is None or row.expires_at <= now or row.seen_at <= now - IDLE:
            return None
        if touch and row.seen_at <= now - _NOTED_EVERY:
            values = {**self._of(secret), "now": now}
            self._database.record(lambda transaction: transaction.change(_SEEN, values))
        return Session(json.loads(row.identity), row.created_at, row.seen_at, row.expires_at)

    def end(self, secret: str) -> None:
        """Sign out."""
        values = self._of(secret)
        self._database.record(lambda transaction: transaction.change(_END, values))

    def _create_session(self, kind: str, identity: Mapping[str, Any], lasts: float) -> str:
        secret, now = secrets.token_urlsafe(32), self._clock.time()
        over = {"workspace": self._workspace, "now": now, "idle": now - IDLE}
        values = {
            **self._of(secret),
            "kind": kind,
            "identity": json.dumps(identity),
            "created_at": now,
            "expires_at": now + lasts,
        }
        place = _place(secret, kind, values["identity"], now, now + lasts)
        values["seal"] = self._vault().attest(self._workspace, place)
        self._database.record(
            lambda transaction: (
                transaction.change(_PURGE, over),
                transaction.change(_INSERT, values),
            )
        )
        return secret

    def _sealed(self, secret: str, kind: str) -> Row | None:
        """Return the row of this secret; None if it is missing, or not as jackfield stored it."""
        with self._database.read(flush=False) as transaction:
            row = transaction.find(_FIND, {**self._of(secret), "kind": kind})
        if row is None:
            return None
        if not self._vault().attests(
            self._workspace,
            _place(secret, kind, row.identity, row.created_at, row.expires_at),
            row.seal,
        ):
            _LOG.warning(
                "a %s of the console was refused: its row in the database was changed, or "
                "another version wrote it",
                kind,
            )
            return None
        return row

    def _of(self, secret: str) -> dict[str, Any]:
        return {"workspace": self._workspace, "digest": digest(secret)}


def _place(
    secret: str, kind: str, identity: str, created_at: float, expires_at: float
) -> tuple[str, ...]:
    """Return the values that a seal binds. The time of the last use is not among them, since every
    process writes it.
    """
    return ("console", kind, digest(secret), identity, json.dumps([created_at, expires_at]))
