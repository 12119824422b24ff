"""Submission to the queue: invocations are admitted and checked as if they ran, then queued; many of them in few commits."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.invocation import Enqueued, Meta, Result
from jackfield.kernel.clock import Deadline, within
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Cancelled, Detail, InDoubt, InvalidInput, InvalidInvocation, JackfieldError, Unavailable
from jackfield.kernel.failures import Raised, attempt
from jackfield.manifest.manifest import WHOLE_BODY
from jackfield.pipe import endings
from jackfield.pipe.call_rules import refuse_job_timeout, refuse_part
from jackfield.pipe.check import checked
from jackfield.pipe.filling import kept, reserve, stow
from jackfield.pipe.how import How
from jackfield.pipe.run import Ended
from jackfield.pipe.settle import failed
from jackfield.pipe.unstored import required
from jackfield.pipe.waiter import run_in_thread
from jackfield_store.files.table import holding
from jackfield_store.journal.approvals import ask
from jackfield_store.journal.room import QUEUED, WAITING, limit_of, limit_reached
from jackfield_store.recording.approvals import approval_of, cancelled, displayed, refuse_unfit, require_approved, sealed_about, waiting
from jackfield_store.recording.drafting import drafted
from jackfield_store.recording.jobs import connection_id, waited_by
from jackfield_store.recording.queueing import queued as queued_once
from jackfield_store.recording.record import Record
from jackfield_store.recording.replays import replay_of
from jackfield_store.recording.settling import settled

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.invocation.entry import Draft
    from jackfield.pipe.plan import Plan
    from jackfield.pipe.recording import OnQueued, Pipe, RawInvocation
    from jackfield.pipe.run import Run
    from jackfield.pipe.waiter import Waiter
    from jackfield_store.database import Transaction
    from jackfield_store.journal.journal import Journal

    InTransaction = Callable[[Transaction], None]

_OF_ANSWERS = ("select", "maxBytes")
"""Members that say how a call is answered that waits for its output: the journal keeps all of it."""


async def enqueue(pipeline: Pipe, given: RawInvocation, run: Run, on_queued: OnQueued | None = None) -> Result | str:
    """Admit and check an invocation, then queue it for a worker, with ``on_queued`` in the same transaction. Return its id, or the Result
    that its idempotency key replays: of status ``queued`` or ``running`` while the earlier invocation has not ended. One that waits for a
    person's approval instead is a Result of status ``waiting``.

    :raises JackfieldError: if it is refused at once.
    """
    found = await _prepared(pipeline, given, run, replay=partial(Record.replay, joins=True))
    if isinstance(found, Result):
        return await _replayed(pipeline, run, found)
    if on_queued is not None:
        found.queue_with(partial(_both, found.draft.in_transaction, partial(_named, on_queued, found.draft.id)))
    with within(found.remaining):
        replayed = await queued_once(found, run.terms.limits.get(limit_of(found.draft)))
    if replayed is not None:
        return await _replayed(pipeline, run, replayed)
    return run.how.meta.invocation_id if found.draft.approval is None else waiting(pipeline, found.draft.id)


async def _replayed(pipeline: Pipe, run: Run, result: Result) -> Result:
    """Return the Result of an earlier call as its caller may see and wait for it."""
    result = (await pipeline.policies.judged(Ended(run, result))).result
    if result.status == "in_doubt" and run.terms.settle == "on":
        return await settled(pipeline, run, result)
    return waited_by(pipeline, result)


def _both(first: InTransaction | None, second: InTransaction, transaction: Transaction) -> None:
    if first is not None:
        first(transaction)
    second(transaction)


def _named(on_queued: OnQueued, identifier: str, transaction: Transaction) -> None:
    on_queued(transaction, identifier)


async def asked(pipeline: Pipe, given: RawInvocation, run: Run) -> Result | None:
    """Let a call that needs a person's approval wait for it, and return its Result of status ``waiting``; None if it has one.

    :raises ApprovalRequired: if it cannot wait.
    :raises Cancelled: if it is not what was approved any more.
    """
    if run.how.claimed is not None:
        await run.how.waiter.ask(partial(require_approved, pipeline, given, run))
        return None
    record: Record = run.record  # type: ignore[assignment]  # without a journal, another recording has refused
    refuse_unfit(pipeline, run)
    body = pipeline.plans.read(given, run)
    await put_by(pipeline, {name: value for name, value in body.items() if name not in _OF_ANSWERS}, run, record)
    replayed = await queued_once(record, run.terms.limits.get(WAITING))
    if replayed is not None:
        return waited_by(pipeline, replayed)
    record.leave()
    return waiting(pipeline, record.draft.id)


def of_approved(run: Run, error: Exception) -> Exception:
    """Return the error that ends a call that was approved and may not be made any more: it was cancelled, and for what reason."""
    approved = run.how.claimed is not None and run.how.claimed.approval is not None
    if not approved or run.attempts is not None or not isinstance(error, JackfieldError) or error.retryable:
        return error
    if isinstance(error, Cancelled | InDoubt):
        return error
    return cancelled(run, f"it cannot be made any more as it was approved: {error.message}", error.hint, error.details)


async def prepared(pipeline: Pipe, given: RawInvocation, run: Run) -> Draft:
    """Admit and check an invocation as ``enqueue`` does, queue nothing, and return the entry that it would have.

    :raises JackfieldError: if it is refused.
    """
    found = await _prepared(pipeline, given, run)
    if isinstance(found, Result):  # only a look-up of its idempotency key returns one
        raise TypeError("nothing was to be replayed")
    return found.draft


async def _prepared(
    pipeline: Pipe, given: RawInvocation, run: Run, replay: Callable[[Record], Awaitable[Result | None]] | None = None
) -> Record | Result:
    """Admit, check and seal an invocation, and return its record, ready to be queued.

    ``replay`` looks up its idempotency key before the inputs are checked; its Result, if any, is returned instead.

    :raises JackfieldError: if it is refused at once.
    """
    journal = required(pipeline.journal())
    body = pipeline.plans.read(given, run)
    invocation, meta = pipeline.plans.parsed(body, run, is_read=True), run.how.meta
    if isinstance(invocation.connection, Mapping):
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[Detail("/connection", "an inline connection cannot wait in the queue: its values are never stored")],
            hint="Store the connection and name it, or invoke without 'respond-async'.",
        )
    refuse_part(invocation)
    meta.connector, meta.action = invocation.connector, invocation.action
    run.how.deadline = Deadline.after(invocation.timeout_seconds, pipeline.dependencies.clock, run.how.arrived)
    with within(run.how.deadline.remaining()):
        record: Record = await drafted(invocation, run, journal, pipeline.dependencies)
        run.record = record
        await pipeline.plans.find(invocation, run)
        if pipeline.policies.must_judge:
            await pipeline.policies.judge(run)
        replayed = None if replay is None else await replay(record)
        if replayed is not None:
            return replayed
        if run.terms.asks is not None and not invocation.dry_run:
            refuse_unfit(pipeline, run)
        await put_by(pipeline, body, run, record)
    run.release()
    return record


async def put_by(pipeline: Pipe, body: Any, run: Run, record: Record) -> None:
    """Check an invocation whose ``plan`` is found, keep its files, and seal it. Its record is then ready to be queued: for a worker, or
    until a person approves it.

    :raises JackfieldError: if it is refused.
    """
    journal, files, workspace, caller = required(pipeline.journal()), pipeline.dependencies.files, pipeline.workspace, run.how.caller
    plan: Plan = run.plan  # type: ignore[assignment]  # ``Plans.find`` has set it
    _refuse_credentials(plan)
    if run.invocation.job_timeout_seconds is not None:
        refuse_job_timeout(plan.action)
    schema = plan.action.inputs
    inputs, place = _own_form(plan, run.inputs) if WHOLE_BODY in run.inputs else (run.inputs, nullcontext())
    with place:
        if run.given:
            inputs = run.inputs = await kept(run.how.waiter, inputs, schema, files, workspace, caller.name, run.given)
            body = {**body, "inputs": inputs}
        judged, named = await reserve(run.how.waiter, inputs, schema, files, workspace, caller.owner)
        try:
            effective = checked(plan, judged)
        except InvalidInput as error:
            if not await plan.filled_by_host(error.details, pipeline.catalog, run.how.waiter):
                raise
            effective = checked(plan, judged)
    body, stored = await stow(run.how.waiter, body, run.inputs, schema, files, workspace, caller.name)
    held = holding(workspace, {*named, *stored}, run.how.meta.invocation_id)
    request = {"invocation": dict(body), "fingerprint": record.draft.fingerprint, **connection_id(plan), **caller.to_json()}
    if run.terms.asks is not None and not run.invocation.dry_run:
        wanted, known = await run.how.waiter.ask(partial(approval_of, pipeline, body, run))
        request["approval"] = {**known, "shown": displayed(run, wanted, effective, body["inputs"] if stored else inputs)}
        wanted = sealed_about(journal, record.draft, wanted, request["approval"])
        record.draft.approval, record.draft.not_after = wanted, wanted.expires_at
        held = partial(_both, held, partial(ask, record.draft, workspace))
    record.keep(journal.sealed_inputs(run.how.meta.invocation_id, request))
    record.queue_with(held)


def _own_form(plan: Plan, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], AbstractContextManager[None]]:
    from jackfield.pipe.flat_bodies import pointing_into, unfolded

    return unfolded(plan.action, given), pointing_into(plan.action, given)


def enqueue_many(pipeline: Pipe, given: Iterable[RawInvocation], caller: Caller, waiter: Waiter) -> list[Enqueued | Result]:
    """Queue invocations in order, in one commit. A refused one is a failed Result and does not affect the others.

    An invocation whose idempotency key is held, by an earlier one of the list too, is not queued again. The outcome is the earlier
    invocation while it is open, else its Result. Those beyond the workspace's limit of invocations that wait are refused.
    """
    whole: Any = pipeline
    admitting = replace(whole, policies=whole.policies.over(_UntilAway(whole.plugins))) if pipeline.policies.is_on else pipeline
    found = [_admitted(admitting, item, caller, waiter) for item in given]
    records = [item for item in found if not isinstance(item, Result)]
    limits = pipeline.dependencies.files.storage.limits
    found_limits = {name: limits.most(pipeline.workspace, name) for name in (QUEUED, WAITING)} if records else {}
    most = {name: number for name, number in found_limits.items() if number is not None}
    queued = _queued(pipeline, records, most)
    outcomes = [item if isinstance(item, Result) else _outcome(item, queued, most) for item in found]
    return [_seen(pipeline, item, outcome) for item, outcome in zip(found, outcomes, strict=True)]


class _UntilAway:
    """Plugins of a batch. A policy that has not answered for one call of it is not waited for again: a batch may have 10,000."""

    def __init__(self, plugins: Any) -> None:
        self._plugins = plugins
        self._away: Unavailable | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plugins, name)

    def judge(self, question: Mapping[str, Any]) -> Any:
        """Return what the policies have decided.

        :raises Unavailable: if one gives no decision, or gave none before.
        """
        if self._away is not None:
            raise copy.copy(self._away)
        try:
            return self._plugins.judge(question)
        except Unavailable as error:
            self._away = error
            raise


def _seen(pipeline: Pipe, item: Record | Result, outcome: Enqueued | Result) -> Enqueued | Result:
    """Return an outcome as its caller may see it, and wait for it if it is an earlier one's."""
    if isinstance(item, Result) or isinstance(outcome, Enqueued):
        return outcome
    if outcome.meta.replayed:
        return run_in_thread(_replayed(pipeline, item.run, outcome))
    return run_in_thread(pipeline.policies.judged(Ended(item.run, outcome))).result


def _admitted(pipeline: Pipe, given: RawInvocation, caller: Caller, waiter: Waiter) -> Record | Result:
    async def work(run: Run) -> Record | Result:
        found = attempt(run_in_thread, _prepared(pipeline, given, run))
        if not isinstance(found, Raised):
            return found
        if isinstance(found.error, JackfieldError):
            raise found.error
        return endings.unexpected(run, found.error, pipeline.workspace)  # a value of the host's own class, most likely

    how = How(waiter, caller)
    try:
        return run_in_thread(pipeline.step(how, work))
    except JackfieldError as error:
        return failed(how.ended(), error)


def _queued(pipeline: Pipe, records: Sequence[Record], most: Mapping[str, float]) -> frozenset[str] | JackfieldError:
    """Return the ids that were queued; all others have an idempotency key that is held, or exceed the workspace's limit. Return the error
    if the commit failed."""
    if not records:
        return frozenset()
    try:
        journal: Journal = required(pipeline.journal())
        return journal.queue_many([record.draft for record in records], most)
    except JackfieldError as error:
        return error


def _outcome(record: Record, queued: frozenset[str] | JackfieldError, limits: Mapping[str, float]) -> Enqueued | Result:
    draft = record.draft
    most = limits.get(limit_of(draft))
    meta = Meta(draft.id, connector=draft.connector, action=draft.action)
    if isinstance(queued, CommitUnknown):
        return failed(meta, queued.of_queued(draft.id, keyed=draft.idempotency_key is not None))
    if isinstance(queued, JackfieldError):
        return failed(meta, queued)
    if draft.id in queued:
        return Enqueued(draft.id, "queued" if draft.approval is None else "waiting")
    try:
        entry = None if draft.idempotency_key is None else record.holder()
        if entry is None and most is not None:
            raise limit_reached(limit_of(draft), most)
        if entry is None:  # the key had expired, and is free now
            replayed: Result | None = run_in_thread(queued_once(record))
            return (
                Enqueued(draft.id, "queued" if draft.approval is None else "waiting")
                if replayed is None
                else Enqueued.of(replayed) or replayed
            )
    except JackfieldError as error:
        return failed(meta, error)
    return Enqueued(entry.id, entry.status, replayed=True) if entry.is_open else replay_of(entry)


def _refuse_credentials(plan: Plan) -> None:
    if plan.action.hands_out:
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[Detail("/action", "its output is credentials, which are shown to a caller that waits and to nobody later")],
            hint="Invoke it without 'respond-async', and not in a batch.",
        )
