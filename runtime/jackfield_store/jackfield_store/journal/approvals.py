"""Calls that wait for a person's approval, in the journal.

The call is a row of ``invocations`` that is queued and never due: its ``available_at`` is NULL, so
that no worker of any version takes it. Its ``not_after`` is the expiry of the approval. A row of
``approvals`` records requester and decision. An approval makes the row due in one conditional
update, so that one decision counts and a call begins once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso
from jackfield_store.database.outbox import record

if TYPE_CHECKING:
    from jackfield.invocation.entry import Draft
    from jackfield_store.database import Database, Row, Transaction
    from jackfield_store.keys.vault import Vault

LASTS = 24 * 3600.0
"""Seconds for which a call waits for an approval, unless its ``notAfter`` is sooner."""
IS_WAITING = "i.status = 'queued' AND i.available_at IS NULL"
_INSERT = """
INSERT INTO approvals (workspace, id, status, rule, requested_by, requested_at, expires_at, twin, about)
VALUES (:workspace, :id, 'waiting', :rule, :requested_by, :requested_at, :expires_at, :twin, :about)
"""
_STATUS = f"""CASE WHEN a.status = 'waiting' AND NOT ({IS_WAITING}) THEN 'cancelled'
    WHEN a.status = 'approved' AND i.error_code = 'cancelled' THEN 'cancelled' ELSE a.status END"""
"""SQL expression of an approval's status: ``cancelled`` also for a call that ended by other means,
or differed from the approved one.
"""
_COLUMNS = f"""a.id, {_STATUS} AS status, a.rule, a.requested_by, a.requested_at, a.expires_at, a.decided_by, a.decided_at, a.why,
    a.status AS kept, a.seal, a.about,
    i.connector, i.connector_version, i.action, i.effect, i.connection, i.caller, i.status AS invocation_status"""
_FROM = (
    "FROM approvals a JOIN invocations i ON i.workspace = a.workspace AND i.id = a.id WHERE "
    "a.workspace = :workspace"
)
FIND = f"SELECT {_COLUMNS}, i.inputs {_FROM} AND a.id = :id"
PAGE = f"""SELECT {_COLUMNS}, CASE WHEN {IS_WAITING} THEN i.inputs END AS inputs {_FROM}{{further}}
    ORDER BY a.requested_at DESC, a.id DESC LIMIT :limit"""
AFTER = " AND (a.requested_at < :at OR (a.requested_at = :at AND a.id < :after))"
OF_STATUS = f" AND {_STATUS} = :status"
ONLY_WAITING = " AND a.status = 'waiting'"
"""SQL condition that lets the database use the smaller index."""
_APPROVE = """
UPDATE invocations SET available_at = :due, not_after = :not_after
WHERE workspace = :workspace AND id = :id AND status = 'queued' AND available_at IS NULL AND owner IS NULL AND not_after > :now
"""
_END = """
UPDATE invocations SET status = 'failed', error_code = :error_code, settled_at = :now, result = :result, inputs = :inputs,
    key_held = 0, available_at = :now
WHERE workspace = :workspace AND id = :id AND status = 'queued' AND available_at IS NULL
"""
_DECIDE = """
UPDATE approvals SET status = :status, decided_by = :decided_by, decided_at = :now, why = :why, seal = :seal
WHERE workspace = :workspace AND id = :id AND status = 'waiting'
"""
_DECISION = (
    "SELECT status, decided_by, decided_at, why, seal FROM approvals WHERE workspace = "
    ":workspace AND id = :id"
)
_CLOSE = (
    "UPDATE approvals SET status = :status WHERE workspace = :workspace AND id = :id AND "
    "status = 'waiting'"
)
_TWIN = (
    "SELECT id FROM approvals WHERE workspace = :workspace AND twin = :twin AND status = 'waiting'"
)
_REMOVE = "DELETE FROM approvals WHERE workspace = :workspace AND id IN ({ids})"
_ACCOUNT = "SELECT account_id FROM connections WHERE workspace = :workspace AND id = :id"
_ABOUT = (
    "SELECT connector, action, effect, connection, caller FROM invocations WHERE workspace = "
    ":workspace AND id = :id"
)


class NotWaitingError(Exception):
    """Signal that a call no longer waits for an approval; the transaction changes nothing."""


class ApprovalRows:
    """Approvals of one workspace."""

    def __init__(self, database: Database, vault: Vault, workspace: str) -> None:
        self._database, self._vault, self._workspace = database, vault, workspace

    def find(self, identifier: str) -> Row | None:
        """Return an approval with its call, sealed inputs included; None if the call has no
        approval.
        """
        with self._database.read() as transaction:
            return transaction.find(FIND, self._place(identifier))

    def page(self, status: str | None, after: Mapping[str, Any] | None, limit: int) -> list[Row]:
        """Return approvals, the newest first, of a status if one is given."""
        values: dict[str, Any] = {"workspace": self._workspace, "limit": limit, **(after or {})}
        further = AFTER if after else ""
        if status is not None:
            further += OF_STATUS + (ONLY_WAITING if status == "waiting" else "")
            values["status"] = status
        with self._database.read() as transaction:
            return list(transaction.execute(PAGE.format(further=further), values))

    def approving(
        self,
        identifier: str,
        digest: str,
        by: Mapping[str, str],
        why: str,
        now: float,
        due: float,
        not_after: float | None,
    ) -> Callable[[Transaction], None]:
        """Return the transaction step that approves a call and makes it due. It raises
        NotWaitingError if the call no longer waits.
        """
        decided_by = json.dumps(by)
        seal = self._vault.attest(
            self._workspace,
            _sealed_as(identifier, digest, decided_by, now, why or None, "approved"),
        )
        values = {
            **self._place(identifier),
            "now": now,
            "due": due,
            "not_after": not_after,
            "decided_by": decided_by,
            "why": why or None,
        }

        def unit(transaction: Transaction) -> None:
            approved = transaction.change(_APPROVE, values)
            if not approved or not transaction.change(
                _DECIDE, {**values, "status": "approved", "seal": seal}
            ):
                raise NotWaitingError
            _tell(transaction, self._workspace, identifier, "approved", now, by)

        return unit

    def ending(
        self,
        identifier: str,
        digest: str,
        status: str,
        result: bytes,
        by: Mapping[str, str] | None,
        why: str,
        now: float,
        inputs: bytes | None = None,
    ) -> Callable[[Transaction], None]:
        """Return the transaction step that ends a waiting call, as ``declined`` or ``cancelled``;
        it raises NotWaitingError if the call does not wait. ``inputs`` are the inputs to record,
        sealed.
        """
        decided_by = None if by is None else json.dumps(by)
        seal = self._vault.attest(
            self._workspace, _sealed_as(identifier, digest, decided_by, now, why or None, status)
        )
        values = {
            **self._place(identifier),
            "now": now,
            "result": result,
            "error_code": "cancelled",
            "status": status,
            "why": why or None,
            "decided_by": decided_by,
            "seal": seal,
            "inputs": inputs,
        }

        def unit(transaction: Transaction) -> None:
            if not transaction.change(_END, values):
                raise NotWaitingError
            transaction.change(_DECIDE, values)
            if status == "declined":
                _tell(transaction, self._workspace, identifier, status, now, by or {})

        return unit

    def is_approved(self, identifier: str, digest: str) -> bool:
        """Return whether a person has approved exactly the call with ``digest``, and the row is as
        jackfield stored it.
        """
        row = self._database.look_up(_DECISION, self._place(identifier))
        if row is None or row.status != "approved":
            return False
        return self.is_sealed(identifier, digest, row, row.status)

    def is_sealed(self, identifier: str, digest: str, row: Row, status: str) -> bool:
        """Return whether a row has the decision that jackfield stored: its person, time, reason and
        outcome.
        """
        place = _sealed_as(identifier, digest, row.decided_by, row.decided_at, row.why, status)
        return self._vault.attests(self._workspace, place, row.seal)

    def twin_of(self, twin: str) -> str | None:
        """Return the ID of an equal waiting call of the same caller; None without such a call."""
        row = self._database.look_up(
            _TWIN, {"workspace": self._workspace, "twin": twin}, flush=True
        )
        return None if row is None else str(row.id)

    def account_of(self, connection: str) -> str | None:
        """Return the provider's account that a stored connection, given by its ID, was last known
        to use; None if unknown.
        """
        row = self._database.look_up(_ACCOUNT, self._place(connection))
        return None if row is None else row.account_id

    def close(self, identifier: str, status: str) -> None:
        """End an approval whose call has ended."""
        self._database.record(
            lambda transaction: transaction.change(
                _CLOSE, {**self._place(identifier), "status": status}
            )
        )

    def _place(self, identifier: str) -> dict[str, Any]:
        return {"workspace": self._workspace, "id": identifier}


def ask(draft: Draft, workspace: str, transaction: Transaction) -> None:
    """Store the approval of a waiting call, in the transaction that stores the call."""
    asked = draft.approval
    if asked is None:
        return
    values = {
        "workspace": workspace,
        "id": draft.id,
        "rule": asked.rule,
        "requested_by": json.dumps(asked.requested_by),
        "requested_at": draft.created_at,
        "expires_at": asked.expires_at,
        "twin": asked.twin,
        "about": asked.about,
    }
    transaction.change(_INSERT, values)
    facts = {
        "connector": draft.connector,
        "action": draft.action,
        "effect": draft.effect,
        "connection": draft.connection,
        "caller": draft.caller,
    }
    record(
        transaction,
        workspace,
        "approval.requested",
        draft.id,
        draft.created_at,
        {**facts, "expiresAt": iso(asked.expires_at)},
    )


def end(transaction: Transaction, workspace: str, identifier: str, status: str, now: float) -> None:
    """End the approval of a call that has ended without a decision, in the transaction that ends
    the call; do nothing if it has none.
    """
    closed = transaction.change(
        _CLOSE, {"workspace": workspace, "id": identifier, "status": status}
    )
    if closed and status == "expired":
        _tell(transaction, workspace, identifier, status, now, {})


def remove(transaction: Transaction, workspace: str, ids: Mapping[str, str]) -> None:
    """Delete the approvals of entries that are deleted."""
    transaction.change(
        _REMOVE.format(ids=", ".join(f":{name}" for name in ids)), {"workspace": workspace, **ids}
    )


def _tell(
    transaction: Transaction,
    workspace: str,
    identifier: str,
    status: str,
    now: float,
    by: Mapping[str, str],
) -> None:
    row = transaction.find(_ABOUT, {"workspace": workspace, "id": identifier})
    facts = {} if row is None else row.as_dict()
    record(
        transaction,
        workspace,
        f"approval.{status}",
        identifier,
        now,
        {**facts, **({"by": dict(by)} if by else {})},
    )


def _sealed_as(
    identifier: str, digest: str, decided_by: Any, decided_at: Any, why: Any, status: str
) -> tuple[str, ...]:
    what = () if status == "approved" else (status,)
    about = (str(decided_by), json.dumps(decided_at, default=str), json.dumps(why, default=str))
    return ("approval", identifier, digest, *about, *what)
