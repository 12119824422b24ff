"""Calls that wait for a person's approval: stored with the data shown to the person, and compared
with these data when they begin.

A digest covers the whole invocation as received, the versions of connector and connection, the
connection's values and account, and the content of files. It is sealed with the invocation. A
refreshed token changes none of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial, reduce
from operator import getitem
from typing import TYPE_CHECKING, Any, cast

from jackfield.call.call_rules import approval_required
from jackfield.call.open import named_hosts
from jackfield.call.settle import failed
from jackfield.call.unstored import required
from jackfield.invocation import Meta, Result
from jackfield.invocation.entry import AskedApproval
from jackfield.invocation.file_references import file_places, named_files, replaced
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Cancelled, InDoubt, Internal
from jackfield.kernel.exact import exact_json, read_float
from jackfield.kernel.hints import NextStep
from jackfield.redaction.marks import MASK, masked
from jackfield_store.journal.abandoned import expired
from jackfield_store.journal.approvals import LASTS, ApprovalRows
from jackfield_store.recording.jobs import waited_by
from jackfield_store.recording.replays import unended
from jackfield_store.recording.single_use import audit_of, unusable

if TYPE_CHECKING:
    from jackfield.call.call_records import Found
    from jackfield.call.how import How
    from jackfield.call.pipe import Pipe
    from jackfield.call.reached import Planned, Reached
    from jackfield.callers import Caller
    from jackfield.invocation.entry import Draft, Entry
    from jackfield.kernel.errors import Detail, JackfieldError
    from jackfield_store.journal.journal import Journal

_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_NAMES = {
    "connectorVersion": "the version of the connector",
    "connection": "the connection",
    "account": "the connection's account",
    "files": "a file",
    "digest": "the invocation",
}
"""Names of changed parts, for the text of a reason."""


def waiting(pipeline: Pipe, identifier: str) -> Result:
    """Return the Result of a call that was stored to wait for an approval."""
    entry = required(pipeline.journal()).find(identifier)
    meta = Meta(entry.id, entry.connector, entry.connector_version, entry.action)
    return waited_by(pipeline, unended(meta, entry))


def refuse_unfit(found: Found) -> None:
    """Refuse a call that cannot wait for an approval.

    :raises ApprovalRequired: with the reason.
    """
    plan, connection = found.plan, found.asked.invocation.connection
    reason = None
    if not found.asked.how.caller.waits:
        reason = "this surface cannot wait for one"
    elif found.pipe.journal() is None or found.row is None:
        reason = "this runtime has no journal"
    elif isinstance(connection, Mapping):
        reason = "the values of an inline connection are never stored: name a stored connection"
    elif plan.action.hands_out:
        reason = (
            "its output is credentials, which are shown to a caller that waits and to nobody later"
        )
    if reason is not None:
        raise approval_required(found.terms.asks or "", reason)


def approval_of(
    found: Found, body: Mapping[str, Any], *, joins: bool
) -> tuple[AskedApproval, Mapping[str, Any]]:
    """Return the approval that a call waits for, and the data shown to a person, to be sealed with
    it. ``joins``: an equal call of the same caller that waits answers this one, also if it asks for
    a repeat, since nothing was sent that could be repeated.
    """
    invocation, terms, caller = found.asked.invocation, found.terms, found.asked.how.caller
    journal = required(found.pipe.journal())
    known = shown(found.pipe, body, found.plan, caller)
    until = journal.time.now() + LASTS
    expires_at = until if invocation.not_after is None else min(until, invocation.not_after)
    twin = None
    if joins and terms.joins and invocation.idempotency_key is None and caller.identity is not None:
        facts = {name: value for name, value in known.items() if name != "digest"}
        twin = journal.fingerprint(
            {"caller": [*caller.identity], **facts, "inputs": body.get("inputs")}
        )
    requester = {"caller": caller.name, "token": caller.token, "remote": caller.remote}
    requester |= {} if caller.told is None else {"how": caller.told}
    asker = None if caller.identity is None else caller.name
    return AskedApproval(terms.asks or "", requester, expires_at, twin, asker=asker), {
        **known,
        "expiresAt": expires_at,
    }


def displayed(
    found: Found, asked: AskedApproval, effective: Mapping[str, Any], source: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the data shown to the person who decides: the inputs in the action's own form
    including the connection's, secrets masked, and the members that change the call. ``source`` has
    the references to the files for which ``effective`` has placeholders.

    :raises ApprovalRequired: if the inputs are too large to be shown.
    """
    plan, invocation = found.plan, found.asked.invocation
    schema = plan.action.inputs
    references = [
        (place.steps, reduce(getitem, place.steps, cast("Any", source)))
        for place in file_places(source, schema)
    ]
    try:
        # no schema knows references: masked, they would name no file
        inputs = replaced(masked(schema, effective), references)
    except (LookupError, TypeError):  # another system's form, which moves a file
        raise approval_required(
            asked.rule, "its files cannot be shown: name the inputs as the action does"
        ) from None
    if plan.target is not None:  # what the connection brings is marked there
        kind = plan.target.kind.schema
        brought = {
            name: origin
            for name, origin in plan.action.defaults
            if name in inputs and name not in source
        }
        inputs |= {
            name: masked(kind, {origin: inputs[name]})[origin] for name, origin in brought.items()
        }
    redactor = found.redactor
    members = {
        "idempotencyKey": invocation.idempotency_key,
        "timeoutSeconds": invocation.timeout_seconds,
        "jobTimeoutSeconds": invocation.job_timeout_seconds,
        "onDoubt": invocation.on_doubt,
        "partial": invocation.partial,
        "repeat": invocation.repeat,
        "trace": invocation.trace,
        "context": invocation.context or None,
        "notBefore": iso(invocation.not_before),
        "notAfter": iso(invocation.not_after),
    }
    return {
        "inputs": inputs if redactor is None else redactor.clean_json(inputs),
        "effect": plan.action.rule_effect,
        "rule": asked.rule,
        "destination": _destination(plan),
        "requestedBy": dict(asked.requested_by),
        **{name: value for name, value in members.items() if value is not None},
    }


def _destination(plan: Planned) -> dict[str, Any]:
    """Return a call's destination: the hosts of its connection, or else of the connector, and the
    connection's open values, such as region and role.
    """
    target = plan.target
    if target is None:
        return {"hosts": [*plan.manifest.hosts], "connection": {}}
    schema = target.kind.schema
    declared: Mapping[str, Any] = schema.get("properties", {})
    offered = {
        name: node["default"]
        for name, node in declared.items()
        if isinstance(node, Mapping) and "default" in node
    }
    values = masked(schema, {**offered, **target.values})
    hosts = [value for _, value in named_hosts(schema, values)] or [*plan.manifest.hosts]
    told = {
        name: value
        for name, value in values.items()
        if isinstance(value, str | int | float) and MASK not in str(value)
    }
    return {"hosts": hosts, "connection": told}


def sealed_about(
    journal: Journal, draft: Draft, asked: AskedApproval, known: Mapping[str, Any]
) -> AskedApproval:
    """Return an approval with its displayed data sealed in its own row, since the call's inputs are
    deleted when the call begins.
    """
    over = known["connection"]
    about = {
        "connector": known["connector"],
        "connectorVersion": known["connectorVersion"],
        "action": known["action"],
        "effect": known["shown"]["effect"],
        "connection": None if over is None else over["name"],
        "reason": asked.rule,
        "requestedBy": dict(asked.requested_by),
        "requestedAt": draft.created_at,
        "expiresAt": asked.expires_at,
        "digest": known["digest"],
    }
    return replace(asked, about=journal.sealed_inputs(draft.id, about, "approval"))


def shown(
    pipeline: Pipe,
    body: Mapping[str, Any],
    plan: Planned,
    caller: Caller,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the facts that an approval is bound to, and the digest of all of them with the
    invocation; ``known`` is the data shown before.
    """
    journal, files = required(pipeline.journal()), pipeline.dependencies.files
    # as it is read from the journal
    body = json.loads(exact_json(body, _JSON), parse_float=read_float)
    named = named_files(body.get("inputs"))
    facts = {
        **_facts(journal, plan, known),
        "files": files.digests(pipeline.workspace, caller.owner, sorted(named)) if named else {},
    }
    return {**facts, "digest": journal.fingerprint({**facts, "invocation": body})}


def changed(known: Mapping[str, Any], present: Mapping[str, Any]) -> str | None:
    """Return the changes since the data were shown to a person; None without changes."""
    found = next(
        (name for name in _NAMES if name in present and known.get(name) != present[name]), None
    )
    if found is None:
        return None
    before, now = known.get(found), present[found]
    is_renamed = (
        isinstance(before, Mapping)
        and isinstance(now, Mapping)
        and {**before, "name": None} == {**now, "name": None}
    )
    return "the name of the connection" if is_renamed and found == "connection" else _NAMES[found]


def _facts(
    journal: Journal, plan: Planned | None, known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the facts beyond the invocation that decide its request. An account that was not
    ``known``, and that a later test of the same connection has determined, does not count as a
    change.
    """
    if plan is None:
        raise TypeError("the call has no plan")
    target, connection, account = plan.target, None, None
    if target is not None:
        values = {"values": target.values, "inputs": target.inputs}
        connection = {
            "name": target.name,
            "id": target.id,
            "version": target.version,
            "values": journal.fingerprint(values),
        }
        is_found_since = known is not None and known.get("account") is None
        account = (
            None if target.id is None or is_found_since else rows_of(journal).account_of(target.id)
        )
    return {
        "connector": plan.manifest.key,
        "connectorVersion": plan.manifest.version,
        "action": plan.action.key,
        "connection": connection,
        "account": account,
    }


def rows_of(journal: Journal) -> ApprovalRows:
    """Return the approvals of a journal's workspace."""
    return ApprovalRows(journal.database, journal.vault, journal.workspace)


def require_approved(found: Found) -> None:
    """Check that a queued call that needs a person's approval has it, and equals the call shown to
    that person.

    :raises ApprovalRequired: if no approval was requested.
    :raises Cancelled: if it was not approved, or has changed.
    :raises InDoubt: in both of these cases, if it was delivered before.
    """
    pipeline, how = found.pipe, found.asked.how
    known = None if how.claimed is None else how.claimed.approval
    if known is None:
        raise approval_required(
            found.terms.asks or "", "it was queued before that rule: invoke it again"
        )
    different = changed(
        known, shown(pipeline, found.asked.given.body, found.plan, how.caller, known)
    )
    if different is not None:
        raise cancelled(
            how, f"{different} has changed since it was approved", "Call again to ask once more."
        )
    journal = required(pipeline.journal())
    if not rows_of(journal).is_approved(how.meta.invocation_id, known["digest"]):
        raise cancelled(how, "nobody has approved it, or its approval was changed in the database")
    if (
        reason := unusable(audit_of(journal, pipeline.dependencies.clock), how.meta.invocation_id)
    ) is not None:
        raise cancelled(
            how,
            reason,
            "Run 'jackfield audit verify', and find out who else writes to the database.",
        )


def cancelled(
    how: How, reason: str, hint: str | None = None, details: Iterable[Detail] = ()
) -> JackfieldError:
    """Return the error of a call that differs from the approved one, for a ``reason``: nothing was
    sent, unless a lost process has begun it before.
    """
    if how.claimed is not None and how.claimed.delivery > 1:
        step = NextStep("in_doubt", id=how.meta.invocation_id)
        return InDoubt(
            f"{reason}; a process that was lost may have sent it before", details=details, hint=step
        )
    return Cancelled(f"{reason}; nothing was sent", details=details, hint=hint)


async def frees_key(journal: Journal, entry: Entry, call: Reached) -> bool:
    """End a waiting call that holds this call's key, if the waiting call can no longer be approved:
    its time is over, or its effect has changed.

    Return whether it was ended.
    """
    return bool(await call.how.waiter.ask(partial(_freed, journal, entry, call)))


def _freed(journal: Journal, entry: Entry, call: Reached) -> bool:
    now = journal.time.now()
    if (entry.not_after or 0.0) <= now:
        journal.recovery.refuse(journal.workspace, entry.id, expired(entry), approval="expired")
        return True
    row = rows_of(journal).find(entry.id)
    if row is None or row.inputs is None:
        return False
    try:
        stored = journal.opened_inputs(entry.id, row.inputs)
    except Internal:  # somebody has changed it in the database
        stored = {}
    if stored and (stored.get("caller"), stored.get("token")) != (
        call.how.caller.name,
        call.how.caller.token,
    ):
        return False  # another one's connection may be another one: he ends nobody's call
    known = stored.get("approval") or {}
    found = changed(known, _facts(journal, call.plan, known))
    if found is None:
        return False
    journal.recovery.refuse(
        journal.workspace, entry.id, spoiled(entry.id, entry, f"{found} has changed")
    )
    return True


def spoiled(identifier: str, about: Any, reason: str) -> Result:
    """Return the Result of a waiting call that can no longer be approved, for a ``reason``."""
    meta = Meta(
        identifier,
        connector=about.connector,
        connector_version=about.connector_version,
        action=about.action,
    )
    return failed(
        meta,
        Cancelled(
            f"it waited for an approval, and {reason}; nothing was sent",
            hint="Call again to ask once more.",
        ),
    )


async def waiting_twin(journal: Journal, twin: str, call: Reached) -> Result | None:
    """Return the Result of an equal waiting call of the same caller; None if no such call waits any
    more.
    """

    def step() -> Result | None:
        rows = rows_of(journal)
        identifier = rows.twin_of(twin)
        if identifier is None:
            return None
        entry = journal.find(identifier)
        if entry.status != "waiting" or (entry.not_after or 0.0) <= journal.time.now():
            if entry.status == "waiting":
                journal.recovery.refuse(
                    journal.workspace, identifier, expired(entry), approval="expired"
                )
            rows.close(identifier, "cancelled")
            return None
        return unended(
            Meta(
                entry.id, entry.connector, entry.connector_version, entry.action, twin_of=entry.id
            ),
            entry,
        )

    found: Result | None = await call.how.waiter.ask(step)
    if found is not None and call.row is not None:
        call.row.leave()  # type: ignore[attr-defined]  # the journal's own
    return found
