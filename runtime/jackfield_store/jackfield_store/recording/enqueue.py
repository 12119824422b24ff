"""Submission to the queue: invocations are admitted and checked as for a run, then queued; many of
them in few commits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call import endings
from jackfield.call.call_records import Found
from jackfield.call.call_rules import refuse_job_timeout, refuse_part
from jackfield.call.check import checked
from jackfield.call.filling import kept, reserve, stow
from jackfield.call.how import How
from jackfield.call.reached import Ended
from jackfield.call.settle import failed
from jackfield.call.unstored import required
from jackfield.call.waiter import run_in_thread
from jackfield.invocation import Enqueued, Meta, Result
from jackfield.kernel.clock import Deadline, within
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import (
    Cancelled,
    Detail,
    InDoubt,
    InvalidInput,
    InvalidInvocation,
    JackfieldError,
    Unavailable,
)
from jackfield.kernel.failures import Raised, attempt
from jackfield.manifest.manifest import WHOLE_BODY
from jackfield_store.files.table import holding
from jackfield_store.journal.approvals import ask
from jackfield_store.journal.room import limit_reached, room_for
from jackfield_store.recording.approvals import (
    approval_of,
    cancelled,
    displayed,
    refuse_unfit,
    require_approved,
    sealed_about,
    waiting,
)
from jackfield_store.recording.drafting import drafted
from jackfield_store.recording.held_keys import asking
from jackfield_store.recording.jobs import connection_id, waited_by
from jackfield_store.recording.queueing import queued as queued_once
from jackfield_store.recording.record import Record
from jackfield_store.recording.replays import replay_of
from jackfield_store.recording.settling import settled

if TYPE_CHECKING:
    from jackfield.call.pipe import OnQueued, Pipe, RawInvocation
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Reached
    from jackfield.call.waiter import Waiter
    from jackfield.callers import Caller
    from jackfield.invocation.entry import Draft, Entry
    from jackfield_store.database import Transaction
    from jackfield_store.journal.journal import Journal

    InTransaction = Callable[[Transaction], None]

_OF_ANSWERS = ("select", "maxBytes")
"""Members that affect only the answer to a waiting caller: the journal stores the whole output."""


async def enqueue(
    pipeline: Pipe, given: RawInvocation, call: Reached, on_queued: OnQueued | None = None
) -> Result | str:
    """Admit and check an invocation, then queue it for a worker, with ``on_queued`` in the same
    transaction. Return its id, or the Result that its idempotency key replays: of status ``queued``
    or ``running`` while the earlier invocation has not ended. A call that waits for a person's
    approval instead is a Result of status ``waiting``.

    :raises JackfieldError: if it is refused at once.
    """
    put = await _prepared(pipeline, given, call, replays=True)
    if put.replayed is not None:
        return await _replayed(pipeline, put.found, put.replayed)
    record, draft = put.record, put.record.draft
    if on_queued is not None:
        record.queue_with(
            partial(_both, draft.in_transaction, partial(_call_with_id, on_queued, draft.id))
        )
    with within(record.remaining):
        replayed = await queued_once(record, put.found.terms.limits)
    if replayed is not None:
        return await _replayed(pipeline, put.found, replayed)
    return draft.id if draft.approval is None else waiting(pipeline, draft.id)


async def _replayed(pipeline: Pipe, found: Found, result: Result) -> Result:
    """Return an earlier call's Result as its caller may see it, with a wait for its end."""
    result = (await pipeline.policies.judged(found, Ended(result))).result
    if result.status == "in_doubt" and found.terms.settle == "on":
        return await settled(found, result)
    return waited_by(pipeline, result)


def _both(first: InTransaction | None, second: InTransaction, transaction: Transaction) -> None:
    if first is not None:
        first(transaction)
    second(transaction)


def _call_with_id(on_queued: OnQueued, identifier: str, transaction: Transaction) -> None:
    on_queued(transaction, identifier)


async def asked(found: Found) -> Result | None:
    """Let a call that needs a person's approval wait for it, and return its Result of status
    ``waiting``; None if the call is approved or needs none.

    :raises ApprovalRequired: if it cannot wait.
    :raises Cancelled: if it differs from the approved call.
    """
    pipeline, how, body = found.pipe, found.asked.how, found.asked.given.body
    if how.claimed is not None:
        await how.waiter.ask(partial(require_approved, found))
        return None
    record: Record = found.row  # type: ignore[assignment]  # without a journal, another recording has refused
    refuse_unfit(found)
    kept_body = {name: value for name, value in body.items() if name not in _OF_ANSWERS}
    await put_by(found, kept_body, record, joins=True)
    replayed = await queued_once(record, found.terms.limits)
    if replayed is not None:
        return waited_by(pipeline, replayed)
    record.leave()
    return waiting(pipeline, record.draft.id)


def of_approved(call: Reached, error: Exception) -> Exception:
    """Return ``Cancelled`` with the reason for an approved call that is now refused before it was
    sent; return any other error unchanged.
    """
    approved = call.how.claimed is not None and call.how.claimed.approval is not None
    if (
        not approved
        or call.attempts is not None
        or not isinstance(error, JackfieldError)
        or error.retryable
    ):
        return error
    if isinstance(error, Cancelled | InDoubt):
        return error
    return cancelled(
        call.how,
        f"it cannot be made any more as it was approved: {error.message}",
        error.hint,
        error.details,
    )


async def prepared(pipeline: Pipe, given: RawInvocation, call: Reached) -> Draft:
    """Admit and check an invocation as ``enqueue`` does, and return the entry that it would have;
    queue nothing.

    :raises JackfieldError: if it is refused.
    """
    return (await _prepared(pipeline, given, call)).record.draft


@dataclass(frozen=True, slots=True)
class _Put:
    """Call with its record, ready to be queued; if ``replayed`` is set, that Result answers the
    call instead.
    """

    found: Found
    record: Record
    replayed: Result | None = None


async def _prepared(
    pipeline: Pipe,
    given: RawInvocation,
    call: Reached,
    *,
    replays: bool = False,
) -> _Put:
    """Admit, check and seal an invocation, and return it ready to be queued.

    With ``replays``, its idempotency key is looked for before the inputs are checked. Only then may
    an equal call that waits for an approval answer this one.

    :raises JackfieldError: if it is refused at once.
    """
    journal, how = required(pipeline.journal()), call.how
    asked = pipeline.plans.parsed(given, call)
    invocation = asked.invocation
    if isinstance(invocation.connection, Mapping):
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[
                Detail(
                    "/connection",
                    "an inline connection cannot wait in the queue: its values are never stored",
                )
            ],
            hint="Store the connection and name it, or invoke without 'respond-async'.",
        )
    refuse_part(invocation)
    how.deadline = Deadline.after(
        invocation.timeout_seconds, pipeline.dependencies.clock, how.arrived
    )
    with within(how.deadline.remaining()):
        asked.row = record = await drafted(asked, call, journal, pipeline.dependencies)
        served = await pipeline.plans.find(asked, call)
        found = Found(asked, pipeline, served.plan, served.terms)
        if pipeline.policies.must_judge:
            await pipeline.policies.judge(found)
        if replays:
            asks = asking(found, record.journal.time)
            replayed = await record.replay(joins=True, asks=asks)
            if replayed is not None:
                return _Put(found, record, replayed)
        if found.terms.asks is not None and not invocation.dry_run:
            refuse_unfit(found)
        await put_by(found, asked.given.body, record, joins=replays)
    call.release()
    return _Put(found, record)


async def put_by(found: Found, body: Any, record: Record, *, joins: bool) -> None:
    """Check an invocation, store its files, and seal it. Its record is then ready to be queued: for
    a worker, or for a person's approval, where it ``joins`` an equal one.

    :raises JackfieldError: if it is refused.
    """
    pipeline, asked, plan = found.pipe, found.asked, found.plan
    how, given, caller = asked.how, asked.given, asked.how.caller
    journal, files, workspace = (
        required(pipeline.journal()),
        pipeline.dependencies.files,
        pipeline.workspace,
    )
    _refuse_credentials(plan)
    if asked.invocation.job_timeout_seconds is not None:
        refuse_job_timeout(plan.action)
    schema = plan.action.inputs
    inputs, place = (
        _own_form(plan, given.inputs)
        if WHOLE_BODY in given.inputs
        else (given.inputs, nullcontext())
    )
    with place:
        if given.files:
            inputs = given.inputs = await kept(
                how.waiter, inputs, schema, files, workspace, caller.name, given.files
            )
            body = {**body, "inputs": inputs}
        judged, named = await reserve(how.waiter, inputs, schema, files, workspace, caller.owner)
        try:
            effective = checked(plan, judged)
        except InvalidInput as error:
            if not await plan.filled_by_host(error.details, pipeline.catalog, how.waiter):
                raise
            effective = checked(plan, judged)
    body, stored = await stow(how.waiter, body, given.inputs, schema, files, workspace, caller.name)
    held = holding(workspace, {*named, *stored}, how.meta.invocation_id)
    request = {
        "invocation": dict(body),
        "fingerprint": record.draft.fingerprint,
        **connection_id(plan),
        **caller.to_json(),
    }
    if found.terms.asks is not None and not asked.invocation.dry_run:
        wanted, known = await how.waiter.ask(partial(approval_of, found, body, joins=joins))
        request["approval"] = {
            **known,
            "shown": displayed(found, wanted, effective, body["inputs"] if stored else inputs),
        }
        wanted = sealed_about(journal, record.draft, wanted, request["approval"])
        record.draft.approval, record.draft.not_after = wanted, wanted.expires_at
        held = partial(_both, held, partial(ask, record.draft, workspace))
    record.keep(journal.sealed_inputs(how.meta.invocation_id, request))
    record.queue_with(held)


def _own_form(
    plan: Plan, given: Mapping[str, Any]
) -> tuple[Mapping[str, Any], AbstractContextManager[None]]:
    from jackfield.call.flat_bodies import pointing_into, unfolded

    return unfolded(plan.action, given), pointing_into(plan.action, given)


def enqueue_many(
    pipeline: Pipe, given: Iterable[RawInvocation], caller: Caller, waiter: Waiter
) -> list[Enqueued | Result]:
    """Queue invocations in order, in one commit. A refused one is a failed Result and does not
    affect the others.

    An invocation whose idempotency key is held, even by an earlier one of the list, is not queued
    again. The outcome is the earlier invocation while it is open, else its Result. Invocations
    beyond the workspace's limit of waiting ones are refused.
    """
    whole: Any = pipeline
    admitting = (
        replace(whole, policies=whole.policies.over(_UntilAway(whole.plugins)))
        if pipeline.policies.is_on
        else pipeline
    )
    admitted = [_admitted(admitting, item, caller, waiter) for item in given]
    records = [item.record for item in admitted if not isinstance(item, Result)]
    storage = pipeline.dependencies.files.storage
    limits = storage.limits.of(pipeline.workspace) if records else {}
    queued = _queued(pipeline, records, limits)
    outcomes = [
        item if isinstance(item, Result) else _outcome(item.found, item.record, queued, limits)
        for item in admitted
    ]
    return [
        _seen(pipeline, item, outcome) for item, outcome in zip(admitted, outcomes, strict=True)
    ]


class _UntilAway:
    """Plugins of a batch. After a policy has not answered for one call, no other call of the batch
    waits for it: a batch may have 10,000.
    """

    def __init__(self, plugins: Any) -> None:
        self._plugins = plugins
        self._away: Unavailable | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plugins, name)

    def judge(self, question: Mapping[str, Any]) -> Any:
        """Return the policies' decision.

        :raises Unavailable: if a policy gives no decision, or gave none before.
        """
        if self._away is not None:
            raise copy.copy(self._away)
        try:
            return self._plugins.judge(question)
        except Unavailable as error:
            self._away = error
            raise


def _seen(pipeline: Pipe, item: _Put | Result, outcome: Enqueued | Result) -> Enqueued | Result:
    """Return an outcome as its caller may see it, with a wait for an earlier call's end."""
    if isinstance(item, Result) or isinstance(outcome, Enqueued):
        return outcome
    if outcome.meta.replayed:
        return run_in_thread(_replayed(pipeline, item.found, outcome))
    return run_in_thread(pipeline.policies.judged(item.found, Ended(outcome))).result


def _admitted(
    pipeline: Pipe, given: RawInvocation, caller: Caller, waiter: Waiter
) -> _Put | Result:
    async def work(call: Reached) -> _Put | Result:
        found = attempt(run_in_thread, _prepared(pipeline, given, call))
        if not isinstance(found, Raised):
            return found
        if isinstance(found.error, JackfieldError):
            raise found.error
        # a value of the host's own class, most likely
        return endings.unexpected(call, found.error, pipeline.workspace)

    how = How(waiter, caller)
    try:
        return run_in_thread(pipeline.step(how, work))
    except JackfieldError as error:
        return failed(how.ended(), error)


def _queued(
    pipeline: Pipe, records: Sequence[Record], limits: Mapping[str, float]
) -> frozenset[str] | JackfieldError:
    """Return the queued ids; others have a held idempotency key, or exceed a limit. Return the
    error if the commit failed.
    """
    if not records:
        return frozenset()
    try:
        journal: Journal = required(pipeline.journal())
        return journal.queue_many([record.draft for record in records], limits)
    except JackfieldError as error:
        return error


async def _asked_again(found: Found, record: Record, entry: Entry) -> Enqueued | Result:
    """Queue the request of a doubt again, under its key and as its invocation."""
    record.ask(entry)
    await put_by(found, found.asked.given.body, record, joins=False)
    replayed = await queued_once(record)
    return Enqueued(entry.id, "queued") if replayed is None else replayed


def _outcome(
    found: Found,
    record: Record,
    queued: frozenset[str] | JackfieldError,
    limits: Mapping[str, float],
) -> Enqueued | Result:
    draft = record.draft
    room = room_for(draft, limits)
    meta = Meta(draft.id, connector=draft.connector, action=draft.action)
    if isinstance(queued, CommitUnknown):
        return failed(meta, queued.of_queued(draft.id, keyed=draft.idempotency_key is not None))
    if isinstance(queued, JackfieldError):
        return failed(meta, queued)
    if draft.id in queued:
        return Enqueued(draft.id, "queued" if draft.approval is None else "waiting")
    try:
        entry = None if draft.idempotency_key is None else record.holder()
        if entry is None and room is not None:
            raise limit_reached(room)
        if entry is None:  # the key had expired, and is free now
            replayed: Result | None = run_in_thread(queued_once(record))
            return (
                Enqueued(draft.id, "queued" if draft.approval is None else "waiting")
                if replayed is None
                else Enqueued.of(replayed) or replayed
            )
    except JackfieldError as error:
        return failed(meta, error)
    return _held(found, record, entry)


def _held(found: Found, record: Record, entry: Entry) -> Enqueued | Result:
    """Return the outcome of an invocation whose key an earlier one holds."""
    if entry.is_open:
        return Enqueued(entry.id, entry.status, replayed=True)
    if not asking(found, record.journal.time)(entry):
        return replay_of(entry)
    again = attempt(run_in_thread, _asked_again(found, record, entry))
    if not isinstance(again, Raised):
        return again
    if not isinstance(again.error, JackfieldError):
        raise again.error
    return failed(Meta(entry.id, connector=entry.connector, action=entry.action), again.error)


def _refuse_credentials(plan: Plan) -> None:
    if plan.action.hands_out:
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[
                Detail(
                    "/action",
                    "its output is credentials, which are shown to a caller that waits and to "
                    "nobody later",
                )
            ],
            hint="Invoke it without 'respond-async', and not in a batch.",
        )
