"""Tokens of platforms: each manages the workspaces whose names match its pattern, and can neither
run nor read anything in them.

They are in a table of their own, so that no query for a workspace's token can find one, in this
version or an older one.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from typing import Any

from jackfield.callers.actor import LIBRARY, Actor
from jackfield.invocation import new_invocation_id
from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield_store.access.audit import Audit
from jackfield_store.access.tokens import (
    NewToken,
    TokenTimes,
    is_well_formed,
    named,
    new_text,
    note_use,
    unknown_token,
)
from jackfield_store.access.workspaces import DEFAULT
from jackfield_store.database import Database, Row
from jackfield_store.database.faults import RowDamaged
from jackfield_store.keys.sealing import digest
from jackfield_store.keys.vault import Vault

_LOG = logging.getLogger("jackfield.access")
_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,100}\*?\Z|\*\Z")
_HOME = "platform:"
_COLUMNS = (
    "id, name, workspaces, digest, created_at, expires_at, revoked_at, last_used_at, "
    "created_by, seal"
)
_BOUND = ("name", "workspaces", "digest", "created_at", "expires_at", "revoked_at")
_FIND = f"SELECT {_COLUMNS} FROM platform_tokens WHERE id = :id"
_BY_DIGEST = f"SELECT {_COLUMNS} FROM platform_tokens WHERE digest = :digest"
_LIST = f"SELECT {_COLUMNS} FROM platform_tokens ORDER BY created_at DESC, id DESC LIMIT 1000"
_INSERT = """
INSERT INTO platform_tokens (id, name, workspaces, digest, created_at, expires_at, created_by, seal)
VALUES (:id, :name, :workspaces, :digest, :created_at, :expires_at, :created_by, :seal)
"""
_REVOKE = (
    "UPDATE platform_tokens SET revoked_at = :now, seal = :seal WHERE id = :id AND "
    "revoked_at IS NULL"
)
_NOTE_USE = (
    "UPDATE platform_tokens SET last_used_at = :now WHERE id = :id AND (last_used_at IS NULL "
    "OR last_used_at <= :before)"
)


@dataclass(frozen=True, slots=True)
class PlatformToken(TokenTimes):
    """Token of a platform. ``workspaces`` is the pattern of the names that it manages; times are
    seconds since 1970.
    """

    id: str
    name: str
    workspaces: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    created_by: str | None = None
    """Creator (``Actor.person``); None for tokens from before creators were recorded."""
    unreadable: bool = False
    """True if the token's row was changed in the database."""

    def to_json(self, now: float) -> dict[str, Any]:
        """Return the token as a JSON object."""
        about = {
            "id": self.id,
            "name": self.name,
            "kind": "platform",
            "workspaces": self.workspaces,
            "status": self.status(now),
        }
        return {**about, **self.times_to_json()}


def manages(pattern: str, workspace: str) -> bool:
    """Return whether a platform's token of ``pattern`` manages a workspace; no token manages the
    operator's own workspace.
    """
    fits = workspace.startswith(pattern[:-1]) if pattern.endswith("*") else workspace == pattern
    return fits and workspace != DEFAULT


def home_of(pattern: str) -> str:
    """Return the name for a platform's rows in tables of workspaces; no workspace can have it.

    :raises InvalidInvocation: if ``pattern`` is not the pattern of a token.
    """
    return f"{_HOME}{checked_pattern(pattern)}"


def pattern_of(home: str) -> str | None:
    """Return the pattern of the platform whose rows stand under a name; None for a workspace's
    token.
    """
    return home.removeprefix(_HOME) if home.startswith(_HOME) else None


def checked_pattern(workspaces: str) -> str:
    """Return the pattern of a platform's token.

    :raises InvalidInvocation: if the text is no pattern.
    """
    if not _PATTERN.match(workspaces):
        fault = Detail(
            "/workspaces",
            "must be a workspace's name, or the beginning of names and a '*'",
            "pattern",
        )
        raise InvalidInvocation(
            f"'{workspaces[:100]}' names no workspaces",
            details=[fault],
            hint="Write it as 'acme-*'.",
        )
    return workspaces


class PlatformTokens:
    """Tokens of platforms, for the operator: create, list, revoke. The audit log of the operator's
    workspace names ``actor``.
    """

    def __init__(
        self, database: Database, vault: Vault, clock: Clock, actor: Actor = LIBRARY
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._actor = actor
        self._audit = Audit(database, lambda: vault, DEFAULT, clock, actor)

    def create(
        self, workspaces: str, name: str = "", expires_at: float | None = None
    ) -> NewToken[PlatformToken]:
        """Create a token. Its text is returned only here; the database stores its SHA-256.

        :param workspaces: a workspace's name, or the beginning of names with ``*`` at its end.
        :raises InvalidInvocation: if the pattern, the name or the expiry is not valid.
        """
        checked_pattern(workspaces)
        now = self._clock.time()
        token = PlatformToken(
            new_invocation_id(), named(name, expires_at, now), workspaces, now, expires_at
        )
        text = new_text()
        values = {
            "id": token.id,
            "name": token.name,
            "workspaces": workspaces,
            "digest": digest(text),
            "created_at": now,
            "expires_at": expires_at,
            "revoked_at": None,
            "created_by": self._actor.person,
        }
        seal = self._vault.attest(DEFAULT, _place(values))
        about = {
            "name": token.name,
            "kind": "platform",
            "workspaces": workspaces,
            "expiresAt": iso(expires_at),
        }
        with self._database.write() as transaction:
            transaction.change(
                _INSERT,
                {
                    **{key: value for key, value in values.items() if key != "revoked_at"},
                    "seal": seal,
                },
            )
            self._audit.append(transaction, "token.created", f"token:{token.id}", about)
        return NewToken(text, token)

    def find(self, identifier: str) -> PlatformToken:
        """Return a token.

        :raises UnknownToken: if no token has this ID.
        """
        with self._database.read(flush=False) as transaction:
            row = transaction.find(_FIND, {"id": identifier})
        if row is None:
            raise unknown_token(identifier)
        return replace(_token_from(row), unreadable=not _is_sealed(self._vault, row))

    def list(self) -> list[PlatformToken]:
        """List up to 1,000 tokens, newest first, revoked and expired ones included."""
        with self._database.read(flush=False) as transaction:
            return [_token_from(row) for row in transaction.execute(_LIST, {})]

    def revoke(self, identifier: str) -> PlatformToken:
        """Revoke a token for good. Revoking it again changes nothing.

        :raises UnknownToken: if no token has this ID.
        """
        now = self._clock.time()
        self._vault.prepare(DEFAULT)
        with self._database.write() as transaction:
            row = transaction.find(_FIND, {"id": identifier})
            if row is None:
                raise unknown_token(identifier)
            seal = self._vault.attest(DEFAULT, _place({**row.as_dict(), "revoked_at": now}))
            if not _is_sealed(self._vault, row):
                seal = b""  # what somebody has changed stays refused
            if not transaction.change(_REVOKE, {"id": identifier, "now": now, "seal": seal}):
                return _token_from(row)
            self._audit.append(
                transaction, "token.revoked", f"token:{identifier}", {"name": row.name}
            )
            return replace(_token_from(row), revoked_at=now)

    def stands(self, identifier: str) -> bool:
        """Return whether a token is active and intact."""
        with self._database.read(flush=False) as transaction:
            row = transaction.find(_FIND, {"id": identifier})
        return (
            row is not None
            and _is_sealed(self._vault, row)
            and _token_from(row).status(self._clock.time()) == "active"
        )

    @classmethod
    def authenticate(
        cls, database: Database, vault: Vault, clock: Clock, text: str
    ) -> PlatformToken | None:
        """Return the token with this text; None if it is unknown, expired or revoked, with the
        reason in the log.

        :raises RowDamaged: if its row was changed in the database.
        """
        if not is_well_formed(text):
            return None
        wanted = digest(text)
        with database.read(flush=False) as transaction:
            row = transaction.find(_BY_DIGEST, {"digest": wanted})
        if row is None or not hmac.compare_digest(row.digest, wanted):
            _LOG.warning("a token was refused: it does not exist")
            return None
        if not _is_sealed(vault, row):
            raise RowDamaged(
                f"the platform's token {row.id} was changed in the database",
                hint="Revoke it and create another one.",
            )
        token, now = _token_from(row), clock.time()
        if token.status(now) != "active":
            _LOG.warning(
                "the platform's token %s was refused: it is %s", token.id, token.status(now)
            )
            return None
        note_use(
            database,
            _NOTE_USE,
            {"id": token.id},
            token.last_used_at,
            now,
            f"the platform's token {token.id}",
        )
        return token


def _token_from(row: Row) -> PlatformToken:
    times = row.created_at, row.expires_at, row.revoked_at, row.last_used_at
    return PlatformToken(row.id, row.name, row.workspaces, *times, row.created_by)


def _place(row: dict[str, Any]) -> tuple[str, ...]:
    creator = () if row["created_by"] is None else (f"created by {row['created_by']}",)
    return (
        "platform-token",
        str(row["id"]),
        *(json.dumps(row[name], default=str) for name in _BOUND),
        *creator,
    )


def _is_sealed(vault: Vault, row: Row) -> bool:
    return vault.attests(DEFAULT, _place(row.as_dict()), row.seal)
