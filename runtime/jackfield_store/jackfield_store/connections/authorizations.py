"""Pending authorizations: a person is at the provider, or has a device's code, and has not approved
yet.

Each is found by a secret ``state`` that only the person's browser and the provider see; the table
holds its digest. Only its creator can complete it, once, within ten minutes: the console in the
same session, a caller of the API with the same token. For a caller of the API, the provider's
answer is stored on arrival (``answered``). The state is derived from the secret of a start link.
Only the answer of the browser that opens the link counts, and that browser gets a proof.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield_store.database import Database, Row, SealBroken, Transaction
from jackfield_store.keys.sealing import digest, new_secret
from jackfield_store.keys.vault import SealedTable

Flow = Literal["redirect", "device"]
Status = Literal["pending", "answered", "granted", "failed"]

WITHIN = 600.0
"""Seconds within which a person must approve."""
_KEPT = 24 * 3600.0
"""Seconds for which the outcome of an authorization can be read."""
_MOST = 100
"""Maximum number of pending authorizations of one connection."""

_INSERT = """
INSERT INTO authorizations (workspace, id, digest, connection_id, flow, sealed, status, expires_at, ask_at)
VALUES (:workspace, :id, :digest, :connection, :flow, :sealed, 'pending', :until, 0)
"""
_COLUMNS = "workspace, id, digest, connection_id, flow, sealed, status, reason, expires_at, ask_at"
_OWN = "WHERE workspace = :workspace AND id = :id"
_FIND = f"SELECT {_COLUMNS} FROM authorizations {_OWN}"
_WORKSPACE = "SELECT workspace, id FROM authorizations WHERE digest = :digest"
_TAKE = (
    f"UPDATE authorizations SET status = 'failed', reason = 'it was not completed' {_OWN} "
    "AND status = :before AND expires_at > :now"
)
_NOTE = (
    f"UPDATE authorizations SET status = :status, sealed = :sealed {_OWN} AND status = "
    "'pending' AND expires_at > :now AND sealed = :before"
)
_HOLD = (
    f"UPDATE authorizations SET sealed = :sealed {_OWN} AND status = 'answered' AND "
    "expires_at > :now AND sealed = :before"
)
_ASK = (
    f"UPDATE authorizations SET ask_at = :next, sealed = :sealed {_OWN} AND status = "
    "'pending' AND ask_at <= :now AND expires_at > :now"
)
_SETTLE = f"UPDATE authorizations SET status = :status, reason = :reason, sealed = NULL {_OWN}"
_COUNT = """
SELECT COUNT(*) AS pending FROM authorizations
WHERE workspace = :workspace AND connection_id = :connection AND status IN ('pending', 'answered') AND expires_at > :now
"""
_PURGE = "DELETE FROM authorizations WHERE workspace = :workspace AND expires_at < :before"


class UnknownAuthorizationError(InvalidInvocation):
    """Error for an authorization that was completed, has expired, or belongs to another browser."""

    http_status = 404


class NotAnsweredError(InvalidInvocation):
    """Error for an authorization whose person has not come back from the provider yet."""

    http_status = 409


class UnprovenAnswerError(InvalidInvocation):
    """Refusal to complete an authorization without proof that the caller's browser brought the
    provider's answer.
    """

    http_status = 403


@dataclass(frozen=True, slots=True, repr=False)
class Pending:
    """Authorization that waits for a person's approval. ``digest`` is its state's, ``over`` its
    connection's. ``kept`` belongs to the connection type; ``owner`` and ``session`` identify who
    may complete it. ``visitor`` is the secret of the browser that opened the start link, ``answer``
    the provider's answer, and ``proof`` the digest of the secret that the browser then got.
    ``grant`` is the result of exchanging the answer before the authorization is completed,
    ``account`` the grant's account: ID and label.
    """

    id: str
    digest: str
    connection: str
    flow: Flow
    status: Status
    reason: str | None
    expires_at: float
    kept: Mapping[str, Any]
    redirect_uri: str = ""
    return_to: str = ""
    by: str = ""
    owner: str = ""
    session: str = ""
    over: str = ""
    url: str = ""
    visitor: str = ""
    proof: str = ""
    answer: Mapping[str, str] = field(default_factory=dict)
    grant: Mapping[str, Any] = field(default_factory=dict)
    account: Sequence[str] = ()

    def proves(self, secret: str) -> bool:
        """Return whether a secret belongs to the browser that brought the answer."""
        return bool(self.proof) and hmac.compare_digest(self.proof, digest(secret))


_PLACE = "begun authorization"
"""Start of the place that the members are sealed for. Versions that completed an authorization in
any browser use another place and cannot open these members. The seal also binds the columns by
which an answer finds its authorization, the connection, and the expiry.
"""
_LATE = {"pending": "nobody approved in time", "answered": "nobody completed it in time"}
_SEALED = (
    "kept",
    "redirect_uri",
    "return_to",
    "by",
    "owner",
    "session",
    "over",
    "url",
    "visitor",
    "proof",
    "answer",
)
_LATER = ("grant", "account")
"""Members unknown to earlier versions: empty ones are not stored."""


def find_workspace(database: Database, state: str) -> tuple[str, str] | None:
    """Return the workspace and the id of the authorization to which a provider's answer belongs;
    None if no authorization has this state.
    """
    with database.read() as transaction:
        row = transaction.find(_WORKSPACE, {"digest": digest(state)})
    return None if row is None else (row.workspace, row.id)


class Authorizations(SealedTable):
    """Pending authorizations of one workspace. Thread-safe."""

    def begin(
        self,
        connection: str,
        flow: Flow,
        state: str,
        kept: Mapping[str, Any],
        within: float = WITHIN,
        **about: str,
    ) -> Pending:
        """Store a new authorization. ``about`` are further members of ``Pending``.

        :raises InvalidInvocation: if too many authorizations of this connection are pending.
        """
        now, identifier = self._clock.time(), str(uuid.uuid4())
        until, hashed = now + min(within, 3600.0), digest(state)
        row = {
            "workspace": self._workspace,
            "id": identifier,
            "connection": connection,
            "flow": flow,
            "now": now,
        }
        sealed = self._sealed(
            authorization_place(identifier, hashed, connection, flow, until),
            {"kept": dict(kept), **about},
        )
        with self._database.write() as transaction:
            transaction.change(_PURGE, {"workspace": self._workspace, "before": now - _KEPT})
            counted = transaction.find(_COUNT, row)
            if counted is not None and counted.pending >= _MOST:
                raise InvalidInvocation(
                    "too many authorizations of this connection are pending",
                    hint="Complete one, or wait ten minutes.",
                )
            transaction.change(_INSERT, {**row, "digest": hashed, "sealed": sealed, "until": until})
        return self.find(identifier)

    def find(self, identifier: str) -> Pending:
        """Return an authorization.

        :raises UnknownAuthorizationError: if there is no such authorization.
        """
        with self._database.read() as transaction:
            row = transaction.find(_FIND, {"workspace": self._workspace, "id": identifier})
        if row is None:
            raise unknown()
        return self._pending(row)

    def open(self, identifier: str, link: str, visitor: str) -> str:
        """Return the address at which the browser ``visitor`` approves; afterwards no other
        browser's answer counts.

        :raises UnknownAuthorizationError: if there is no such authorization, or another browser has
            opened the link before.
        """

        def opened(found: Pending) -> Pending | None:
            return (
                None
                if found.visitor and not _same(found.visitor, visitor)
                else replace(found, visitor=visitor)
            )

        return self._note(identifier, state_of(link), opened).url

    def note_answer(
        self, identifier: str, answer: Mapping[str, str], visitor: str
    ) -> tuple[Pending, str]:
        """Store the provider's answer for the authorization's owner. Return the authorization and
        the secret proof for the browser, an empty string if no start link was opened.

        :raises UnknownAuthorizationError: if the authorization does not exist, was answered before,
            or another browser has opened its start link.
        """
        secret = new_secret()

        def noted(found: Pending) -> Pending | None:
            if found.visitor and not _same(found.visitor, visitor):
                return None
            return replace(
                found,
                answer=answer,
                status="answered",
                proof=digest(secret) if found.visitor else "",
            )

        found = self._note(identifier, answer.get("state", ""), noted)
        return found, secret if found.proof else ""

    def answered(self, identifier: str, owner: str, session: str) -> Pending:
        """Return an authorization that has an answer and waits to be completed.

        :raises UnknownAuthorizationError: if there is no such authorization, or another owner or
            session began it.
        """
        found = self.find(identifier)
        if (
            found.status != "answered"
            or not _same(found.owner, owner)
            or not _same(found.session, session)
        ):
            raise unknown()
        return found

    def hold(self, identifier: str, grant: Mapping[str, Any], account: Sequence[str]) -> None:
        """Store the grant that the answer was exchanged for, until the authorization is completed.

        :raises UnknownAuthorizationError: if it does not wait any more.
        """
        place = {"workspace": self._workspace, "id": identifier, "now": self._clock.time()}
        with self._database.write() as transaction:
            row = transaction.find(_FIND, place)
            if row is None or row.sealed is None:
                raise unknown()
            held = replace(self._pending(row), grant=grant, account=account)
            if not transaction.change(
                _HOLD,
                {
                    **place,
                    "sealed": self._sealed(_place_of(held), _members(held)),
                    "before": row.sealed,
                },
            ):
                raise unknown()

    def take(
        self, identifier: str, owner: str, session: str, state: str | None, proof: str = ""
    ) -> Pending:
        """Take an authorization to complete it with the answer to ``state``, or with the stored
        answer if ``state`` is None. It is taken once, whether or not its completion succeeds. A
        caller without a ``session`` of this server must have the browser's ``proof``.

        :raises NotAnsweredError: if no answer is stored yet.
        :raises UnknownAuthorizationError: if the state is not its own, or it has expired, was taken
            before, or was begun by another owner or session.
        :raises UnprovenAnswerError: if the proof is missing, or not that of the browser; nothing is
            taken.
        """
        place = {"workspace": self._workspace, "id": identifier, "now": self._clock.time()}
        with self._database.write() as transaction:
            row = transaction.find(_FIND, place)
            if (
                row is None
                or row.sealed is None
                or (state is not None and not hmac.compare_digest(row.digest, digest(state)))
            ):
                raise unknown()
            found = self._pending(row)
            if not _same(found.owner, owner) or not _same(found.session, session):
                raise unknown()
            if state is None and found.status == "pending":
                raise NotAnsweredError(
                    "the provider has not answered yet",
                    hint="Complete the authorization when its status is 'answered'.",
                )
            if (
                state is None
                and found.return_to
                and not found.session
                and found.proof
                and not found.proves(proof)
            ):
                raise _unproven(proof)
            if not transaction.change(
                _TAKE, {**place, "before": "answered" if state is None else "pending"}
            ):
                raise unknown()
        return found

    def turn(self, found: Pending, pause: float, kept: Mapping[str, Any] | None = None) -> bool:
        """Return whether it is this process's turn to ask the provider about a device; the next
        turn is after ``pause`` seconds.
        """
        now = self._clock.time()
        values = {"workspace": self._workspace, "id": found.id, "now": now, "next": now + pause}
        sealed = self._sealed(_place_of(found), _members(replace(found, kept=kept or found.kept)))
        with self._database.write() as transaction:
            return bool(transaction.change(_ASK, {**values, "sealed": sealed}))

    def settling(
        self, identifier: str, status: Status, reason: str | None = None
    ) -> Callable[[Transaction], None]:
        """Return the transaction step that records the outcome."""
        values = {
            "workspace": self._workspace,
            "id": identifier,
            "status": status,
            "reason": reason,
        }

        def unit(transaction: Transaction) -> None:
            transaction.change(_SETTLE, values)

        return unit

    def decline(
        self, identifier: str, reason: str, tell: Callable[[Transaction, str, float], None]
    ) -> None:
        """Record that the approval was refused; ``tell`` reports the refusal in the same
        transaction, with workspace and time.
        """
        with self._database.write() as transaction:
            self.settling(identifier, "failed", reason)(transaction)
            tell(transaction, self._workspace, self._clock.time())

    def fail(self, identifier: str, reason: str) -> None:
        """Record that an authorization has failed."""
        with self._database.write() as transaction:
            self.settling(identifier, "failed", reason)(transaction)

    def _note(
        self, identifier: str, state: str, change: Callable[[Pending], Pending | None]
    ) -> Pending:
        """Change a pending authorization; ``change`` returns None to refuse."""
        place = {"workspace": self._workspace, "id": identifier, "now": self._clock.time()}
        with self._database.write() as transaction:
            row = transaction.find(_FIND, place)
            if (
                row is None
                or row.sealed is None
                or not hmac.compare_digest(row.digest, digest(state))
            ):
                raise unknown()
            changed = change(self._pending(row))
            if changed is None:
                raise unknown()
            values = {
                "status": changed.status,
                "sealed": self._sealed(_place_of(changed), _members(changed)),
                "before": row.sealed,
            }
            if not transaction.change(_NOTE, {**place, **values}):
                raise unknown()
        return changed

    def _sealed(self, place: tuple[str, ...], value: Mapping[str, Any]) -> bytes:
        return self._vault().seal(
            self._workspace, place, json.dumps(value, separators=(",", ":")).encode()
        )

    def _pending(self, row: Row) -> Pending:
        about: dict[str, Any] = {"kept": {}}
        status: Status = row.status
        reason = row.reason
        if row.sealed is not None:
            try:
                place = authorization_place(
                    row.id, row.digest, row.connection_id, row.flow, row.expires_at
                )
                about = json.loads(self._vault().open(self._workspace, place, row.sealed))
            except SealBroken:
                status, reason = (
                    "failed",
                    (
                        "another version of the server began it, or its row in the database was "
                        "changed"
                    ),
                )
        if status in _LATE and row.expires_at <= self._clock.time():
            status, reason = "failed", _LATE[status]
        return Pending(
            row.id, row.digest, row.connection_id, row.flow, status, reason, row.expires_at, **about
        )


def authorization_place(
    identifier: str, digest: str, connection: str, flow: str, expires_at: float
) -> tuple[str, ...]:
    """Return the place that the members of an authorization are sealed for."""
    return (_PLACE, identifier, digest, connection, flow, json.dumps(expires_at))


def _place_of(found: Pending) -> tuple[str, ...]:
    return authorization_place(
        found.id, found.digest, found.connection, found.flow, found.expires_at
    )


def _members(found: Pending) -> dict[str, Any]:
    """Return the members that are stored encrypted."""
    later = {name: value for name in _LATER if (value := getattr(found, name))}
    return {**{name: getattr(found, name) for name in _SEALED}, **later}


def _same(own: str, given: str) -> bool:
    return hmac.compare_digest(own.encode(), given.encode("utf-8", "surrogatepass"))


def state_of(link: str) -> str:
    """Return the state of the authorization that a start link begins. The provider, which sees the
    state, cannot derive the link.
    """
    return (
        urlsafe_b64encode(hashlib.sha256(link.encode("utf-8", "surrogatepass")).digest())
        .decode()
        .rstrip("=")
    )


def unknown() -> UnknownAuthorizationError:
    """Return the error for an authorization that cannot be completed; it does not say why."""
    return UnknownAuthorizationError(
        "there is no such authorization: it was completed before, has expired, or was begun "
        "elsewhere",
        hint="Connect again.",
    )


def _unproven(given: str) -> UnprovenAnswerError:
    fault = Detail("/proof", "is not that of the browser that came back" if given else "is missing")
    hint = (
        "Send the 'proof' that the person's browser has brought to 'returnTo', if the same "
        "person is signed in there who began."
    )
    return UnprovenAnswerError(
        "it is not proven that who began the authorization has approved it",
        details=[fault],
        hint=hint,
    )
