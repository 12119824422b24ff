"""One call, from its JSON to its Result: the page to read first.

The order is: parse; admit (draft the journal's entry, plan, replay the Result of an earlier call with the same key); check (inputs, stored
files); open (the connector's code, the connection, a place in the line, the begin; a dry run ends here); run (attempts, repeated as the
action's effect allows); settle (judge and mask the output); end.

Durable: ``record.start`` commits the begin of a ``write`` to the disk before the action's first byte (opening may have reached a token
endpoint by then); the entries of other calls are written later, in batches. ``record.end`` adds the outcome. What else a record is told
stays in memory.

In doubt: ``Attempts`` decides, from what a failed or interrupted attempt had sent; ``endings`` for a bug of the runtime itself; and
``journal/abandoned`` for a process that died, from a begin without an end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.clock import Deadline, within
from jackfield.pacing.turn import PostponedError
from jackfield.pipe import endings
from jackfield.pipe.attempts import Attempts
from jackfield.pipe.check import checked_inputs, typed_inputs
from jackfield.pipe.paging import fetched
from jackfield.pipe.plan import refuse_queue_members
from jackfield.pipe.recorder import Record, drafted
from jackfield.pipe.settle import rehearsed, settled
from jackfield.pipe.wrapping import Wrapping

if TYPE_CHECKING:
    from jackfield.access.workspace_access import WorkspaceAccess
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.hooks import Plugins
    from jackfield.invocation import Invocation, Result
    from jackfield.journal import Journal
    from jackfield.pipe.evidence import Means
    from jackfield.pipe.plan import Plans
    from jackfield.pipe.run import Run

Given = Mapping[str, Any] | str | bytes


@dataclass(frozen=True, slots=True, repr=False)
class Pipeline:
    """Pipe of one workspace. ``journal`` returns its journal, or None; ``live`` maps running invocations to their cancel events."""

    catalog: Catalog
    known: Connections
    plans: Plans
    plugins: Plugins
    access: WorkspaceAccess
    journal: Callable[[], Journal | None]
    means: Means
    live: dict[str, threading.Event] = field(default_factory=dict)
    wraps: bool = field(init=False)
    """True if a plugin wraps calls."""
    enter: Callable[[str], None] = field(init=False)
    """Tells the plugins that observe stages which one a call enters."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "wraps", self.plugins.has("around"))
        object.__setattr__(self, "enter", self.plugins.stage if self.plugins.has("stage") else _ignore_stage)

    @property
    def workspace(self) -> str:
        """Workspace whose calls it runs."""
        return self.means.workspace

    async def run(self, given: Given, run: Run) -> Result:
        """Run one call. An exception becomes a Result, which is recorded, like every other, if the call came as far as a record.

        A postponed call has not ended: its exception goes on to the queue, which gives the row back. Ctrl-C and a cancelled task go on,
        too, after ``endings.interrupted`` has recorded what had been sent. ``live`` is for those who cancel from elsewhere: attempts look
        at it.
        """
        identifier, workspace, was_interrupted = run.meta.invocation_id, self.means.workspace, True  # until it ends in another way
        self.live[identifier] = run.cancelled
        try:
            result = await self._wrapped(given, run)
            was_interrupted = False
        except Exception as error:
            was_interrupted = False
            if isinstance(error, PostponedError):
                raise
            result = endings.ended(run, error, workspace)
        finally:
            self.live.pop(identifier, None)
            if was_interrupted:
                endings.interrupted(run, workspace)
        if run.record is not None:
            await run.record.end(run.kept or result)
        run.let_go()
        return result

    async def _wrapped(self, given: Given, run: Run) -> Result:
        """Parse the call, and run it within its deadline and the wrappers of plugins."""
        invocation, meta = self.plans.parsed(given, run), run.meta
        if run.claimed is None and (invocation.not_before, invocation.not_after, invocation.priority) != (None, None, None):
            refuse_queue_members(invocation)
        meta.connector, meta.action, meta.dry_run = invocation.connector, invocation.action, invocation.dry_run
        run.deadline = Deadline.after(invocation.timeout_seconds, self.means.clock)
        with within(invocation.timeout_seconds):
            if not self.wraps:
                return await self._called(invocation, run)
            around = self.plugins.around(invocation, self.workspace, meta)
            with Wrapping(around, lambda error: endings.log(run, error, self.workspace)):
                return await self._called(invocation, run)

    async def _called(self, invocation: Invocation, run: Run) -> Result:
        """Plan, check, begin, attempt and settle."""
        enter, waiter = self.enter, run.waiter
        enter("admit")
        record = run.record = await drafted(invocation, run, self.journal(), self.means)
        plan = await self.plans.find(invocation, run)
        if record is not None and (replayed := await record.replay()) is not None:
            return replayed
        enter("check")
        inputs = await checked_inputs(plan, run, self.means)
        enter("open")
        if not plan.is_loaded:
            await plan.load(self.catalog, waiter)
        values, inputs = await typed_inputs(plan, inputs, run, self.means)
        attempts = run.attempts = Attempts(run, plan, values, inputs, None if plan.target is None else plan.opening(), self.means)
        if record is not None:
            record.attempt(attempts)
        if invocation.dry_run:
            return await rehearsed(attempts)
        if record is not None and (replayed := await self._begun(record, attempts)) is not None:
            return replayed
        enter("run")
        output = await fetched(attempts)
        enter("settle")
        settle = partial(self._settled, attempts, output)
        return await waiter.compute(settle) if waiter.suspends and plan.settles_long(output) else settle()

    async def _begun(self, record: Record, attempts: Attempts) -> Result | None:
        """Open the connection, wait for the rate limit, and record the call as begun, of a ``write`` on the disk; return the Result of
        another one with its key."""
        run = attempts.run
        attempts.client = await attempts.opened()
        if attempts.plan.code.budget is None or run.invocation.idempotency_key is None or run.claimed is not None:
            await attempts.take_turn()  # else after the start, which claims the key: a second caller of the key neither waits nor counts
        if record.keeps:  # again, now that the connection is open and its secrets can be redacted
            record.keep_inputs()
        return await record.start()

    def _settled(self, attempts: Attempts, output: Mapping[str, Any]) -> Result:
        """Judge and mask the output; record that a stored connection works, once per version of it and process."""
        result, target, opening = settled(attempts, output), attempts.plan.target, attempts.opening
        if target is not None and opening is not None and target.id is not None:
            identifier, version = target.id, target.version
            opening.cache.cached(("used",), lambda: self.known.note_used(identifier, version))
        return result


def _ignore_stage(_stage: str) -> None:
    """Do nothing: no plugin observes stages."""
