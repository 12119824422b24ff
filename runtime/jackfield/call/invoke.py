"""One call, from its JSON to its Result: the module to read first.

In order: parse. Admit: draft the journal's entry, find the plan. Check: inputs, stored files. Open:
load the connector's code and type the inputs; **a dry run ends here**; open the connection, wait
for the rate limit, begin (put the entry on the disk). Run: attempts, page by page. Settle: judge
and mask the output. End: record the outcome. Plugins that observe stages are notified of the five
in between.

Between the stages features act, each as a gate (``gate``): ``jackfield_store/gates/order`` lists
the gates in order, with reasons.

Durable: the begin of a ``write``, and of any call with an idempotency key, is on the disk before
the action's first byte. Opening may have reached a token endpoint by then. The outcome of a call
that has a key or is in doubt is on the disk before the caller gets it. The outcome of a ``write``
that runs alone is committed by then (``CallRecord.end``). Every other outcome is written with the
next commit, a moment later. An outcome that cannot be written changes no Result: it is logged, and
written once the database is back. Without a journal keys are refused.

Killed: before its begin is on the disk, a call leaves no trace, and nothing of its action was sent.
From then until its outcome is on the disk, it leaves a begin without an end: a ``write`` is in
doubt, any other call may be run again. That includes a ``write`` without a key whose caller got the
Result a moment before, while others ran.

``Attempts`` decides on retries and doubts, by the action's effect and the bytes that an attempt had
sent. ``endings`` asks it about interrupted calls and bugs, ``settle`` about unusable outputs.
``journal/abandoned`` decides on calls of dead processes.

Masked: outputs in ``settle``, errors by ``masking``, log lines in ``endings``, recorded inputs in
``recording/record``.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from jackfield.call import endings
from jackfield.call.attempts import Attempts
from jackfield.call.call_records import Checked, Found
from jackfield.call.call_rules import refuse_queue_members
from jackfield.call.check import filled_inputs, typed_inputs
from jackfield.call.gate import chosen
from jackfield.call.pipe import Pipe
from jackfield.call.reached import Ended, Reached
from jackfield.call.settle import rehearsed, settled
from jackfield.connector.hooks import Wrapping
from jackfield.kernel.clock import Deadline, within
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.interrupts import let_out_of_call
from jackfield.pacing.turn import PostponedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from jackfield.call.gate import Gate, Passing
    from jackfield.call.how import How
    from jackfield.call.reached import Asked
    from jackfield.call.record import CallRecord
    from jackfield.invocation import Result
    from jackfield.kernel.secrecy import Hidden

_UNWRAPPED = nullcontext()
"""Context of a call that no plugin wraps."""


@dataclass(frozen=True, slots=True, repr=False)
class Pipeline(Pipe):
    """Pipeline that runs the calls of one workspace."""

    gates: Sequence[Gate]

    async def call(self, given: Hidden, how: How) -> Result:
        """Run one call. An exception becomes a Result, which is recorded once the call has a
        record.

        The exception of a postponed call goes on to the queue, which puts its row back. Ctrl-C, a
        cancelled task and the host's other exceptions (``interrupts``) pass through after
        ``endings.interrupted`` or ``row.end`` has recorded what had been sent. Another thread
        cancels a call through ``live``, which attempts check.
        """
        call = Reached(how)
        self.calls.begin(call)
        try:
            ended = await self._outcome(given, call)
            if call.asked is not None and (row := call.asked.row) is not None:
                await row.end(
                    ended.recorded, ended.undecided, is_last=partial(self.calls.is_last, call)
                )
                ended.result.meta.warnings = (*ended.result.meta.warnings, *row.unrecorded)
        finally:
            self.calls.end(call)
        for place in call.points.answer:
            ended = await call.parts[place].answer(ended)
        call.release()
        object.__setattr__(ended.result, "opener", self.opener)
        return ended.result

    async def _outcome(self, given: Hidden, call: Reached) -> Ended:
        identifier, is_over = call.how.meta.invocation_id, False
        self.live[identifier] = call.how.cancelled
        try:
            try:
                self.calls.check()
                ended = await self._run(given, call)
                if call.points.output:
                    ended = await _pass_output_gates(ended, call)
            except PostponedError:
                is_over = True
                raise
            except Exception as error:  # noqa: BLE001 (each exception of a call becomes a Result, but for those of the host)
                let_out_of_call(error, call.how.handled)
                ended = await _pass_output_gates(self._failed(call, error), call)
            is_over = True
        finally:
            self.live.pop(identifier, None)
            for place in call.points.leave:
                call.parts[place].leave()
            if not is_over:
                endings.interrupted(call, self.workspace)
        return ended

    def _failed(self, call: Reached, error: Exception) -> Ended:
        for gate in self.gates:  # also of a call that has failed before its gates were chosen
            error = gate.refuse(call, error)
        result = endings.ended(call, error, self.workspace)
        if call.attempts is not None and isinstance(error, JackfieldError):
            self.note_expired(call.attempts, error)
        return Ended(result, call.attempts)

    async def _run(self, given: Hidden, call: Reached) -> Ended:
        """Parse the call, then do the rest within its deadline and the wrappers of plugins."""
        asked, how = self.plans.parsed(given.value, call), call.how
        invocation = asked.invocation
        if how.claimed is None and (
            invocation.not_before,
            invocation.not_after,
            invocation.priority,
        ) != (None, None, None):
            refuse_queue_members(invocation)
        how.deadline = Deadline.after(
            invocation.timeout_seconds, self.dependencies.clock, how.arrived
        )
        around: AbstractContextManager[None] = _UNWRAPPED
        if self.wraps:
            wrappers = self.plugins.around(invocation, self.workspace, how.meta)
            around = Wrapping(wrappers, partial(endings.log, call, workspace=self.workspace))
        with within(how.deadline.remaining()), around:
            return await self._called(asked, call)

    async def _called(self, asked: Asked, call: Reached) -> Ended:
        """Admit, check, open, run and settle."""
        enter, how = self.enter, asked.how
        enter("admit")
        asked.row = await self.recording.drafted(asked, call)
        how.deadline.check()  # it began when the request arrived
        served = await self.plans.find(asked, call)
        plan, passed = served.plan, chosen(self.gates, served, asked)
        found, points = Found(asked, self, plan, served.terms), passed.points
        parts: Sequence[Passing] = [make(found) for make in passed.makers]
        call.points, call.parts = points, parts
        for place in points.admit:
            if (result := await parts[place].admit(found)) is not None:
                return Ended(result)
        checked = await self._checked(found, call)
        attempts = checked.attempts
        if asked.invocation.dry_run:
            return Ended(await rehearsed(attempts), attempts)
        if attempts.opening is not None:
            attempts.client = await attempts.opened()
        if (
            checked.row is not None
            and (result := await self._begun(checked, checked.row, call)) is not None
        ):
            return Ended(result, attempts)
        enter("run")
        if (paging := plan.code.pagination) is None:
            output = await attempts.page(attempts.values)
        else:
            from jackfield.call.paging import run_attempts

            output = await run_attempts(attempts, paging)
        for place in points.follow:
            if (ended := await parts[place].follow(checked, output)) is not None:
                return ended
        enter("settle")
        settle = partial(settled, attempts, output)
        ended = (
            await how.waiter.compute(settle)
            if how.waiter.suspends and plan.settles_long(output)
            else settle()
        )
        if plan.target is not None and attempts.opening is not None:
            self.note_used(attempts.opening, plan.target, attempts.opened_at)
        return ended

    async def _checked(self, found: Found, call: Reached) -> Checked:
        """Check the inputs, load the code, type the inputs, and find the connection with its
        secrets.
        """
        asked, plan = found.asked, found.plan
        self.enter("check")
        inputs = await filled_inputs(plan, asked, self.dependencies, self.catalog)
        self.enter("open")
        if not plan.is_loaded:
            await plan.load(self.catalog, asked.how.waiter)
        values, inputs = await typed_inputs(plan, inputs, asked, self.dependencies)
        checked = Checked(found, inputs)
        for place in call.points.check:
            await call.parts[place].check(checked)
        opening = None if plan.target is None else await plan.resolved(asked.how, self.dependencies)
        call.attempts = checked.attempts = Attempts(
            asked, plan, values, inputs, opening, self.dependencies, checked.conceals
        )
        return checked

    async def _begun(self, checked: Checked, row: CallRecord, call: Reached) -> Result | None:
        """Wait for the rate limit, then record that the call begins; repeat this if the row of
        another call was in the way. Return the Result of another call if it answers this one, else
        None.

        A call that may meet another's row, and counts against an account's limit, begins first and
        waits at its first attempt. So a second call neither waits nor counts.
        """
        attempts, points, code = checked.attempts, call.points, checked.found.plan.code
        parts: Sequence[Passing] = call.parts
        is_claimed = checked.asked.how.claimed is not None
        row.weigh(
            None if code.effect_of is None else attempts.declared,
            is_unrepeatable=not is_claimed and attempts.ends_in_doubt,
            key_kept=None if attempts.memory is None else attempts.memory.kept,
        )
        for place in points.before_begin:
            if (result := await parts[place].before_begin(checked, again=False)) is not None:
                return result
        if code.budget is None or not row.may_meet_another:
            await attempts.take_turn()
        for place in points.attempt:
            parts[place].attempt(checked)
        if row.keeps:  # again, now that the connection is open and its secrets can be masked
            row.keep_inputs()
        while not await row.begin():
            for place in points.before_begin:
                if (result := await parts[place].before_begin(checked, again=True)) is not None:
                    return result
        return None


async def _pass_output_gates(ended: Ended, call: Reached) -> Ended:
    """Let the gates decide which parts of the end are recorded and returned."""
    for place in call.points.output:
        ended = await call.parts[place].output(ended)
    return ended
