"""One call, from its JSON to its Result: the page to read first.

In order: parse. Admit: draft the journal's entry, find the plan. Check: inputs, stored files. Open: load the connector's code and type the
inputs; **a dry run ends here**; open the connection, wait for the rate limit, begin (put the entry on the disk). Run: attempts, page by
page. Settle: judge and mask the output. End: record the outcome. Plugins that observe stages are told the five in between.

In between features act, each a gate (``gate``): ``jackfield_store/gates/order`` has them in order, with the reasons for it.

Durable: the begin of a ``write``, and of any call with an idempotency key, is on the disk before the action's first byte. Opening may have
reached a token endpoint by then. The outcome of a call that has a key or is in doubt is on the disk before the caller gets it. That of a
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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from jackfield.call import endings
from jackfield.call.attempts import Attempts
from jackfield.call.call_records import Checked, Found
from jackfield.call.call_rules import refuse_job_timeout, refuse_queue_members
from jackfield.call.calls import Calls
from jackfield.call.check import filled_inputs, typed_inputs
from jackfield.call.connection_notes import note_expired, settled_and_noted
from jackfield.call.gate import Chosen, shape_of
from jackfield.call.masking import masked_error
from jackfield.call.reached import Ended, Reached
from jackfield.call.settle import rehearsed
from jackfield.connector.hooks import Wrapping
from jackfield.kernel.clock import Deadline, within
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.interrupts import let_out_of_call
from jackfield.kernel.secrecy import Hidden
from jackfield.pacing.turn import PostponedError

if TYPE_CHECKING:
    from jackfield.call.gate import Gate, Passing
    from jackfield.call.how import How
    from jackfield.call.plan import Plans
    from jackfield.call.ports import Access
    from jackfield.call.reached import Asked
    from jackfield.call.record import Record
    from jackfield.call.recording import Policies, Recording
    from jackfield.call.tally import Dependencies
    from jackfield.call.waiter import InThread
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connector.hooks import Plugins
    from jackfield.invocation import Invocation, Result

T = TypeVar("T")
RawInvocation = Mapping[str, Any] | str | bytes


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
    gates: Sequence[Gate]
    """Features that take part in calls, in order."""
    policies: Policies
    """Policies of the calls, and of steps that are no calls."""
    in_thread: InThread
    """How a thread waits for the end of an invocation, for ``Result.wait``."""
    live: dict[str, threading.Event] = field(default_factory=dict)
    calls: Calls = field(default_factory=Calls)
    wraps: bool = field(init=False)
    """True if a plugin wraps calls."""
    opener: Callable[[str], BinaryIO] = field(init=False)
    """Opens a stored file of the workspace, for ``Result.files``."""
    enter: Callable[[str], None] = field(init=False)
    """Tells the plugins that observe stages which one a call enters."""
    is_observed: bool = field(init=False)
    """True if a plugin observes stages."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "opener", partial(self.dependencies.files.open_by_id, self.dependencies.workspace))
        object.__setattr__(self, "wraps", self.plugins.has("around"))
        object.__setattr__(self, "is_observed", self.plugins.has("stage"))
        object.__setattr__(self, "enter", self.plugins.stage if self.is_observed else _ignore_stage)

    @property
    def workspace(self) -> str:
        """Workspace whose calls it runs."""
        return self.dependencies.workspace

    async def call(self, given: Hidden, how: How) -> Result:
        """Run one call. An exception becomes a Result, which is recorded like every other, once the call has a record.

        A postponed call has not ended: its exception goes on to the queue, which gives its row back. Ctrl-C, a cancelled task and whatever
        else the host raises (``interrupts``) go on, too, once ``endings.interrupted`` has recorded what had been sent (during ``row.end``,
        that does). Who cancels from elsewhere uses ``live``, at which attempts look.
        """
        call = Reached(how)
        self.calls.begin(call)
        try:
            ended = await self._outcome(given, call)
            if call.asked is not None and (row := call.asked.row) is not None:
                await row.end(ended.recorded, ended.undecided, is_last=partial(self.calls.is_last, call))
                ended.result.meta.warnings = (*ended.result.meta.warnings, *row.unrecorded)
        finally:
            self.calls.end(call)
        for place in call.points.answer:
            ended = await call.parts[place].answer(ended)
        call.release()
        object.__setattr__(ended.result, "opener", self.opener)
        return ended.result

    async def step(self, how: How, work: Callable[[Reached], Awaitable[T]]) -> T:
        """Do what consists of a part of a call's stages, and is none: an invocation is put by for later, a job polled, a doubt looked for.

        :raises JackfieldError: as the work does, without secrets.
        """
        call = Reached(how)
        try:
            return await work(call)
        except JackfieldError as error:
            raise masked_error(error, call.redactor) from None

    async def _outcome(self, given: Hidden, call: Reached) -> Ended:
        identifier, is_over = call.how.meta.invocation_id, False
        self.live[identifier] = call.how.cancelled
        try:
            try:
                self.calls.check()
                ended = await self._run(given, call)
                for place in call.points.output:
                    ended = await call.parts[place].output(ended)
            except PostponedError:
                is_over = True
                raise
            except Exception as error:  # noqa: BLE001 (each exception of a call becomes a Result, but for those of the host)
                let_out_of_call(error, call.how.handled)
                ended = self._failed(call, error)
                for place in call.points.output:
                    ended = await call.parts[place].output(ended)
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
        note_expired(self.known, self.dependencies.clock, call.attempts, error)
        return Ended(result, call.attempts)

    async def _run(self, given: Hidden, call: Reached) -> Ended:
        """Parse the call, then do the rest within its deadline and the wrappers of plugins."""
        asked, how = self.plans.parsed(given.value, call), call.how
        invocation = asked.invocation
        if how.claimed is None and (invocation.not_before, invocation.not_after, invocation.priority) != (None, None, None):
            refuse_queue_members(invocation)
        how.meta.connector, how.meta.action, how.meta.dry_run = invocation.connector, invocation.action, invocation.dry_run
        how.deadline = Deadline.after(invocation.timeout_seconds, self.dependencies.clock, how.arrived)
        with within(how.deadline.remaining()), self._around(call, invocation) if self.wraps else _UNWRAPPED:
            return await self._called(asked, call)

    def _around(self, call: Reached, invocation: Invocation) -> Wrapping:
        around = self.plugins.around(invocation, self.workspace, call.how.meta)
        return Wrapping(around, lambda error: endings.log(call, error, self.workspace))

    async def _called(self, asked: Asked, call: Reached) -> Ended:
        """Admit, check, open, run and settle."""
        enter, how = self.enter, asked.how
        enter("admit")
        asked.row = await self.recording.drafted(asked, call)
        how.deadline.check()  # it began when the request arrived
        served = await self.plans.find(asked, call)
        plan, terms, shape = served.plan, served.terms, shape_of(asked, served.plan)
        if (chosen := served.gates.get(shape)) is None:
            chosen = served.gates[shape] = Chosen(self.gates, plan, terms, shape)
        found, points = Found(asked, self, plan, terms), chosen.points
        parts: Sequence[Passing] = [make(found) for make in chosen.makers]
        call.points, call.parts = points, parts
        for place in points.admit:
            if (result := await parts[place].admit(found)) is not None:
                return Ended(result)
        enter("check")
        inputs = await filled_inputs(plan, asked, self.dependencies, self.catalog)
        enter("open")
        checked = await self._opened(found, inputs, call)
        del inputs
        attempts = checked.attempts
        if asked.invocation.dry_run:
            return Ended(await rehearsed(attempts), attempts)
        if attempts.opening is not None:
            attempts.client = await attempts.opened()
        if checked.row is not None and (result := await self._begun(checked, checked.row, call)) is not None:
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
        settle = partial(settled_and_noted, self.known, attempts, output)
        return await how.waiter.compute(settle) if how.waiter.suspends and plan.settles_long(output) else settle()

    async def _opened(self, found: Found, inputs: Mapping[str, Any], call: Reached) -> Checked:
        """Load the code, type the inputs, and find the connection with its secrets."""
        asked, plan = found.asked, found.plan
        if not plan.is_loaded:
            await plan.load(self.catalog, asked.how.waiter)
        values, inputs = await typed_inputs(plan, inputs, asked, self.dependencies)
        checked = Checked(found, inputs)
        for place in call.points.check:
            await call.parts[place].check(checked)
        opening = None if plan.target is None else await plan.resolved(asked.how, self.dependencies)
        call.attempts = checked.attempts = Attempts(asked, plan, values, inputs, opening, self.dependencies, checked.conceals)
        if asked.invocation.job_timeout_seconds is not None:
            refuse_job_timeout(plan.action)
        return checked

    async def _begun(self, checked: Checked, row: Record, call: Reached) -> Result | None:
        """Wait for the rate limit, then record that the call begins: again, when another row was in the way and has gone. Return the Result
        of the call that has that row and answers this one.

        A call that may meet another's row, and counts against an account's limit, begins first and waits at its first attempt: a second
        call neither waits nor counts.
        """
        attempts, points, code = checked.attempts, call.points, checked.found.plan.code
        parts: Sequence[Passing] = call.parts
        is_claimed = checked.asked.how.claimed is not None
        row.weigh(None if code.effect_of is None else attempts.declared, is_unrepeatable=not is_claimed and attempts.ends_in_doubt)
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


_UNWRAPPED = nullcontext()
"""Context of a call that no plugin wraps."""
_ignore_stage: Callable[[str], None] = deque[str](maxlen=0).append
"""Do nothing: no plugin observes stages. It is written in C, since a call enters five."""
