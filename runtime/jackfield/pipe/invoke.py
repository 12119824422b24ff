"""One call, from its JSON to its Result: the page to read first.

In order: parse. Admit: draft the journal's entry, find the plan, replay the Result of an earlier call with the same key. Check: inputs,
stored files. Open: load the connector's code and type the inputs; **a dry run ends here**; open the connection, wait for the rate limit,
begin (put the entry on the disk). Run: attempts, page by page. Settle: judge and mask the output. End: record the outcome. Plugins that
observe stages are told the five in between.

Durable: the begin of a ``write``, and of any call with an idempotency key, is on the disk before the action's first byte. Opening may have
reached a token endpoint by then. The outcome is on the disk before the caller gets it if the call has a key or is in doubt. That of a
``write`` that runs alone is committed by then (``Record.end``). All else is written with the next commit, a moment later. An outcome that
cannot be written changes no Result: it is logged, and written once the database is back. Without a journal keys are refused.

Killed: before its begin is on the disk, a call leaves no trace, and nothing of its action was sent. From then until its outcome is on the
disk, it leaves a begin without an end: anything but a ``write`` may simply be run again, a ``write`` is in doubt. That includes a ``write``
without a key whose caller got the Result a moment before, while others ran.

``Attempts`` decides what is retried and what is in doubt, by the action's effect and by what an attempt had sent. ``endings`` asks it about
interrupted calls and bugs, ``settle`` about outputs that cannot be used. Of processes that died, ``journal/abandoned`` decides.

Masked: outputs in ``settle``, errors by ``masking`` and what is logged of them in ``endings``, recorded inputs in ``recording/record``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from jackfield.connector.conversion import Handle
from jackfield.connector.hooks import Wrapping
from jackfield.kernel.clock import Deadline, within
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import JackfieldError, LimitReached, Unavailable
from jackfield.kernel.interrupts import let_out_of_call
from jackfield.kernel.secrecy import Hidden
from jackfield.pacing.turn import PostponedError
from jackfield.pipe import endings
from jackfield.pipe.attempts import Attempts
from jackfield.pipe.call_rules import look_barred, refuse_job_timeout, refuse_queue_members
from jackfield.pipe.calls import Calls, begins_at_once
from jackfield.pipe.check import filled_inputs, typed_inputs
from jackfield.pipe.evidence import shares_marker
from jackfield.pipe.settle import rehearsed, settled

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connector.hooks import Plugins
    from jackfield.invocation import Invocation, Result
    from jackfield.pipe.evidence import Dependencies
    from jackfield.pipe.plan import Plan, Plans
    from jackfield.pipe.policy_steps import Step
    from jackfield.pipe.ports import Access
    from jackfield.pipe.record import Record
    from jackfield.pipe.recording import Recording
    from jackfield.pipe.run import Run
    from jackfield.pipe.waiter import InThread

RawInvocation = Mapping[str, Any] | str | bytes
_USED_EVERY, _EXPIRED_EVERY = 600.0, 60.0
"""Seconds within which a process notes once that a connection works, or that its credentials are refused: both may go on in turns."""


@dataclass(frozen=True, slots=True, repr=False)
class Pipeline:
    """Pipe of one workspace. ``journal`` returns its journal, or None, and ``recording`` writes to it. ``live`` maps running invocations to
    their cancel events."""

    catalog: Catalog
    known: Connections
    plans: Plans
    plugins: Plugins
    access: Access
    journal: Callable[[], Any]
    recording: Recording
    dependencies: Dependencies
    in_thread: InThread
    """How a thread waits for the end of an invocation, for ``Result.wait``."""
    live: dict[str, threading.Event] = field(default_factory=dict)
    calls: Calls = field(default_factory=Calls)
    wraps: bool = field(init=False)
    """True if a plugin wraps calls."""
    judges: bool = field(init=False)
    """True if a policy judges calls and outputs."""
    opener: Callable[[str], BinaryIO] = field(init=False)
    """Opens a stored file of the workspace, for ``Result.files``."""
    enter: Callable[[str], None] = field(init=False)
    """Tells the plugins that observe stages which one a call enters."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "opener", partial(self.dependencies.files.open_by_id, self.dependencies.workspace))
        object.__setattr__(self, "wraps", self.plugins.has("around"))
        object.__setattr__(self, "judges", self.plugins.has("judge"))
        object.__setattr__(self, "enter", self.plugins.stage if self.plugins.has("stage") else _ignore_stage)

    @property
    def workspace(self) -> str:
        """Workspace whose calls it runs."""
        return self.dependencies.workspace

    async def run(self, given: Hidden, run: Run) -> Result:
        """Run one call. An exception becomes a Result, which is recorded, like every other, if the call came as far as a record.

        A postponed call has not ended: its exception goes on to the queue, which gives its row back. Ctrl-C, a cancelled task and whatever
        else the host raises (``interrupts``) go on, too, once ``endings.interrupted`` has recorded what had been sent (during
        ``record.end``, that does). Who cancels from elsewhere uses ``live``, at which attempts look. ``run.recorded`` lacks what only the
        caller may see.
        """
        self.calls.begin(run)
        try:
            result = await self._outcome(given, run)
            if run.record is not None:
                result = await run.record.end(run.recorded or result, is_last=partial(self.calls.is_last, run)) or result
                result.meta.warnings = (*result.meta.warnings, *run.record.unrecorded)
        finally:
            self.calls.end(run)
        if result.status == "in_doubt" and run.settle != "off":
            result = await self.recording.settled(self, run, result)
        run.release()
        if result.output is not None and (run.invocation.select is not None or run.invocation.max_bytes is not None):
            from jackfield.pipe.part_of_output import part_of_output

            result = await part_of_output(run, result, self.dependencies.files, self.workspace)
        object.__setattr__(result, "opener", self.opener)
        return result if result.status != "waiting" else self.recording.waited_by(self, result)

    async def _outcome(self, given: Hidden, run: Run) -> Result:
        identifier, workspace = run.meta.invocation_id, self.dependencies.workspace
        was_interrupted = True  # until it has ended in another way
        self.live[identifier] = run.cancelled
        try:
            self.calls.check()
            result = await self._wrapped(given, run)
            if self.judges:
                result = await self.judged(run, result)
            was_interrupted = False
        except Exception as error:
            let_out_of_call(error, run.handled)
            was_interrupted = False
            if isinstance(error, PostponedError):
                raise
            result = endings.ended(run, error if run.claimed is None else self.recording.of_claimed(run, error), workspace)
            self._note_expired(run, error)
            if run.conceals:
                was_interrupted = True
                result = await self.judged(run, result)
                was_interrupted = False
        finally:
            self.live.pop(identifier, None)
            if run.is_counted:
                self.dependencies.files.storage.limits.ends(workspace)
            if was_interrupted:
                endings.interrupted(run, workspace)
        return result

    async def _wrapped(self, given: Hidden, run: Run) -> Result:
        """Parse the call, then run it within its deadline and the wrappers of plugins."""
        invocation, meta = self.plans.parsed(given.value, run), run.meta
        if run.claimed is None and (invocation.not_before, invocation.not_after, invocation.priority) != (None, None, None):
            refuse_queue_members(invocation)
        meta.connector, meta.action, meta.dry_run = invocation.connector, invocation.action, invocation.dry_run
        run.deadline = Deadline.after(invocation.timeout_seconds, self.dependencies.clock, run.arrived)
        with within(run.deadline.remaining()):
            if not self.wraps:
                return await self._called(given, invocation, run)
            around = self.plugins.around(invocation, self.workspace, meta)
            with Wrapping(around, lambda error: endings.log(run, error, self.workspace)):
                return await self._called(given, invocation, run)

    async def _called(self, given: Hidden, invocation: Invocation, run: Run) -> Result:
        """Admit, check, open, run and settle. A call that a rule asks an approval for ends in *admit*, as one that waits."""
        enter, waiter = self.enter, run.waiter
        enter("admit")
        record = run.record = await self.recording.drafted(invocation, run)
        run.deadline.check()  # it began when the request arrived
        plan = await self.plans.find(invocation, run)
        begin_within(run, self.dependencies)
        if (answered := await self._answered(given, run, record, plan)) is not None:
            return answered
        enter("check")
        inputs = await filled_inputs(plan, run, self.dependencies, self.catalog)
        enter("open")
        if not plan.is_loaded:
            await plan.load(self.catalog, waiter)
        values, inputs = await typed_inputs(plan, inputs, run, self.dependencies)
        if run.is_guarded:
            await self.recording.refuse_suppressed(plan, inputs, run)
        target = plan.target
        opening = None if target is None else await plan.resolved(target, run, self.dependencies) if target.refers else plan.opening()
        attempts = run.attempts = Attempts(run, plan, values, inputs, opening, self.dependencies)
        compared = inputs if run.joins else None
        del inputs
        if invocation.job_timeout_seconds is not None:
            refuse_job_timeout(plan.action)
        if invocation.dry_run:
            return await rehearsed(attempts)
        if attempts.opening is not None:
            attempts.client = await attempts.opened()
        if record is not None and (replayed := await self._begin_or_replay(record, attempts, compared)) is not None:
            return replayed
        enter("run")
        if (paging := plan.code.pagination) is None:
            output = await attempts.page(attempts.values)
        else:
            from jackfield.pipe.paging import run_attempts

            output = await run_attempts(attempts, paging)
        if plan.code.job is not None and isinstance(output, Handle):
            return await self.recording.followed(self, attempts, output)
        enter("settle")
        settle = partial(self._settled, attempts, output)
        return await waiter.compute(settle) if waiter.suspends and plan.settles_long(output) else settle()

    async def _answered(self, given: Hidden, run: Run, record: Record | None, plan: Plan) -> Result | None:
        """Return the Result of an earlier call with the same key, or let the call wait until a person approves it, if a rule asks for that.
        None if it goes on: nothing asks, it is rehearsed, or it was approved and is what was shown.

        :raises ApprovalRequired: if it cannot wait.
        :raises Cancelled: if it was approved and is not what was shown any more.
        """
        if judges := self.judges or self.access.lacks_policy:  # not by the property: that would be a call more
            await self.judge(run)
        is_unseen = run.invocation.idempotency_key is not None and not judges and self.enter is _ignore_stage
        puts_off = is_unseen and begins_at_once(plan, run, self.dependencies.clock)
        if record is not None and (replayed := await record.replay(puts_off=puts_off)) is not None:
            return replayed
        is_asked = run.asks is not None or (run.claimed is not None and run.claimed.approval is not None)
        return await self.recording.asked(self, given.value, run) if is_asked and not run.invocation.dry_run else None

    @property
    def must_judge(self) -> bool:
        """True if a policy judges calls, or is to: one judges those of the database, and this process has none."""
        return self.judges or self.access.lacks_policy

    async def judge(self, run: Run) -> None:
        """Ask the policies whether a call may be made, or queued. Without a decision, a call from the queue is looked at again later.

        :raises NotAllowed: if one refuses it.
        :raises Unavailable: if there is no decision, unless it is a ``read``.
        """
        try:
            await self._judging().judge_call(self.plugins, run, self.dependencies)
        except Unavailable as error:
            raise _refusal(run, self.dependencies, error, _UNDECIDED) if run.claimed is not None else error from None

    async def judged(self, run: Run, result: Result, caller: Caller | None = None) -> Result:
        """Return a Result, replayed ones too, without what the policies withhold of it. ``caller`` had asked for it, if not the run's."""
        if result.output is None and not _tells(run, result) and not run.returned:
            return result
        found: Result = await _policy().judge_output(self.plugins, run, result, self.dependencies, caller or run.caller)
        return found

    def judged_choices(self, caller: Caller, about: Mapping[str, Any], fetch: Callable[[], list[dict[str, str]]]) -> list[dict[str, str]]:
        """Return the choices of a form's field that the policies leave of those that ``fetch`` gets from the provider.

        :raises NotAllowed: if one refuses them.
        :raises Unavailable: if there is no decision.
        """
        found: list[dict[str, str]] = self._judging().judge_choices(self.plugins, caller, {**about, "workspace": self.workspace}, fetch)
        return found

    def judge_step(self, step: Step, inputs: Mapping[str, Any]) -> None:
        """Ask the policies whether a read may be made that is no call: a poll of a trigger, or a look for evidence.

        :raises NotAllowed: if one refuses it.
        """
        self._judging().judge_step(self.plugins, self.workspace, step, inputs)

    def left_of(self, step: Step, output: Any) -> Any:
        """Return what the policies leave of what such a step has returned; None if that is nothing.

        :raises Unavailable: if there is no decision.
        """
        return self._judging().left_of(self.plugins, self.workspace, step, output)

    def _judging(self) -> Any:
        """Return the module of policies.

        :raises Unavailable: if one judges the calls of the database, and this process has none.
        """
        if self.access.lacks_policy:
            text = "a policy judges the calls of this database, and this process has none: nothing was sent"
            cure = "The operator of jackfield sets JACKFIELD_POLICY_URL for each process, or takes the policy back for all."
            raise Unavailable(text, hint=cure)
        return _policy()

    def seen_by(self, caller: Caller) -> Caller:
        """Return a caller who sees the connectors and actions that the policies leave."""
        found: Caller = _policy().judged_listing(self.plugins, caller, self.workspace)
        return found

    async def _begin_or_replay(self, record: Record, attempts: Attempts, compared: Mapping[str, Any] | None) -> Result | None:
        """Wait for the rate limit, then record that the call begins. Return the Result of an earlier call with its key, or of an open twin
        with equal inputs (``compared``), if there is one.

        A call that claims its key now, or may have a twin, and counts against an account's limit, begins first and waits at its first
        attempt. A second call neither waits nor counts.
        """
        run, code, ends_in_doubt = attempts.run, attempts.plan.code, attempts.ends_in_doubt
        if run.limits and code.returns_files:
            await require_storage(run, self.dependencies)
        record.weigh(None if code.effect_of is None else attempts.declared, is_unrepeatable=run.claimed is None and ends_in_doubt)
        is_paired = compared is not None and record.pair(compared)
        claims_key = run.invocation.idempotency_key is not None and run.claimed is None  # the row of a queued call holds its key already
        begins_first = (claims_key or is_paired) and code.budget is not None
        if not begins_first:
            await attempts.take_turn()
        # the rules allow one request over a lent connection
        if code.evidence and attempts.plan.loan is None and run.settle != "off" and ends_in_doubt:
            attempts.evidence.shares_marker = is_shared = shares_marker(code.marker, attempts.declared, attempts.inputs)
            target = attempts.plan.target
            over: object = None if target is None else target.name or {}
            barred = partial(look_barred, self.access, run.caller, attempts.plan.manifest, over)
            record.expect(code, attempts.inputs, barred, is_shared=is_shared)
        if record.keeps:  # again, now that the connection is open and its secrets can be masked
            record.keep_inputs()
        return await record.start()

    def _note_expired(self, run: Run, error: Exception) -> None:
        """Mark the stored connection of a call whose credentials the provider refuses, and note the next success over it again."""
        attempts = run.attempts
        if attempts is None or not isinstance(error, JackfieldError) or not attempts.lost_credentials(error):
            return
        target, opening, moment = attempts.plan.target, attempts.opening, self.dependencies.clock.monotonic()
        if target is not None and target.id is not None and opening is not None:
            identifier, version = target.id, target.version

            def note() -> bool:
                self.known.note_expired(identifier, version)
                opening.cache.forget(("used", moment // _USED_EVERY))
                return True

            opening.cache.cached(("expired", moment // _EXPIRED_EVERY), note)

    def _settled(self, attempts: Attempts, output: Mapping[str, Any]) -> Result:
        """Judge and mask the output; note from time to time that a named connection works: another process may not know."""
        result, target, opening = settled(attempts, output), attempts.plan.target, attempts.opening
        if target is not None and opening is not None and target.name is not None:
            name, identifier, version = target.name, target.id, target.version
            opening.cache.cached(("used", attempts.opened_at // _USED_EVERY), lambda: self.known.note_used(name, identifier, version))
        return result


def _tells(run: Run, result: Result) -> bool:
    """Return whether the error of a Result may have been told by a provider, in whatever words."""
    error, attempts = result.error, run.attempts
    if error is None or run.plan is None:
        return False
    return error.provider is not None or result.meta.replayed or (attempts is not None and attempts.count > 0)


def deciding(plugins: Plugins) -> Callable[..., Any] | None:
    """Return the function that asks the policies again about an output that none had decided on; None if there are none."""
    return partial(_decided, plugins) if plugins.has("judge") else None


def _decided(plugins: Plugins, result: Mapping[str, Any], undecided: Mapping[str, Any]) -> Any:
    return _policy().decided(plugins, result, undecided)


def _policy() -> Any:
    """Return the module of policies: most processes have none."""
    from jackfield.pipe import policy

    return policy


_ignore_stage: Callable[[str], None] = deque[str](maxlen=0).append
"""Do nothing: no plugin observes stages. It is written in C, since a call enters five."""
_SOON, _UNDECIDED, _LATER = 1.0, 5.0, 30.0
"""Seconds after which a queued call is looked at again: calls end soon, a policy decides again, and files are deleted later."""


def begin_within(run: Run, dependencies: Dependencies) -> None:
    """Count a call among those that run in its workspace. One that does not begin leaves no entry in the journal.

    :raises LimitReached: if as many run as the workspace's limit allows.
    :raises PostponedError: instead, for a queued call.
    """
    most = run.limits.get("concurrent")
    if most is None:
        return
    run.is_counted = dependencies.files.storage.limits.begins(dependencies.workspace, most)
    if not run.is_counted:
        raise _refusal(run, dependencies, LimitReached("concurrent", most), _SOON)


async def require_storage(run: Run, dependencies: Dependencies) -> None:
    """Check that the workspace may store what an action returns. What a call has returned is stored, however much it is.

    :raises LimitReached: if its files have reached its limit.
    :raises PostponedError: instead, for a queued call.
    """
    most = run.limits.get("storageBytes")
    if most is not None and await run.waiter.call(partial(dependencies.files.is_full, dependencies.workspace)):
        raise _refusal(run, dependencies, LimitReached("storageBytes", most), _LATER)


def _refusal(run: Run, dependencies: Dependencies, error: JackfieldError, seconds: float) -> JackfieldError | PostponedError:
    """Return what ends a call that does not begin: it was counted nowhere, so nothing is recorded of it."""
    run.record = None
    return error if run.claimed is None else PostponedError(dependencies.files.time.now() + seconds)
