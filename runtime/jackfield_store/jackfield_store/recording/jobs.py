"""Jobs from their start to their end: the handle is stored, polls follow, and one of them finds the
end.

The start is a call like any other: retried, paced and in doubt by the action's effect. Once its
handle is in the journal, nothing starts the job again. Each poll is a claim of its own
(``journal/jobs``), by any available process: a waiting caller, ``serve``, ``worker``. A failing
poll ends nothing; only the provider's answer does, or the end of the job's time.

Without a journal, and over an inline connection, nothing can be stored: the call polls itself, and
is in doubt at its deadline.

Rules are checked when a job starts. An allowed job is polled to its end with the runtime's own
rights: an expired token does not leave the provider's work without an owner.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jackfield.call import endings
from jackfield.call.attempts import Attempts
from jackfield.call.call_records import Found
from jackfield.call.errors_map import in_doubt
from jackfield.call.how import Follow, How
from jackfield.call.job_steps import (
    LEAST,
    MOST,
    SOONEST,
    abandoned,
    bounded,
    followed_here,
    step,
    still,
)
from jackfield.call.reached import Ended
from jackfield.call.settle import recorded, settled
from jackfield.call.unstored import required
from jackfield.call.waiter import run_in_thread
from jackfield.callers import LIBRARY, Caller
from jackfield.invocation import Invocation, Meta, Result
from jackfield.invocation.claimed import ClaimedJob
from jackfield.invocation.file_references import named_files
from jackfield.invocation.request import DEFAULT_JOB_TIMEOUT
from jackfield.kernel.clock import Deadline, within
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import (
    Cancelled,
    InDoubt,
    InvalidOutput,
    JackfieldError,
    JobFailed,
    NotYet,
    Sent,
    Unavailable,
    UnknownAction,
)
from jackfield.kernel.hints import NextStep
from jackfield.kernel.shares import POOLS
from jackfield.pacing.turn import PostponedError
from jackfield_store.files.table import holding
from jackfield_store.journal.jobs import DueJobs
from jackfield_store.recording.replays import unended

if TYPE_CHECKING:
    import threading

    from jackfield.call.pipe import Pipe
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Reached
    from jackfield.call.waiter import Waiter
    from jackfield.connector import Action
    from jackfield.invocation.entry import Entry
    from jackfield_store.database import Transaction
    from jackfield_store.journal.journal import Journal, Unit

_MISSED = 5.0
"""Minimum seconds between a failed poll and the next one."""
_TURN = POOLS["polls"].turn or math.inf
"""Maximum seconds of one poll: a job outlasts its polls, and other jobs wait for their places."""
_LAST = 30.0
"""Seconds within which a job whose time is over is cancelled."""
_LOOK = 1.0
"""Seconds between two checks of a waiting caller for the findings of other processes."""
_MAX_TEXT = 200
_MAX_INPUT = 2048
"""Maximum characters of an input, as JSON, that polls get to open the connection with: regions, not
attachments.
"""


async def followed(pipeline: Pipe, attempts: Attempts, handle: Mapping[str, Any]) -> Ended:
    """Store the handle of a started job, then wait for the end of the job until the call's
    deadline.

    A queued call does not wait. Return the job's Result, or a Result of status ``running``.

    :raises JackfieldError: if the handle cannot be stored and the job has not ended in time; a
        ``write`` is in doubt then.
    """
    asked, how = attempts.asked, attempts.asked.how
    if asked.row is None or asked.inline is not None:
        return await followed_here(attempts, handle)
    invocation, plan = asked.invocation, attempts.plan
    remembered = {
        "invocation": _remembered(invocation, plan, attempts.inputs),
        **connection_id(plan),
    }
    job = {"handle": handle, **remembered, "attempts": attempts.count}
    files = holding(pipeline.workspace, named_files(handle), how.meta.invocation_id)
    try:
        stored = await asked.row.store_job(
            job, invocation.job_timeout_seconds or DEFAULT_JOB_TIMEOUT, files
        )
    except JackfieldError as error:
        raise await abandoned(
            attempts, handle, f"its handle could not be recorded: {error.message}"
        ) from None
    if not stored:
        raise await abandoned(
            attempts, handle, "another process took the invocation over while it started"
        )
    if how.claimed is not None:
        return Ended(_running(pipeline, how.ended(attempts.count), None), attempts)
    while True:
        try:
            left = how.deadline.remaining()
            result = await awaited(
                pipeline, how.meta.invocation_id, how.waiter, left, how.cancelled, how.follow
            )
            return Ended(result, attempts)
        except Unavailable:  # the job is stored, and goes on: it has not failed
            if how.deadline.remaining() <= _LOOK:
                return Ended(_running(pipeline, how.ended(attempts.count), None), attempts)
        await how.waiter.pause(_LOOK, how.cancelled)


def connection_id(plan: Plan) -> dict[str, str]:
    """Return the ID of a call's stored connection, by which the call follows a new name; empty
    without one, or for a file's.
    """
    identifier = None if plan.target is None else plan.target.id
    return {} if identifier is None else {"connectionId": identifier}


def _remembered(invocation: Invocation, plan: Plan, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the invocation with its small inputs, by which polls find connector and connection."""
    target = plan.target
    members = {
        "connector": invocation.connector,
        "action": invocation.action,
        "connection": None if target is None else target.name,
        "connectorVersion": invocation.connector_version,
        "timeoutSeconds": invocation.timeout_seconds,
        "partial": invocation.partial,
        "inputs": {
            name: value
            for name, value in inputs.items()
            if len(json.dumps(value, default=str)) <= _MAX_INPUT
        },
    }
    return {name: value for name, value in members.items() if value is not None}


async def awaited(
    pipeline: Pipe,
    identifier: str,
    waiter: Waiter,
    seconds: float | None,
    cancelled: threading.Event | None = None,
    follow: Follow | None = None,
) -> Result:
    """Wait for the end of an invocation, at most for ``seconds`` if given, or until ``cancelled``
    is set, and poll its due job.

    Return its Result, or an unfinished one. ``follow`` gets the job's progress at each check.
    """
    journal, clock = required(pipeline.journal()), pipeline.dependencies.clock
    due, until = (
        DueJobs(journal.database, clock),
        clock.monotonic() + (math.inf if seconds is None else seconds),
    )
    ended_here = False
    while True:
        entry: Entry = await waiter.ask(partial(journal.find, identifier))
        if not entry.is_open:
            result = Result.from_json(
                entry.result or {"status": entry.status, "meta": {"invocationId": entry.id}}
            )
            object.__setattr__(result, "opener", pipeline.opener)
            result.meta.observed = not ended_here
            return result
        if follow is not None and entry.progress is not None:
            follow(entry.progress)
        left = until - clock.monotonic()
        if left <= 0 or (cancelled is not None and cancelled.is_set()):
            return _running(pipeline, _meta(entry), entry)
        claimed = None
        if entry.job_until is not None and entry.owner is None and not pipeline.access.lacks_policy:
            claimed = await waiter.ask(partial(due.claim_one, pipeline.workspace, identifier))
        if claimed is not None:
            ended_here = await polled(pipeline, claimed, waiter, max(left, _LOOK)) is not None
        else:
            is_due = entry.owner is None and entry.status != "waiting"
            soon = (entry.available_at or 0.0) - journal.time.now() if is_due else _LOOK
            await waiter.pause(max(0.01, min(left, soon, _LOOK)), cancelled)


def _running(pipeline: Pipe, meta: Meta, entry: Entry | None) -> Result:
    return waited_by(pipeline, unended(meta, entry))


def waited_by(pipeline: Pipe, result: Result) -> Result:
    """Add a wait for the invocation's end to a Result, if it has not ended; return the Result."""
    object.__setattr__(result, "waiter", _Ending(pipeline))
    return result


class _Ending:
    """Wait of ``Result.wait`` for the end of an invocation."""

    def __init__(self, pipeline: Pipe) -> None:
        self._pipeline = pipeline

    def __call__(self, identifier: str, timeout: float | None = None) -> Result:
        return run_in_thread(awaited(self._pipeline, identifier, self._pipeline.in_thread, timeout))


def _caller_of(stored: Mapping[str, Any]) -> Caller:
    known = {
        name: stored[name] for name in ("scope", "remote", "token", "audience") if name in stored
    }
    return Caller(stored["caller"], **known)


def _meta(entry: Entry) -> Meta:
    return Meta(
        entry.id,
        entry.connector,
        entry.connector_version,
        entry.action,
        entry.attempts,
        request_id=entry.request_id,
    )


async def polled(
    pipeline: Pipe, claimed: ClaimedJob, waiter: Waiter, seconds: float = math.inf
) -> Result | None:
    """Poll a claimed job, after passing on a requested cancellation to the provider, and record the
    finding.

    Return the Result if the job has ended; None if it waits for its next poll. A poll takes
    ``timeoutSeconds``, at most ``seconds`` and a turn of the pool of polls.
    """
    return await pipeline.step(
        How(waiter, LIBRARY, claimed=claimed), partial(_polled, pipeline, claimed, seconds)
    )


async def _polled(
    pipeline: Pipe, claimed: ClaimedJob, seconds: float, call: Reached
) -> Result | None:
    journal, waiter, found = required(pipeline.journal()), call.how.waiter, None
    journal.tasks[claimed.id] = 0
    try:
        entry: Entry = await waiter.ask(partial(journal.find, claimed.id))
        found = await _Poll(pipeline, journal, claimed, entry, call, seconds).made()
    finally:
        if found is None:  # the process stops, or the database is gone
            _owe(
                journal,
                claimed,
                journal.jobs.giving_back(claimed, _MISSED, None, None, told=False, tried=False),
            )
    try:
        await waiter.record(journal.database, found.unit)
    except JackfieldError:
        _owe(journal, claimed, found.unit)
    else:
        journal.tasks.pop(claimed.id, None)
    return found.result


def _owe(journal: Journal, claimed: ClaimedJob, unit: Unit) -> None:
    """Record a poll's finding once the database is available. Until then the job is this process's
    task, or recovery would return it to wait.
    """

    def owed(transaction: Transaction) -> int:
        journal.tasks.pop(claimed.id, None)
        return unit(transaction)

    journal.tasks[claimed.id] = 0  # again: whose end is to be written counts as none
    journal.owe(owed)


@dataclass(frozen=True, slots=True)
class _Found:
    """Findings of a poll: the unit that records the poll, and the Result if the job has ended."""

    unit: Unit
    result: Result | None = None


@dataclass(slots=True)
class _Poll:
    """One poll of a job that this process has claimed."""

    pipeline: Pipe
    journal: Journal
    claimed: ClaimedJob
    entry: Entry
    call: Reached
    seconds: float
    fraction: float | None = None
    text: str | None = None
    told: bool = False
    """True once the provider has the request to cancel the job."""
    tried: bool = False
    can_cancel: bool = False
    asker: Caller | None = None
    """Caller who started the job, for policies."""
    found: Found | None = None
    handle: Mapping[str, Any] = field(default_factory=dict)
    undecided: Mapping[str, Any] | None = None
    """Output that no policy has decided on; None without such an output."""

    async def made(self) -> _Found:
        """Poll the job, and judge the outcome."""
        ended, error, seconds = None, None, self._pause()
        try:
            asked = await self._poll_provider()
            if isinstance(asked, Result):
                ended = asked
            else:
                seconds = self._noted(asked)
        except JobFailed as failure:
            ended = await self._seen(self._failed(failure))
        except PostponedError as later:
            seconds = max(SOONEST, later.at - self.journal.time.now())
        except NotYet as waits:
            seconds = bounded(waits.retry_after) or seconds
        except JackfieldError as fault:
            # whatever goes wrong in a poll, the provider works on, and the next poll may succeed
            error = fault
            # the workspace is suspended, or its rules forbid the action now
            if fault.code == "not_allowed":
                seconds = MOST
            else:
                seconds = max(_MISSED, seconds, fault.retry_after or 0.0)
                endings.log(self.call, fault, self.pipeline.workspace)
        left = (self.entry.job_until or 0.0) - self.journal.time.now()
        if ended is None and left <= 0:
            await self._stop()
            ended = await self._seen(self._lost(error))
        if ended is None:
            return _Found(
                self._given_back(
                    seconds if self.claimed.cancel_at is None else min(seconds, _MISSED), left
                )
            )
        return _Found(self._finishing(self._dated(ended)), ended)

    async def _poll_provider(self) -> Mapping[str, Any] | Result:
        """Poll the provider; return the progress, or the Result of a success."""
        call, how, pipeline, journal = self.call, self.call.how, self.pipeline, self.journal
        stored = journal.opened_inputs(self.claimed.id, self.claimed.sealed, "job")
        self.handle, how.claimed = stored["handle"], self.claimed.of(stored)
        how.caller, self.asker = replace(how.caller, name=stored["caller"]), _caller_of(stored)
        how.meta.connector, how.meta.action = self.entry.connector, self.entry.action
        asked = pipeline.plans.parsed(
            await how.waiter.ask(lambda: pipeline.known.followed(stored)), call
        )
        seconds = min(asked.invocation.timeout_seconds, self.seconds, _TURN)
        how.deadline = Deadline.after(seconds, pipeline.dependencies.clock)
        with within(seconds):
            served = await pipeline.plans.find(asked, call)
            plan = served.plan
            found = Found(asked, pipeline, plan, served.terms)
            if not plan.is_loaded:
                await plan.load(pipeline.catalog, how.waiter)
            steps = plan.code.job
            if steps is None:
                raise UnknownAction(f"'{plan.code.key}' is no job any more")
            self.can_cancel, self.found = steps.cancel is not None, found
            if self.claimed.cancel_at is not None:
                await self._cancel(found, steps.cancel)
            attempts = await self._step(found, steps.poll)
            answer = await attempts.page(cast("Any", self.handle))
        if "output" not in answer:
            return cast("Mapping[str, Any]", answer.get("progress", {}))
        try:
            return await self._seen(
                recorded(settled(attempts, answer["output"]).result, plan, queued=True)
            )
        except InvalidOutput as fault:
            return self._judged(fault)

    async def _seen(self, result: Result) -> Result:
        """Return a Result as policies permit it to the caller who started the job."""
        if self.found is None:  # nothing of its action was asked
            return result
        ended = await self.pipeline.policies.judged(
            self.found, Ended(result, self.call.attempts), self.asker
        )
        self.undecided = ended.undecided
        return ended.result

    async def _step(self, found: Found, code: Action) -> Attempts:
        conceals = self.pipeline.policies.is_on
        attempts = await step(
            found.asked,
            found.plan,
            code,
            self.handle,
            self.pipeline.dependencies,
            conceals=conceals,
        )
        self.call.attempts = attempts
        return attempts

    async def _cancel(self, found: Found, cancel: Action | None) -> None:
        """Cancel the job at the provider. A refused cancellation is not repeated, and the poll
        reads the job's state.

        :raises JobFailed: if the cancellation has ended the job.
        """
        if cancel is not None:
            attempts = await self._step(found, cancel)
            try:
                await attempts.page(cast("Any", self.handle))
            except JobFailed:
                raise
            except JackfieldError as error:
                endings.log(self.call, error, self.pipeline.workspace)
                self.tried = True
                self.told = not error.retryable
                return
        self.told = True

    async def _stop(self) -> None:
        """Cancel a job whose time is over, if only its polls do its work: no part of it may
        remain.
        """
        found, steps = self.found, None if self.found is None else self.found.plan.code.job
        if found is None or steps is None or not steps.cancels_late:
            return
        self.call.how.deadline = Deadline.after(_LAST, self.pipeline.dependencies.clock)
        with suppress(JobFailed), within(_LAST):
            await self._cancel(found, steps.cancel)

    def _noted(self, progress: Mapping[str, Any]) -> float:
        """Record the progress, and return the seconds to the next poll."""
        fraction, text, redactor = (
            progress.get("fraction"),
            progress.get("text"),
            self.call.redactor,
        )
        if isinstance(fraction, int | float) and math.isfinite(fraction):
            self.fraction = min(1.0, max(0.0, fraction))
        # no policy is asked about what a job says on its way
        if text and not self.pipeline.policies.is_on:
            self.text = (str(text) if redactor is None else redactor.clean(str(text)))[:_MAX_TEXT]
        return bounded(progress.get("retryAfter")) or self._pause()

    def _pause(self) -> float:
        age = self.journal.time.now() - (self.entry.started_at or self.entry.created_at)
        return min(MOST, max(LEAST, age / 10))

    def _given_back(self, seconds: float, left: float) -> Unit:
        seconds = min(seconds, max(SOONEST, left))
        return self.journal.jobs.giving_back(
            self.claimed, seconds, self.fraction, self.text, told=self.told, tried=self.tried
        )

    def _failed(self, failure: JobFailed) -> Result:
        """End a job that the provider has ended without success."""
        if failure.is_unclear:
            return self._judged(failure)
        if failure.keeps_key or not self.can_cancel or self.entry.cancel_requested_at is None:
            return endings.refused(self.call, failure, self.pipeline.workspace)
        stopped = Cancelled(
            f"the job was cancelled: {failure.message}",
            details=failure.details,
            hint=failure.hint,
            provider=failure.provider,
            sent=Sent.REFUSED,
        )
        return endings.refused(self.call, stopped, self.pipeline.workspace)

    def _judged(self, fault: InvalidOutput | JobFailed) -> Result:
        """End a job that has succeeded with an output that cannot be used, or whose effect is
        unknown.
        """
        error = (
            fault
            if self.entry.effect == "read"
            else in_doubt(self.entry.action, self.entry.id, fault, (), answered=True)
        )
        return endings.refused(self.call, error, self.pipeline.workspace)

    def _lost(self, fault: JackfieldError | None) -> Result:
        """End a job whose time is over; the provider may still work on it."""
        reason = f"; the last poll failed: {fault.message}" if fault is not None else ""
        doubt = still(
            self.entry.action,
            self.entry.effect,
            f"it had not ended within its 'jobTimeoutSeconds'{reason}",
        )
        doubt.hint = (
            NextStep("resolve", id=self.entry.id) if isinstance(doubt, InDoubt) else doubt.hint
        )
        return endings.refused(self.call, doubt, self.pipeline.workspace)

    def _dated(self, result: Result) -> Result:
        """Return the Result with the meta of the whole job: the attempts are those of its start."""
        entry, meta = self.entry, result.meta
        meta.connector_version = meta.connector_version or entry.connector_version
        meta.attempts, meta.request_id = entry.attempts, meta.request_id or entry.request_id
        meta.duration_ms = round(
            (self.journal.time.now() - (entry.started_at or entry.created_at)) * 1000, 3
        )
        object.__setattr__(result, "opener", self.pipeline.opener)
        return result

    def _finishing(self, result: Result) -> Unit:
        entry = replace(self.entry, undecided=self.undecided)
        unit: Any = self.journal.finishing(entry, result, (), None, self.claimed.delivery)
        return self.journal.jobs.finishing(unit)
