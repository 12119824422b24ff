"""People's decisions on calls that wait for an approval: list the calls, show their requests,
approve or decline.

A person cannot approve an own call, or a call by a token that the person created (``own_calls``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from jackfield.call.how import How
from jackfield.call.unstored import required
from jackfield.call.waiter import run_in_thread
from jackfield.callers import APPROVE, Caller, may
from jackfield.callers.actor import LIBRARY as PROGRAM
from jackfield.kernel.clock import Deadline, iso
from jackfield.kernel.errors import (
    Detail,
    Internal,
    InvalidInvocation,
    JackfieldError,
    NotAllowed,
    did_you_mean,
)
from jackfield.kernel.frames import bordered
from jackfield.kernel.hints import NextStep
from jackfield.kernel.stored_values import is_storable
from jackfield_store.access import Audit
from jackfield_store.database.cursors import cursor_after, place_after
from jackfield_store.journal.approvals import NotWaitingError
from jackfield_store.journal.entry import bound_result
from jackfield_store.recording.approvals import changed, rows_of, shown, spoiled
from jackfield_store.recording.own_calls import OwnCalls
from jackfield_store.recording.record import LARGEST_STORED
from jackfield_store.recording.single_use import audit_of, was_decided

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe
    from jackfield.call.reached import Reached
    from jackfield.callers import Authorizer
    from jackfield.callers.actor import Actor
    from jackfield.invocation import Invocation
    from jackfield_store.database import Row, Transaction
    from jackfield_store.journal.journal import Journal
    from jackfield_store.resources.storage import Storage

STATUSES = ("waiting", "approved", "declined", "expired", "cancelled")
LONGEST_WHY = 1_000
"""Maximum length of the reason of a decision, in characters."""

_OF_COLUMNS = ("effect", "rule", "requestedBy")
"""Sealed members of a call that are also in columns."""
_ABOUT = (
    "connector",
    "connectorVersion",
    "action",
    "effect",
    "connection",
    "reason",
    "requestedBy",
    "requestedAt",
    "expiresAt",
)
"""Members of a request that each approval displays."""
_OF_ROW = ("connector", "action", "reason", "requestedAt", "expiresAt")
_CHANGED = "its row in the database was changed"


class UnknownApproval(InvalidInvocation):
    """Error for an approval that the workspace lacks, or that the caller may not see."""

    http_status = 404


class ApprovalClosed(InvalidInvocation):
    """Error for a call that no longer waits for an approval: it was decided, its time is over, or
    its effect has changed.
    """

    http_status = 409


class ApprovalChanged(InvalidInvocation):
    """Error for a decision whose digest differs from the call's; nothing was decided."""

    http_status = 412
    problem = "version_conflict"

    def __init__(self) -> None:
        super().__init__(
            "the call has another digest: it is not the one that was shown",
            hint=NextStep("approvals"),
        )


class ApprovalSpoiled(ApprovalClosed):
    """Error for a call that differs from the displayed one, and is cancelled."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"it was cancelled: {reason}; nothing was sent", hint="Whoever asked can call again."
        )


@bordered
class WaitingCalls:
    """Calls of one workspace that wait for an approval, or waited for one, and that ``caller`` may
    see. The audit log names ``actor``.
    """

    def __init__(
        self, storage: Storage, pipeline: Pipe, caller: Caller, actor: Actor | None = None
    ) -> None:
        self._storage, self._pipeline, self._caller, self._actor = (
            storage,
            pipeline,
            caller,
            actor or PROGRAM,
        )

    def list(
        self, *, status: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of approvals, the newest first, without inputs, and the cursor of the next
        page, None on the last page.

        :raises InvalidInvocation: if the status or the cursor is not valid.
        :raises NotAllowed: if the caller's token may not approve.
        """
        authorizer = self._authorizer()
        if status is not None and status not in STATUSES:
            tail = did_you_mean(status, STATUSES)
            raise InvalidInvocation(
                f"no approval has the status '{status[:80]}'{tail}",
                hint=f"Use one of {', '.join(STATUSES)}.",
            )
        after = None if cursor is None else place_after(cursor, "at", "after")
        rows = rows_of(self._journal).page(status, after, limit + 1)
        more = cursor_after(rows[limit - 1] if len(rows) > limit else None, "requested_at", "id")
        return [
            self._about(self._verified(row)) for row in rows[:limit] if self._sees(authorizer, row)
        ], more

    def show(self, identifier: str) -> dict[str, Any]:
        """Return an approval; while the call waits, with its inputs, secrets masked, and its files.

        :raises UnknownApproval: if the caller sees no such approval.
        :raises NotAllowed: if the caller's token may not approve.
        """
        row = self._find_row(identifier)
        row = self._present(row, self._open_call(row)) if self._waits(row) else row
        return {**self._about(row), **(self._data_for_decision(row) if self._waits(row) else {})}

    def decision(self, identifier: str) -> dict[str, Any] | None:
        """Return an approval that was decided, or has ended otherwise, without inputs. None if the
        call waits or needed no approval. A caller who may see the call may see its approval,
        without the scope ``approve``.
        """
        row = rows_of(self._journal).find(identifier)
        if (
            row is None
            or self._waits(row)
            or not self._sees(self._pipeline.access.authorizer(self._caller), row)
        ):
            return None
        return self._about(row)

    def approve(self, identifier: str, why: str = "", digest: str | None = None) -> dict[str, Any]:
        """Approve a call: the workers begin it. ``digest`` is the digest of the displayed call, if
        only this call may be approved.

        :raises UnknownApproval: if the caller sees no such approval.
        :raises ApprovalChanged: if the call has another digest.
        :raises NotAllowed: if the caller's token may not approve, the call is the caller's own, or
            a call of a token that the caller created.
        :raises ApprovalSpoiled: if it differs from the displayed call; it is cancelled.
        :raises ApprovalClosed: if it no longer waits.
        """
        row, journal = self._open(identifier, why), self._journal
        stored = self._open_call(row)
        self._refuse_own(stored)
        known = stored["approval"]
        _require_same(known, digest)
        if isinstance(invocation := self._looked_at(row, stored, known), str):
            self._end(row, "cancelled", invocation)
            raise ApprovalSpoiled(invocation)
        now = journal.time.now()
        if now >= min(row.expires_at, known["expiresAt"]):
            raise self._closed(self._find_row(identifier))
        approving = rows_of(journal).approving(
            identifier,
            known["digest"],
            self._actor.to_json(),
            why,
            now,
            invocation.not_before or 0.0,
            invocation.not_after,
        )
        self._decide(row, "approved", why, approving)
        return self.show(identifier)

    def own_reason(self, identifier: str) -> str | None:
        """Return the reason if a waiting call is the caller's own, which the caller may not
        approve; None if it is not the caller's own.

        :raises UnknownApproval: if the caller sees no such approval.
        """
        row = self._find_row(identifier)
        if not self._waits(row):
            return None
        try:
            self._refuse_own(self._open_call(row))
        except (NotAllowed, ApprovalClosed) as error:
            return error.message
        return None

    def spoiled_reason(self, identifier: str) -> str | None:
        """Return the reason why a waiting call can no longer be approved, such as a renamed or
        removed connection. None if the call can be approved, or if this cannot be determined now.

        :raises UnknownApproval: if the caller sees no such approval.
        """
        row = self._find_row(identifier)
        if not self._waits(row):
            return None
        try:
            stored = self._open_call(row)
            found = self._looked_at(row, stored, stored["approval"])
        except JackfieldError:  # its own page says so
            return None
        return found if isinstance(found, str) else None

    def decline(self, identifier: str, why: str = "", digest: str | None = None) -> dict[str, Any]:
        """Decline a call: it ends as cancelled, nothing is sent, and its key is free. ``digest`` is
        as for ``approve``.

        :raises UnknownApproval: if the caller sees no such approval.
        :raises ApprovalChanged: if the call has another digest.
        :raises NotAllowed: if the caller's token may not approve.
        :raises ApprovalClosed: if it does not wait any more.
        """
        row = self._open(identifier, why)
        stored = self._open_call(row)
        _require_same(stored["approval"], digest)
        self._end(row, "declined", why, inputs=self._recorded(row, stored))
        return self.show(identifier)

    @property
    def _journal(self) -> Journal:
        found: Journal = required(self._pipeline.journal())
        return found

    def _authorizer(self) -> Authorizer:
        """Return the caller's authorizer.

        :raises NotAllowed: if its token may not approve.
        """
        scope = self._caller.scope
        if (scope is None and self._caller.remote) or (
            scope is not None and not may(scope, APPROVE)
        ):
            raise NotAllowed(
                "not allowed: this needs a token of the scope 'approve'", hint=NextStep("approver")
            )
        return self._pipeline.access.authorizer(self._caller)

    def _find_row(self, identifier: str) -> Row:
        authorizer, row = self._authorizer(), rows_of(self._journal).find(identifier)
        if row is None or not self._sees(authorizer, row):
            raise UnknownApproval(
                f"no approval has the ID '{identifier[:80]}'", hint=NextStep("approvals")
            )
        return row

    def _sees(self, authorizer: Authorizer, row: Row) -> bool:
        manifest = self._pipeline.catalog.look(row.connector)[1]
        return authorizer.sees_entry(
            manifest, row.connector, row.action, row.effect, row.connection
        )

    def _waits(self, row: Row) -> bool:
        return bool(row.status == "waiting" and row.expires_at > self._journal.time.now())

    def _open(self, identifier: str, why: str) -> Row:
        """Return an approval that the caller may decide, checked without decrypting it."""
        if len(why) > LONGEST_WHY or not is_storable(why):
            says = (
                "must not have a NUL or a lone surrogate"
                if len(why) <= LONGEST_WHY
                else f"must have at most {LONGEST_WHY:,} characters"
            )
            raise InvalidInvocation("the reason is not valid", details=[Detail("/why", says)])
        row = self._find_row(identifier)
        if not self._waits(row):
            raise self._closed(row)
        return row

    def _closed(self, row: Row) -> ApprovalClosed:
        about = self._about(row)
        said = (
            "its time is over"
            if about["status"] == "expired"
            else f"it was {about['status']} already"
        )
        return ApprovalClosed(
            f"this call does not wait for an approval any more: {said}", hint=NextStep("approvals")
        )

    def _about(self, row: Row) -> dict[str, Any]:
        late = row.status == "waiting" and row.expires_at <= self._journal.time.now()
        known = self._sealed_approval(row)
        shown = known or {
            "connector": row.connector,
            "connectorVersion": row.connector_version,
            "action": row.action,
            "effect": row.effect,
            "connection": row.connection,
            "reason": row.rule,
            "requestedBy": _object(row.requested_by),
            "requestedAt": row.requested_at,
            "expiresAt": row.expires_at,
        }
        members = {
            "id": row.id,
            "status": "expired" if late else row.status,
            **{name: shown[name] for name in _ABOUT},
            "requestedAt": iso(shown["requestedAt"]),
            "expiresAt": iso(shown["expiresAt"]),
            "decidedBy": None if row.decided_by is None else _object(row.decided_by),
            "decidedAt": iso(row.decided_at),
            "why": row.why,
            "damage": self._damage(row, known),
        }
        return {name: value for name, value in members.items() if value is not None}

    def _sealed_approval(self, row: Row) -> Mapping[str, Any]:
        """Return the data sealed with an approval at its request; empty if they cannot be
        opened.
        """
        try:
            found: Mapping[str, Any] = (
                {}
                if row.about is None
                else self._journal.opened_inputs(row.id, row.about, "approval")
            )
        except Internal:
            return {}
        return found

    def _damage(self, row: Row, known: Mapping[str, Any]) -> str | None:
        """Return the fault of a row that was changed in the database; None without a fault."""
        columns = (row.connector, row.action, row.rule, row.requested_at, row.expires_at)
        is_as_asked = (
            bool(known)
            and columns == tuple(known[name] for name in _OF_ROW)
            and _object(row.requested_by) == known["requestedBy"]
        )
        is_decided = row.kept in ("approved", "declined") or (
            row.decided_by,
            row.decided_at,
            row.why,
        ) != (None, None, None)
        is_told = not is_decided or rows_of(self._journal).is_sealed(
            row.id, known.get("digest", ""), row, row.kept
        )
        has_ended = row.kept in ("waiting", "approved") or row.invocation_status == "failed"
        return None if is_as_asked and is_told and has_ended else _CHANGED

    def _open_call(self, row: Row) -> dict[str, Any]:
        """Open the sealed data of a call.

        :raises ApprovalSpoiled: if it was changed in the database.
        """
        try:
            found = {} if row.inputs is None else self._journal.opened_inputs(row.id, row.inputs)
        except Internal:
            found = {}
        audit = audit_of(self._journal, self._pipeline.dependencies.clock)
        if (
            not isinstance(known := found.get("approval"), Mapping)
            or not _fits(row, known)
            or was_decided(audit, row.id)
        ):
            reason = _CHANGED
            self._end(row, "cancelled", reason, known or {})
            raise ApprovalSpoiled(reason)
        stored: dict[str, Any] = found
        return stored

    def _verified(self, row: Row) -> Row:
        """Return the row of a call; if a waiting call was changed in the database, cancel it
        first.
        """
        if not self._waits(row):
            return row
        try:
            return self._present(row, self._open_call(row))
        except ApprovalClosed:
            return rows_of(self._journal).find(row.id) or row

    def _present(self, row: Row, stored: Mapping[str, Any]) -> Row:
        """Return the row of a waiting call; cancel it first if the rights of the caller who
        requested it have ended.
        """
        end = self._pipeline.access.queued_by(stored).end
        if end is None:
            return row
        self._end(row, "cancelled", end)
        return rows_of(self._journal).find(row.id) or row

    def _looked_at(
        self, row: Row, stored: Mapping[str, Any], known: Mapping[str, Any]
    ) -> Invocation | str:
        """Return the call as its caller may make it with the present rights, or the reason why it
        can no longer be made as displayed.
        """
        if (renamed := self._renamed(row, stored)) is not None:
            return renamed
        pipeline = self._pipeline

        async def work(call: Reached) -> Invocation | str:
            try:
                asked = pipeline.plans.parsed(stored["invocation"], call)
                call.how.deadline = Deadline.after(
                    asked.invocation.timeout_seconds, pipeline.dependencies.clock
                )
                plan = await pipeline.plans.found_anew(asked, call)
            except JackfieldError as error:
                if error.retryable:
                    raise
                return error.message
            different = changed(
                known, shown(pipeline, stored["invocation"], plan, call.how.caller, known)
            )
            return (
                asked.invocation
                if different is None
                else f"{different} has changed since it was asked for"
            )

        return run_in_thread(
            pipeline.step(How(pipeline.in_thread, pipeline.access.queued_by(stored)), work)
        )

    def _renamed(self, row: Row, stored: Mapping[str, Any]) -> str | None:
        """Return a sentence if the call's connection was renamed, with the new name if the caller
        may see calls over it; None if it was not renamed.
        """
        present = self._pipeline.known.followed(stored).get("connection")
        if present == stored["invocation"].get("connection"):
            return None
        manifest = self._pipeline.catalog.look(row.connector)[1]
        is_seen = self._authorizer().sees_entry(
            manifest, row.connector, row.action, row.effect, present
        )
        named = f" to '{present}'" if is_seen else ""
        return f"its connection '{row.connection}' was renamed{named} since it was asked for"

    def _data_for_decision(self, row: Row) -> dict[str, Any]:
        """Return the sealed data for a person's decision: inputs without secrets, files, other
        members that change the call, and the digest.
        """
        known = self._open_call(row)["approval"]
        members = {name: value for name, value in known["shown"].items() if name not in _OF_COLUMNS}
        about = {
            **members,
            "files": known["files"] or None,
            "account": known["account"],
            "digest": known["digest"],
        }
        return {name: value for name, value in about.items() if value is not None}

    def _refuse_own(self, stored: Mapping[str, Any]) -> None:
        """Refuse the approval of a call by its caller, or by the person behind the caller.

        :raises NotAllowed: if the call is the approver's own.
        """
        pipeline, storage = self._pipeline, self._storage
        OwnCalls(
            storage.database, storage.vault, pipeline.workspace, pipeline.dependencies.clock
        ).refuse(stored, self._actor)

    def _recorded(self, row: Row, stored: Mapping[str, Any]) -> bytes | None:
        """Return the inputs to record for a call that ends before its begin, sealed; None if inputs
        are not recorded.
        """
        if not self._pipeline.access.settings.keep_inputs:
            return None
        sealed = self._journal.sealed_inputs(
            row.id, {"inputs": stored["approval"]["shown"]["inputs"]}
        )
        return sealed if len(sealed) <= LARGEST_STORED else None

    def _end(
        self,
        row: Row,
        status: Literal["declined", "cancelled"],
        why: str,
        known: Mapping[str, Any] | None = None,
        inputs: bytes | None = None,
    ) -> None:
        """End a waiting call, with the inputs to record. If its columns are damaged, the audit log
        uses the ``known`` facts.
        """
        journal = self._journal
        reason = f"it was declined{f': {why}' if why else ''}" if status == "declined" else why
        result = spoiled(row.id, row, reason)
        sealed = journal.sealed_inputs(
            row.id, bound_result(result.to_json(), row, answers=False), "result"
        )
        by = self._actor.to_json() if status == "declined" else None
        digest = self._sealed_approval(row).get("digest", "")
        unit = rows_of(journal).ending(
            row.id, digest, status, sealed, by, why, journal.time.now(), inputs
        )
        self._decide(row, status, why, unit, known)

    def _decide(
        self,
        row: Row,
        status: str,
        why: str,
        unit: Callable[[Transaction], None],
        known: Mapping[str, Any] | None = None,
    ) -> None:
        """Commit a decision with its entry in the audit log.

        :raises ApprovalClosed: if another decision was committed first.
        """
        clock, workspace = self._pipeline.dependencies.clock, self._pipeline.workspace
        audit = Audit(
            self._storage.database, lambda: self._storage.vault, workspace, clock, self._actor
        ).prepare()
        facts = {
            "connector": row.connector,
            "action": row.action,
            "connection": row.connection,
            "why": why or None,
        }
        if known is not None:
            over = known.get("connection") or {}
            facts |= {
                "connector": known.get("connector"),
                "action": known.get("action"),
                "connection": over.get("name"),
            }
        about = {name: value for name, value in facts.items() if value is not None}
        try:
            with self._storage.database.write() as transaction:
                unit(transaction)
                audit.append(transaction, f"approval.{status}", f"invocation:{row.id}", about)
        except NotWaitingError:
            raise self._closed(self._find_row(row.id)) from None


def _require_same(known: Mapping[str, Any], digest: str | None) -> None:
    if digest is not None and digest != known["digest"]:
        raise ApprovalChanged


def _object(text: Any) -> Any:
    """Return a column's JSON; empty if the column was changed to something else."""
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _fits(row: Row, known: Mapping[str, Any]) -> bool:
    """Return whether a waiting call's columns for lists and searches match the sealed data."""
    shown, over = known.get("shown"), known["connection"]
    if not isinstance(shown, Mapping):  # what a person would read is not known
        return False
    sealed = (
        known["connector"],
        known["connectorVersion"],
        known["action"],
        None if over is None else over["name"],
    )
    return sealed == (row.connector, row.connector_version, row.action, row.connection) and (
        [shown[name] for name in _OF_COLUMNS] == [row.effect, row.rule, _object(row.requested_by)]
    )
