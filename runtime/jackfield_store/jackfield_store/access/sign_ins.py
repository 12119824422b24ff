"""Sign-ins of people at the operator's identity provider: pending ones, sessions, and invitations
to a role.

A row is sealed for its ID, so that write access to the database is not enough to sign anyone in or
extend a sign-in. The sealed part holds refresh tokens. The browser stores a pending sign-in,
sealed: requests to sign in cannot fill the database.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.clock import Clock
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Unavailable
from jackfield_store.access.sessions import LASTS
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.faults import SealBroken
from jackfield_store.keys.sealing import digest
from jackfield_store.keys.vault import Vault
from jackfield_store.keys.workspace_wrappers import HOME

BEGUN_LASTS = 600.0
"""Seconds that a person has to sign in at the provider."""
INVITATION_LASTS = 24 * 3600.0
"""Seconds for which an invitation to a role is valid."""
_TURN = 30.0
"""Seconds for which one process has the turn to renew a sign-in."""
_LONGEST = 4_000
"""Maximum length of a pending sign-in's cookie, in characters."""
_INSERT = """
INSERT INTO sign_ins (id, kind, person, session, sealed, turn, expires_at)
VALUES (:id, :kind, :person, :session, :sealed, 0, :expires_at) ON CONFLICT (id) DO NOTHING
"""
_FIND = (
    "SELECT id, kind, sealed, turn, expires_at FROM sign_ins WHERE id = :id AND kind = :kind "
    "AND expires_at > :now"
)
_SPEND = "DELETE FROM sign_ins WHERE id = :id AND kind = 'invitation' AND expires_at > :now"
_TAKE = "UPDATE sign_ins SET turn = :until WHERE id = :id AND turn <= :now"
_RENEW = "UPDATE sign_ins SET sealed = :sealed, turn = 0 WHERE id = :id"
_GIVE_BACK = "UPDATE sign_ins SET turn = 0 WHERE id = :id"
_NEWEST = (
    "SELECT id, sealed FROM sign_ins WHERE kind = 'person' AND person = :key AND expires_at "
    "> :now ORDER BY expires_at DESC LIMIT 1"
)
_END = "DELETE FROM sign_ins WHERE id = :id"
_OF = "SELECT id, sealed FROM sign_ins WHERE kind = 'person' AND {of} = :key"
_END_OF = "DELETE FROM sign_ins WHERE kind = 'person' AND {of} = :key"
_PURGE = "DELETE FROM sign_ins WHERE expires_at <= :now"


@dataclass(frozen=True, slots=True)
class Person:
    """Person as described by the provider at ``verified_at``. ``session`` is the provider's
    ``sid``; times are seconds since 1970.
    """

    issuer: str
    subject: str
    name: str = ""
    groups: tuple[str, ...] = ()
    session: str = ""
    nonce: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    verified_at: float = 0.0

    @property
    def id(self) -> str:
        """Identity in the journal and the audit log; an issuer has no fragment (OpenID Connect Core
        §2).
        """
        return f"{self.issuer}#{self.subject}"

    def to_json(self) -> dict[str, Any]:
        """Return the sealed part."""
        return {
            "issuer": self.issuer,
            "subject": self.subject,
            "name": self.name,
            "groups": list(self.groups),
            "session": self.session,
            "nonce": self.nonce,
            "refresh": self.refresh,
            "verifiedAt": self.verified_at,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Person:
        """Read an object that ``to_json`` has made."""
        return cls(
            found["issuer"],
            found["subject"],
            found["name"],
            tuple(found["groups"]),
            found["session"],
            found["nonce"],
            found["refresh"],
            found["verifiedAt"],
        )


class SignIns:
    """Sign-ins of all people. They belong to no workspace and are sealed with the key of the
    operator's workspace.
    """

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database, self._vault, self._clock = database, vault, clock

    def packed(self, state: str, members: Mapping[str, Any]) -> str:
        """Seal a pending sign-in as the text of a cookie, valid for ten minutes and for one
        ``state``.
        """
        kept = {**members, "expiresAt": self._clock.time() + BEGUN_LASTS}
        return self._vault.seal_text(HOME, _place("begun", state), json.dumps(kept).encode())

    def unpacked(self, state: str, text: str) -> dict[str, Any] | None:
        """Return the value given to ``packed``; None if it was for another state, has expired, or
        was made elsewhere.
        """
        if not text or len(text) > _LONGEST:
            return None
        try:
            kept: dict[str, Any] = json.loads(
                self._vault.open_text(HOME, _place("begun", state), text)
            )
        except (SealBroken, Unavailable, ValueError):
            return None
        return kept if kept["expiresAt"] > self._clock.time() else None

    def answered(self, state: str) -> bool:
        """Use up the ``state`` of a sign-in; return False if that was done before. Only one of
        several concurrent attempts succeeds.
        """
        return self._store_row("answer", digest(state), {}, BEGUN_LASTS)

    def begin(self, person: Person, lasts: float = LASTS) -> str:
        """Store a sign-in for at most ``lasts`` seconds and return its ID, which no browser ever
        sees.
        """
        identifier = secrets.token_urlsafe(32)
        self._store_row("person", identifier, person.to_json(), lasts, person)
        return identifier

    def find(self, identifier: str) -> Person | None:
        """Return a sign-in; None if it was ended or has expired."""
        found = self._find_members("person", identifier)
        return None if found is None else Person.from_json(found)

    def newest(self, issuer: str, subject: str) -> Person | None:
        """Return the newest sign-in of a person; None if no sign-in is left."""
        row = self._database.look_up(
            _NEWEST, {"key": self._key(issuer, subject), "now": self._clock.time()}
        )
        found = None if row is None else self._open_row(row, "person")
        return None if found is None else Person.from_json(found)

    def take_turn(self, identifier: str) -> bool:
        """Take the turn to renew a sign-in, since a refresh token is used once. Return False if
        another process has the turn.
        """
        now = self._clock.time()
        values = {"id": identifier, "now": now, "until": now + _TURN}
        return bool(self._database.record(lambda transaction: transaction.change(_TAKE, values)))

    def renew(self, identifier: str, person: Person) -> None:
        """Replace a sign-in by the provider's present data, and give the turn back. Its expiry
        stays.
        """
        with self._database.read() as transaction:
            row = transaction.find(
                _FIND, {"id": identifier, "kind": "person", "now": self._clock.time()}
            )
        if row is not None and (found := self._open_row(row, "person")) is not None:
            values = {
                "id": identifier,
                "sealed": self._sealed("person", identifier, person.to_json(), found["expiresAt"]),
            }
            self._database.record(lambda transaction: transaction.change(_RENEW, values))

    def give_back(self, identifier: str) -> None:
        """Give the turn back without a renewal, so that another request may try."""
        self._database.record(
            lambda transaction: transaction.change(_GIVE_BACK, {"id": identifier})
        )

    def end(self, identifier: str) -> None:
        """End a sign-in, and with it every session of the console that it began."""
        self._database.record(lambda transaction: transaction.change(_END, {"id": identifier}))

    def end_at(self, issuer: str, subject: str, session: str) -> list[Person]:
        """End the sign-ins of a session at the provider, or of a person if no session is given;
        return the people who were signed in.
        """
        of, name = ("session", session) if session else ("person", subject)
        values = {"key": self._key(issuer, name)}

        def unit(transaction: Transaction) -> list[Row]:
            rows = list(transaction.execute(_OF.format(of=of), values))
            transaction.change(_END_OF.format(of=of), values)
            return rows

        found = [self._open_row(row, "person") for row in self._database.record(unit)]
        return [Person.from_json(one) for one in found if one is not None]

    def invite(self, role: str, workspace: str) -> str:
        """Create an invitation to a role, valid for a day, and return its secret."""
        secret = secrets.token_urlsafe(32)
        self._store_row(
            "invitation", digest(secret), {"role": role, "workspace": workspace}, INVITATION_LASTS
        )
        return secret

    def invited(self, secret: str, *, spend: bool = False) -> tuple[str, str] | None:
        """Return role and workspace of an invitation, and ``spend`` it; None if it is unknown,
        expired or spent.
        """
        identifier = digest(secret)
        found = self._find_members("invitation", identifier)
        values = {"id": identifier, "now": self._clock.time()}
        if found is None or (
            spend
            and not self._database.record(lambda transaction: transaction.change(_SPEND, values))
        ):
            return None
        return found["role"], found["workspace"]

    def _store_row(
        self,
        kind: str,
        identifier: str,
        members: Mapping[str, Any],
        lasts: float,
        person: Person | None = None,
    ) -> bool:
        now = self._clock.time()
        values = {
            "id": identifier,
            "kind": kind,
            "sealed": self._sealed(kind, identifier, members, now + lasts),
            "expires_at": now + lasts,
            "person": None if person is None else self._key(person.issuer, person.subject),
            "session": None
            if person is None or not person.session
            else self._key(person.issuer, person.session),
        }

        def unit(transaction: Any) -> bool:
            transaction.change(_PURGE, {"now": now})
            return bool(transaction.change(_INSERT, values))

        return self._database.record(unit)

    def _key(self, issuer: str, name: str) -> str:
        """Return the key by which a person, or a session at the provider, is found."""
        return self._vault.hmac(HOME, json.dumps(["sign-in", issuer, name]).encode())

    def _sealed(
        self, kind: str, identifier: str, members: Mapping[str, Any], expires_at: float
    ) -> bytes:
        return self._vault.seal(
            HOME,
            _place(kind, identifier),
            json.dumps({**members, "expiresAt": expires_at}).encode(),
        )

    def _find_members(self, kind: str, identifier: str) -> dict[str, Any] | None:
        with self._database.read() as transaction:
            row = transaction.find(
                _FIND, {"id": identifier, "kind": kind, "now": self._clock.time()}
            )
        return None if row is None else self._open_row(row, kind)

    def _open_row(self, row: Row, kind: str) -> dict[str, Any] | None:
        """Open a row; None if it was changed in the database, or its sealed expiry has passed."""
        try:
            found: dict[str, Any] = json.loads(
                self._vault.open(HOME, _place(kind, row.id), row.sealed)
            )
        except SealBroken:
            return None
        return found if found["expiresAt"] > self._clock.time() else None


def _place(kind: str, identifier: str) -> tuple[str, ...]:
    return ("sign-in", kind, identifier)
