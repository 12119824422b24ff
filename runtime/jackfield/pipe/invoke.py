"""One call, from its JSON to its Result: the page to read first.

A call is parsed, planned (connector, action, rules, connection), checked, begun (in the journal, on disk before the first byte where that
matters), attempted and settled. It waits for four things only: the first plan, the durable begin, a pause, the provider.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.clock import Deadline, within
from jackfield.errors import Detail, InvalidInput, InvalidInvocation
from jackfield.files.references import names_files
from jackfield.pacing.turn import PostponedError
from jackfield.pipe import endings
from jackfield.pipe.attempts import Attempts
from jackfield.pipe.check import checked, typed
from jackfield.pipe.filling import by_value, compared, fill
from jackfield.pipe.paging import collected, wants_all
from jackfield.pipe.recorder import Record, draft_of, fingerprinted
from jackfield.pipe.settle import previewed, settled, succeeded
from jackfield.pipe.wrapping import Wrapping

if TYPE_CHECKING:
    from jackfield.access.workspace_access import WorkspaceAccess
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connector import Inputs
    from jackfield.hooks import Plugins
    from jackfield.invocation import Invocation, Result
    from jackfield.journal import Journal
    from jackfield.pipe.evidence import Means
    from jackfield.pipe.plan import Plan, Plans
    from jackfield.pipe.run import Run

Given = Mapping[str, Any] | str | bytes
_NEVER_QUEUED = (None, None, None)
_LARGEST_STORED = 256 * 1024
"""Limit in bytes for inputs stored in the journal: larger ones contain attachments, which do not belong there."""


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
        """Run one call; any failure becomes a Result, and every end is recorded."""
        identifier, workspace, was_interrupted = run.meta.invocation_id, self.means.workspace, True
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
        if run.claimed is None and (invocation.not_before, invocation.not_after, invocation.priority) != _NEVER_QUEUED:
            _refuse_queue_members(invocation)
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
        enter = self.enter
        enter("admit")
        record = run.record = await self.drafted(invocation, run)
        plan = await self.plans.find(invocation, run)
        if record is not None and (replayed := await record.replay()) is not None:
            return replayed
        enter("check")
        inputs = await self._checked(plan, run)
        enter("open")
        attempts = run.attempts = await self._prepared(plan, inputs, run)
        if record is not None:
            record.attempt(attempts)
        if invocation.dry_run:
            return await self._rehearsed(attempts)
        if record is not None and (replayed := await self._begun(record, attempts)) is not None:
            return replayed
        enter("run")
        output = await self._attempted(attempts)
        enter("settle")
        settle = partial(self._settled, attempts, output)
        return await run.waiter.compute(settle) if run.waiter.suspends and plan.settles_long(output) else settle()

    async def drafted(self, invocation: Invocation, run: Run) -> Record | None:
        """Draft the journal's entry of a call; None without a journal.

        :raises InvalidInvocation: for an idempotency key without a journal.
        """
        journal = self.journal()
        if journal is None:
            if invocation.idempotency_key is not None and not invocation.dry_run:
                raise _no_journal_for_key()
            return None
        fingerprint = None if run.claimed is None else run.claimed.fingerprint
        if fingerprint is None and invocation.idempotency_key is not None:
            compares = await compared(run.waiter, invocation, self.means.files, self.workspace, run.caller.owner)
            fingerprint = fingerprinted(journal, compares)
        draft = draft_of(invocation, run.meta, fingerprint, run.caller.name, journal.time.stamp())
        return Record(journal, draft, run, self.means.clock)

    async def _checked(self, plan: Plan, run: Run) -> Mapping[str, Any]:
        """Return the inputs, valid, with the stored files that they refer to."""
        if run.record is not None and run.record.keeps:
            self._keep(plan, run)
        if names_files(run.inputs):
            filled = await fill(run.waiter, run.inputs, plan.action.inputs, self.means.files, self.workspace, run.caller.owner)
            run.inputs, run.sources = filled
        check = partial(checked, plan, run.inputs)
        return await run.waiter.compute(check, run.deadline) if run.waiter.suspends and plan.checks_long(run.inputs) else check()

    async def _prepared(self, plan: Plan, inputs: Mapping[str, Any], run: Run) -> Attempts:
        """Load the connector's code, apply the author's rules to the inputs, and find the connection."""
        if not plan.is_loaded:
            await plan.load(self.catalog, run.waiter)
        if not plan.code.takes_streams and names_files(inputs):
            inputs = await by_value(run.waiter, inputs, plan.action.inputs, self.means.files, self.workspace, run.caller.owner)
        values = typed(plan, inputs, run.sources)
        if plan.code.preview is not None and _wants_preview(values) and not run.invocation.dry_run:
            fault = Detail("/preview", "a preview is the output of a dry run: set 'dryRun', or omit 'preview'")
            raise InvalidInput("1 input is not valid", details=[fault], hint="Nothing was sent. Set 'dryRun' to true for the preview.")
        opening = None if plan.target is None else plan.opening()
        return Attempts(run, plan, values, inputs, opening, self.means)

    async def _rehearsed(self, attempts: Attempts) -> Result:
        """Return the Result of a dry run, with the action's preview as output if the inputs ask for it."""
        code, values, run = attempts.plan.code, attempts.values, attempts.run
        await attempts.opened()
        if code.verify is not None:
            await run.waiter.call(partial(code.verify, values, self.workspace))
        if code.preview is None or not _wants_preview(values):
            return succeeded(run.ended(), None)
        return previewed(attempts, await run.waiter.call(partial(code.preview.function, values)))

    async def _begun(self, record: Record, attempts: Attempts) -> Result | None:
        """Open the connection, wait for the rate limit, and record the call as begun; return the Result of another one with its key."""
        run, plan = attempts.run, attempts.plan
        attempts.client = await attempts.opened()
        if plan.code.budget is None or run.invocation.idempotency_key is None or run.claimed is not None:
            await attempts.take_turn()  # else after the start, which claims the key: a second caller of the key neither waits nor counts
        if record.keeps:  # again, now that the connection is open and its secrets can be redacted
            self._keep(plan, run)
        return await record.start()

    async def _attempted(self, attempts: Attempts) -> Mapping[str, Any]:
        """Call the action until it succeeds, for one page or for all."""
        paging = attempts.plan.code.pagination
        if paging is None:
            return await attempts.page(attempts.values)
        if wants_all(paging, attempts.inputs):
            return await collected(attempts, paging)
        output = await attempts.page(attempts.values)
        attempts.run.meta.complete = paging.ends(output)
        return output

    def _settled(self, attempts: Attempts, output: Mapping[str, Any]) -> Result:
        """Judge and mask the output; record that a stored connection works, once per version of it and process."""
        result, target, opening = settled(attempts, output), attempts.plan.target, attempts.opening
        if target is not None and opening is not None and target.id is not None:
            identifier, version = target.id, target.version
            opening.cache.cached(("used",), lambda: self.known.note_used(identifier, version))
        return result

    def _keep(self, plan: Plan, run: Run) -> None:
        """Store the inputs, redacted, in the journal; the connection's secrets can be redacted only once it is open."""
        from jackfield.redaction.marks import masked

        shown, redactor = masked(plan.action.inputs, run.inputs), run.redactor
        inputs = shown if redactor is None else redactor.clean_json(shown)
        sealed = required(self.journal()).sealed_inputs(run.meta.invocation_id, {"inputs": inputs})
        if run.record is not None:
            run.record.keep(sealed if len(sealed) <= _LARGEST_STORED else None)


def _ignore_stage(_stage: str) -> None:
    """Do nothing: no plugin observes stages."""


def required(journal: Journal | None) -> Journal:
    """Return the journal.

    :raises InvalidInvocation: if there is none.
    """
    if journal is None:
        raise InvalidInvocation("this runtime has no journal", hint="Set JACKFIELD_DATABASE_URL.")
    return journal


def _refuse_queue_members(invocation: Invocation) -> None:
    members = {"notBefore": invocation.not_before, "notAfter": invocation.not_after, "priority": invocation.priority}
    details = [Detail(f"/{name}", f"'{name}' is for queued invocations only") for name, value in members.items() if value is not None]
    count = "1 member of the invocation is" if len(details) == 1 else f"{len(details)} members of the invocation are"
    raise InvalidInvocation(f"{count} not valid", details=details, hint="Queue it ('Prefer: respond-async'), or omit them.")


def _no_journal_for_key() -> InvalidInvocation:
    return InvalidInvocation(
        "1 member of the invocation is not valid",
        details=[Detail("/idempotencyKey", "idempotency keys need a journal, and this runtime has none")],
        hint="Leave 'idempotencyKey' out.",
    )


def _wants_preview(values: Inputs) -> bool:
    return getattr(values, "preview", False) is True
