"""Connect sessions in the database: sealed, each changed by compare-and-set, so that one of two
simultaneous requests succeeds.
"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.subjects.connect.session import ConnectSession, Wanted
from jackfield_store.connections.awaited import await_approval, awaited, awaiting_workspaces
from jackfield_store.database import SealBroken
from jackfield_store.database.cursors import cursor_after, place_after
from jackfield_store.database.outbox import record
from jackfield_store.keys.sealing import digest, new_secret
from jackfield_store.keys.vault import SealedTable

if TYPE_CHECKING:
    from jackfield_store.database import Database, Row, Transaction

_KEPT = 7 * 86_400.0
"""Seconds for which a session can be read after its end."""
_MOST = 1000
"""Maximum number of open sessions of one workspace."""
_NEVER = 1e12
"""Time, in seconds since 1970, after the end of every session."""
_COLUMNS = "workspace, id, digest, status, sealed, expires_at"
_INSERT = """
INSERT INTO connect_sessions (workspace, id, digest, status, sealed, expires_at)
VALUES (:workspace, :id, :digest, :status, :sealed, :until)
"""
_FIND = f"SELECT {_COLUMNS} FROM connect_sessions WHERE workspace = :workspace AND id = :id"
_LIST = f"""
SELECT {_COLUMNS} FROM connect_sessions
WHERE workspace = :workspace AND (expires_at < :until OR (expires_at = :until AND id < :id)) ORDER BY expires_at DESC, id DESC LIMIT :limit
"""
_BY_LINK = "SELECT workspace, id FROM connect_sessions WHERE digest = :digest"
_BY_ID = "SELECT workspace, id FROM connect_sessions WHERE id = :id"
_CHANGE = """
UPDATE connect_sessions SET status = :status, sealed = :sealed WHERE workspace = :workspace AND id = :id AND sealed = :before
"""
_OPEN = "status NOT IN ('granted', 'failed', 'expired')"
_COUNT = (
    f"SELECT COUNT(*) AS n FROM connect_sessions WHERE workspace = :workspace AND {_OPEN} "
    "AND expires_at > :now"
)
_UNENDED = (
    f"SELECT {_COLUMNS} FROM connect_sessions WHERE workspace = :workspace AND {_OPEN} AND "
    f"expires_at > :now LIMIT {_MOST}"
)
_LATE = (
    f"SELECT {_COLUMNS} FROM connect_sessions WHERE workspace = :workspace AND {_OPEN} AND "
    "expires_at <= :now LIMIT 100"
)
_LATE_OF_ALL = (
    f"SELECT DISTINCT workspace FROM connect_sessions WHERE {_OPEN} AND expires_at <= :now "
    "LIMIT 1000"
)
_PURGE = (
    "DELETE FROM connect_sessions WHERE workspace = :workspace AND expires_at < :before AND "
    f"NOT ({_OPEN})"
)
_SEALED = (
    "revision",
    "owner",
    "asked_by",
    "created_at",
    "reason",
    "browser",
    "opener",
    "key",
    "task",
    "type",
    "connection",
    "generated",
    "values",
    "trial",
    "authorization",
    "start",
    "host",
    "nonce",
    "code",
    "tries",
    "created",
    "proof",
    "framed",
    "apart",
    "recalled",
    "blocked",
    "busy_until",
    "met",
    "confirmed",
)
_WANTED = (
    "mode",
    "user",
    "verify",
    "types",
    "connection",
    "values",
    "locked",
    "return_to",
    "origins",
    "locale",
    "theme",
    "principal",
    "other_account",
    "lasts",
)
_LATER = ("fields", "labels", "icons", "user_name", "actions", "calls", "all_connections")
"""Members unknown to earlier versions, which are not stored if empty."""
_LISTS = ("types", "locked", "origins", "fields", "actions", "calls")


class UnknownSession(InvalidInvocation):
    """Error for a connect session that does not exist for the caller."""

    http_status = 404


class SessionMoved(InvalidInvocation):
    """Error for a session that another request has changed meanwhile, or whose state does not fit
    the request.
    """

    http_status = 409


class SessionChanged(SessionMoved):
    """Error for a confirmation of a step that is no longer the session's next one."""

    http_status = 412
    problem = "version_conflict"


class Overtaken(SessionMoved):
    """Error for a session that another request has changed since it was read."""


def unknown() -> UnknownSession:
    """Return the error for a session that does not exist for the caller."""
    return UnknownSession(
        "there is no such connect session: it has ended long ago, or never was",
        hint="Create another one.",
    )


def same(stored: str, secret: str) -> bool:
    """Return whether a secret matches the stored digest; False if the digest is empty."""
    return bool(stored) and hmac.compare_digest(stored, digest(secret))


def late_workspaces(database: Database, now: float) -> list[str]:
    """Return workspaces with expired sessions that have not been processed, or with connections
    that wait for a session's approval.
    """
    with database.read(flush=False) as transaction:
        late = {str(row.workspace) for row in transaction.execute(_LATE_OF_ALL, {"now": now})}
    return sorted(late | awaiting_workspaces(database))


def workspace_of(
    database: Database, *, link: str = "", identifier: str = ""
) -> tuple[str, str] | None:
    """Return the workspace and the ID of the session with this link, or with this ID; None if there
    is no such session.
    """
    with database.read(flush=False) as transaction:
        row = (
            transaction.find(_BY_LINK, {"digest": digest(link)})
            if link
            else transaction.find(_BY_ID, {"id": identifier})
        )
    return None if row is None else (row.workspace, row.id)


class ConnectTable(SealedTable):
    """Connect sessions of one workspace. Thread-safe."""

    def create(
        self,
        wanted: Wanted,
        about: Mapping[str, Any],
        in_transaction: Callable[[Transaction, ConnectSession], None],
    ) -> tuple[str, str]:
        """Store a new session; return its id and the secret of its link. ``about`` are further
        members, ``in_transaction`` runs in the transaction.

        :raises SessionMoved: if too many sessions of the workspace are open.
        """
        now, link, identifier = self._clock.time(), new_secret(), str(uuid.uuid4())
        made = ConnectSession(
            identifier,
            digest(link),
            "pending",
            now + wanted.lasts,
            wanted,
            created_at=now,
            key=new_secret(),
            **about,
        )
        row = {"digest": made.digest, "until": made.expires_at, **self._values(made)}
        with self._database.write() as transaction:
            transaction.change(_PURGE, {"workspace": self._workspace, "before": now - _KEPT})
            if (
                int(transaction.execute(_COUNT, {"workspace": self._workspace, "now": now})[0].n)
                >= _MOST
            ):
                raise SessionMoved(
                    "too many connect sessions of this workspace are open",
                    hint="Delete some, or wait until they expire.",
                )
            transaction.change(_INSERT, row)
            in_transaction(transaction, made)
        return identifier, link

    def find(self, identifier: str) -> ConnectSession:
        """Return a session; an overdue one is ``expired``, even before ``expire`` has processed it.

        :raises UnknownSession: if there is no such session.
        """
        with self._database.read(flush=False) as transaction:
            row = transaction.find(_FIND, {"workspace": self._workspace, "id": identifier})
        if row is None:
            raise unknown()
        return self._session_from(row)

    def page(self, cursor: str | None, limit: int) -> tuple[list[ConnectSession], str | None]:
        """Return a page of sessions, the latest expiry first, and the cursor of the next page; None
        on the last page.

        :raises InvalidInvocation: if the cursor did not come from a list.
        """
        place = {
            "workspace": self._workspace,
            "limit": limit + 1,
            **place_after(cursor or f"{_NEVER}~", "until", "id"),
        }
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(_LIST, place)
        return [self._session_from(row) for row in rows[:limit]], cursor_after(
            rows[limit - 1] if len(rows) > limit else None, "expires_at", "id"
        )

    def open(self) -> list[ConnectSession]:
        """Return the sessions that are not in a final state."""
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                _UNENDED, {"workspace": self._workspace, "now": self._clock.time()}
            )
        return [found for found in map(self._session_from, rows) if not found.is_over]

    def left(self) -> list[str]:
        """Return the names of connections that wait for the approval of an ended session, such as
        after a crash at its end.
        """
        return [
            name
            for name, session in awaited(self._database, self._workspace)
            if self._is_over(session)
        ]

    def _is_over(self, identifier: str) -> bool:
        try:
            return self.find(identifier).is_over
        except UnknownSession:
            return True

    def await_approval(self, transaction: Transaction, found: ConnectSession) -> None:
        """Note that the connection stored in this transaction waits for the approval of the
        session's person.
        """
        await_approval(transaction, self._workspace, found.connection, found.id)

    def expire(self) -> list[ConnectSession]:
        """End up to 100 expired sessions, and store their events; return the sessions in their new
        state.
        """
        ended = []
        with self._database.write() as transaction:
            for row in transaction.execute(
                _LATE, {"workspace": self._workspace, "now": self._clock.time()}
            ):
                late = replace(self._session_from(row), values={}, proof="", opener="")
                if transaction.change(_CHANGE, {**self._values(late), "before": row.sealed}):
                    self._tell(transaction, late, late)
                    ended.append(late)
        return ended

    def change(
        self,
        before: ConnectSession,
        in_transaction: Callable[[Transaction], None] | None = None,
        /,
        **members: Any,
    ) -> ConnectSession:
        """Store changed members of a session, and the event of its end.

        :raises Overtaken: if it has changed since ``before`` was read.
        """
        with self._database.write() as transaction:
            after = self.changed_in(transaction, before, **members)
            if in_transaction is not None:
                in_transaction(transaction)
        return after

    def changed_in(
        self, transaction: Transaction, before: ConnectSession, /, **members: Any
    ) -> ConnectSession:
        """Change a session as ``change`` does, within a transaction.

        :raises Overtaken: if it has changed since ``before`` was read.
        """
        place = {"workspace": self._workspace, "id": before.id}
        row = transaction.find(_FIND, place)
        if row is None or (self._session_from(row).revision, row.status) != (
            before.revision,
            before.status,
        ):
            raise _moved()
        after = replace(before, revision=before.revision + 1, **members)
        if not transaction.change(_CHANGE, {**self._values(after), "before": row.sealed}):
            raise _moved()
        self._tell(transaction, after, before)
        return after

    def _tell(
        self, transaction: Transaction, found: ConnectSession, before: ConnectSession
    ) -> None:
        if found.blocked and found.blocked != before.blocked:
            record(
                transaction,
                self._workspace,
                "connect.blocked",
                found.connection or found.id,
                self._clock.time(),
                found.block_facts(),
            )
        if found.is_over:
            type_ = "connect.completed" if found.status == "granted" else "connect.failed"
            record(
                transaction,
                self._workspace,
                type_,
                found.connection or found.id,
                self._clock.time(),
                found.facts(),
            )

    def _values(self, found: ConnectSession) -> dict[str, Any]:
        later = {name: value for name in _LATER if (value := getattr(found.wanted, name))}
        wanted = {**{name: getattr(found.wanted, name) for name in _WANTED}, **later}
        # a version without a member reads rows without it
        members = {name: value for name in _SEALED if (value := getattr(found, name))}
        text = json.dumps({**members, "wanted": wanted}, separators=(",", ":"))
        sealed = self._vault().seal(
            self._workspace,
            session_place(found.id, found.digest, found.status, found.expires_at),
            text.encode(),
        )
        return {
            "workspace": self._workspace,
            "id": found.id,
            "status": found.status,
            "sealed": sealed,
        }

    def _session_from(self, row: Row) -> ConnectSession:
        try:
            place = session_place(row.id, row.digest, row.status, row.expires_at)
            members = json.loads(self._vault().open(self._workspace, place, row.sealed))
        except SealBroken:
            return ConnectSession(
                row.id,
                row.digest,
                "failed",
                row.expires_at,
                Wanted(),
                reason="its row in the database was changed",
            )
        given: dict[str, Any] = members.pop("wanted")
        given.update({name: tuple(given[name]) for name in _LISTS if name in given})
        wanted = Wanted(**given)
        found = ConnectSession(row.id, row.digest, row.status, row.expires_at, wanted, **members)
        late = not found.is_over and found.expires_at <= self._clock.time()
        return (
            replace(found, status="expired", reason="nobody finished it in time") if late else found
        )


def _moved() -> Overtaken:
    return Overtaken(
        "the connect session has changed meanwhile, perhaps in another tab", hint="Reload the page."
    )


def session_place(identifier: str, digest: str, status: str, expires_at: float) -> tuple[str, ...]:
    """Return the context to which a connect session is sealed."""
    return ("connect session", identifier, digest, status, json.dumps(expires_at))
