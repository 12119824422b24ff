"""The five stages in order, as one generator that threads and event loops can both drive."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.access.workspace_access import WorkspaceAccess
from jackfield.clock import Clock, Deadline, within
from jackfield.connector.context import MAX_WARNINGS
from jackfield.connector.shortage import exhausted
from jackfield.errors import (
    Detail,
    InDoubt,
    Internal,
    InvalidConnection,
    InvalidInput,
    InvalidInvocation,
    InvalidOutput,
    JackfieldError,
    Unauthenticated,
)
from jackfield.failures import OnInterrupt
from jackfield.files.references import names_files
from jackfield.invocation import Invocation, Result, check_depth, decode
from jackfield.pipe.admit import Admitted, Targets, admitting
from jackfield.pipe.call_rules import find_called, require_call, seen_catalog, sees_entry
from jackfield.pipe.check import checks_long, typed
from jackfield.pipe.errors_map import Unmapped
from jackfield.pipe.filling import Outputs, by_value, compared, fill, holding, reserve, stow
from jackfield.pipe.foreign_forms import checked, parsed
from jackfield.pipe.open import OpenConnection, Opener
from jackfield.pipe.paging import collected, next_inputs, wants_all
from jackfield.pipe.rate import pace_of, turn
from jackfield.pipe.recorder import Record, draft_of, fingerprinted
from jackfield.pipe.run_state import RunState
from jackfield.pipe.settle import (
    check_output,
    concealed,
    failed,
    mask_names,
    masked_error,
    masked_output,
    recorded,
    settles_long,
    stored_secrets,
    succeeded,
)
from jackfield.pipe.shared_pace import Paces, PostponedError
from jackfield.pipe.wrapping import Wrapping, observing
from jackfield.redaction.logs import reason
from jackfield.retry import Backoff
from jackfield.schema.cache import Schemas

if TYPE_CHECKING:
    from jackfield.access.workspace_access import Caller
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connector import Action, Connector, Inputs
    from jackfield.files import Files
    from jackfield.hooks import Plugins
    from jackfield.journal import Journal
    from jackfield.manifest import Manifest
    from jackfield.pipe.admit import Target
    from jackfield.pipe.open import OpenConnection
    from jackfield.pipe.recorder import Record
    from jackfield.pipe.run import Run


_LOG = logging.getLogger("jackfield.pipe")
_LARGEST_STORED = 256 * 1024
"""Limit in bytes for inputs stored in the journal: larger ones contain attachments, which do not belong there."""


@dataclass(frozen=True, slots=True, repr=False)
class Pipeline:
    """Pipe of one workspace. ``journal`` returns its journal, or None; ``live`` maps running invocations to their cancel events."""

    workspace: str
    catalog: Catalog
    known: Connections
    schemas: Schemas
    opening: Opener
    plugins: Plugins
    access: WorkspaceAccess
    clock: Clock
    journal: Callable[[], Journal | None]
    targets: Targets
    files: Files
    paces: Paces | None = None
    live: dict[str, threading.Event] = field(default_factory=dict)
    backoff: Backoff = field(default_factory=lambda: Backoff(random.Random()))  # noqa: S311 (jitter, not a secret)

    async def run(self, given: Mapping[str, Any] | str | bytes, state: RunState) -> Result:
        """Run one invocation from admit to settle; any failure becomes a Result."""
        self.live[state.meta.invocation_id] = state.cancelled
        try:
            with OnInterrupt(self._interrupted, state):
                result = await self._pipeline(given, state)
        except PostponedError:
            raise
        except JackfieldError as error:
            result = self._failed(error, state)
        except Exception as error:  # noqa: BLE001 (the outermost boundary: a bug in jackfield becomes a Result, too)
            result = failed(state.ended(), self._unexpected_error(error, state))
        finally:
            self.live.pop(state.meta.invocation_id, None)
        if state.record is not None:
            kept = state.kept or (result if not state.meta.dry_run else replace(result, output=None))
            try:
                with OnInterrupt(state.record.finish_now, kept):
                    await state.record.finish(kept)
            except Exception as error:  # noqa: BLE001 (mostly out of memory or threads, which must not cause a second send)
                state.record.owe(kept, error)
        return result

    async def enqueue(self, given: Mapping[str, Any] | str | bytes, state: RunState) -> Result | str:
        """Admit and check an invocation, then queue it for a worker. Return its id, or the Result that its idempotency key replays.

        :raises JackfieldError: if it is refused at once.
        """
        found = await self.prepared(given, state, replay=Record.replay)
        if isinstance(found, Result):
            return found
        with within(found.remaining):
            replayed = await found.queue()
        return state.meta.invocation_id if replayed is None else replayed

    async def prepared(
        self, given: Mapping[str, Any] | str | bytes, state: RunState, replay: Callable[[Record], Awaitable[Result | None]] | None = None
    ) -> Record | Result:
        """Admit, check and seal an invocation, and return its record, ready to be queued.

        ``replay`` looks up its idempotency key before the inputs are checked; its Result, if any, is returned instead.

        :raises JackfieldError: if it is refused at once.
        """
        journal = required(self.journal())
        body = decode(given) if isinstance(given, str | bytes) else given
        invocation, meta = self._parsed(body, state), state.meta
        if isinstance(invocation.connection, Mapping):
            raise InvalidInvocation(
                "1 member of the invocation is not valid",
                details=[Detail("/connection", "an inline connection cannot wait in the queue: its values are never stored")],
                hint="Store the connection and name it, or invoke without 'respond-async'.",
            )
        meta.connector, meta.action = invocation.connector, invocation.action
        deadline = Deadline.after(invocation.timeout_seconds, self.clock)
        with within(deadline.remaining()):
            record = self._new_record(
                (await compared(state.waiter, invocation, self.files, self.workspace, state.caller.owner)), state, deadline
            )
            if record is None:
                raise InvalidInvocation("this runtime has no journal")
            admitted = await self._admitted(invocation, state, record)
            replayed = None if replay is None else (await replay(record))
            if replayed is not None:
                return replayed
            _refuse_credentials(admitted)
            judged, named = await reserve(state.waiter, admitted, self.files, self.workspace, state.caller.owner)
            checked(judged, self.opening.defaults, self.schemas)
            body, stored = await stow(state.waiter, admitted, body, self.files, self.workspace, state.caller.name)
            record.keep(journal.sealed_inputs(meta.invocation_id, {"invocation": dict(body), **state.caller.to_json()}))
            record.queue_with(holding(self.workspace, {*named, *stored}, meta.invocation_id))
        return record

    def _failed(self, error: JackfieldError, state: RunState) -> Result:
        if state.run is not None:
            error = state.run.ended(error)
        if isinstance(error, Unauthenticated) and state.opening is not None:
            state.opening.forget_secrets()
        judged = state.target is None and isinstance(error, InvalidConnection)  # the validation has redacted these values by their schema
        redactor = None if judged else state.redactor
        if redactor is not None and state.unfound is not None:
            mask_names(state.meta, redactor)
            if state.record is not None:
                state.record.name(state.meta)
        return failed(state.ended(), masked_error(self._logged(error, state), redactor))

    def _interrupted(self, state: RunState) -> None:
        """Record the state of a run that is interrupted because its caller or process stops (Ctrl-C, exit)."""
        if state.record is None:
            return
        if state.claimed is not None:
            state.cancelled.set()  # so that a thread that still runs the action sends nothing more
        state.record.finish_interrupted(None if state.run is None else self._failed(state.run.interrupted(), state))

    async def _pipeline(self, given: Mapping[str, Any] | str | bytes, state: RunState) -> Result:
        invocation, meta = self._parsed(given, state), state.meta
        if state.claimed is None:
            _refuse_queue_members(invocation)
        state.inputs = invocation.inputs
        connection = invocation.connection
        state.inline = None if connection is None or isinstance(connection, str) else connection.get("values")
        meta.connector, meta.action, meta.dry_run = invocation.connector, invocation.action, invocation.dry_run
        deadline = Deadline.after(invocation.timeout_seconds, self.clock)
        with within(invocation.timeout_seconds):
            if not self.plugins.has("around"):
                return await self._run_stages(invocation, deadline, state)
            with Wrapping(self.plugins.around(invocation, self.workspace, meta), lambda error: self._log(error, state)):
                return await self._run_stages(invocation, deadline, state)

    def _parsed(self, given: object, state: RunState) -> Invocation:
        if isinstance(given, str | bytes | bytearray):
            given = decode(given)
        else:
            check_depth(given)

        def find(connector: str, version: str | None) -> Manifest:
            return seen_catalog(self._offered(state.caller), self.access.asked_for(state.caller)).find(connector, version)

        return parsed(given, find)

    def _offered(self, caller: Caller) -> Catalog:
        return self.catalog.for_audience(caller.audience)

    async def _run_stages(self, invocation: Invocation, deadline: Deadline, state: RunState) -> Result:
        enter = self.plugins.stage if self.plugins.has("stage") else _ignore_stage
        enter("admit")
        record = state.record = self._new_record(
            (await compared(state.waiter, invocation, self.files, self.workspace, state.caller.owner)), state, deadline
        )
        admitted = await self._admitted(invocation, state, record)
        if record is not None:
            replayed = await record.replay()
            if replayed is not None:
                return replayed
        keeps = record is not None and self.access.settings.keep_inputs
        if keeps:
            self._keep(admitted, state)
        enter("check")
        admitted = await self._filled(admitted, state)
        judge = partial(checked, admitted, self.opening.defaults, self.schemas)
        inputs = await state.waiter.call(judge) if checks_long(admitted, self.schemas) else judge()
        enter("open")
        connector, action, inputs = await self._loaded(admitted, inputs, state)
        run = state.run = self._run(admitted, connector, action, inputs, deadline, state)
        if record is not None:
            record.run_with(run)
        if invocation.dry_run:
            await run.opened()
            return await self._preview(admitted, run, state)
        if record is not None:
            run.client = await run.opened()
            if run.action.budget is None or invocation.idempotency_key is None or state.claimed is not None:
                await turn(run)  # else after the start, which claims the key: a second caller of the key neither waits nor counts
            if keeps:  # again, now that the connection is open and its secrets can be redacted
                self._keep(admitted, state)
            replayed = await record.start()
            if replayed is not None:
                return replayed
        enter("run")
        output = await self._call_action(admitted, inputs, run, state)
        enter("settle")
        settle = partial(self._settled, admitted, inputs, output, run, state)
        key = (admitted.manifest.key, admitted.manifest.version)
        return await state.waiter.call(settle) if settles_long(output, admitted.action, key, self.schemas) else settle()

    def _settled(self, admitted: Admitted, inputs: Mapping[str, Any], output: Mapping[str, Any], run: Run, state: RunState) -> Result:
        """Return the Result of a success, and note in ``state`` how it is recorded."""
        warnings = (*(detail.to_json() for detail in run.warnings), *self._judged(output, admitted, run))
        run.meta.warnings = warnings and tuple(masked_output({"warnings": list(warnings[:MAX_WARNINGS])}, state.redactor)["warnings"])
        self._note_used(admitted.target, state.opening)
        shown, paging = masked_output(output, state.redactor), run.action.pagination
        run.meta.next = next_inputs(paging, inputs, shown) if paging is not None else None
        result = succeeded(state.ended(), shown)
        if state.record is not None:
            key, queued = (admitted.manifest.key, admitted.manifest.version), state.claimed is not None
            state.kept = recorded(result, admitted.action, key, self.schemas, queued=queued)
        return result

    def _judged(self, output: Mapping[str, Any], admitted: Admitted, run: Run) -> tuple[Mapping[str, Any], ...]:
        """Check the output, and return its differences from a schema that only describes it."""
        manifest, action = admitted.manifest, admitted.action
        try:
            return check_output(output, action, (manifest.key, manifest.version), self.schemas)
        except InvalidOutput as error:
            from jackfield.redaction.marks import masked

            raise run.unusable(error, masked(action.output, run.conceal(output))) from None

    async def _filled(self, admitted: Admitted, state: RunState) -> Admitted:
        """Read the stored files that the inputs refer to."""
        if not names_files(admitted.invocation.inputs):
            return admitted
        filled = await fill(state.waiter, admitted, self.files, self.workspace, state.caller.owner)
        state.files, state.inputs = filled.sources, filled.admitted.invocation.inputs
        return filled.admitted

    async def _loaded(self, admitted: Admitted, inputs: Mapping[str, Any], state: RunState) -> tuple[Connector, Action, Mapping[str, Any]]:
        """Return the connector's code, the action, and the inputs as its process takes them. The first call loads the code in a step of its
        own: importing it, or starting its process, would hold up an event loop."""
        wanted = (admitted.manifest.key, admitted.action.key, admitted.manifest.version)
        load = partial(self.catalog.load, *wanted)
        connector: Connector = load() if self.catalog.has_loaded(*wanted) else await state.waiter.call(load)
        action = connector.actions[admitted.action.key]
        if not action.takes_streams and names_files(inputs):
            inputs = await by_value(state.waiter, admitted, inputs, self.files, self.workspace, state.caller.owner)
        return connector, action, inputs

    async def _preview(self, admitted: Admitted, run: Run, state: RunState) -> Result:
        """Return the Result of a dry run, with the action's preview as output if the inputs ask for it."""
        preview, verify = run.action.preview, run.action.verify
        if verify is not None:
            await state.waiter.call(partial(verify, run.values, self.workspace))
        if preview is None or not _wants_preview(run.values):
            return succeeded(state.ended(), None)
        from jackfield.connector.conversion import dumped

        output = dumped(await state.waiter.call(partial(preview.function, run.values)))
        check_output(output, admitted.action, (admitted.manifest.key, admitted.manifest.version), self.schemas, preview=True)
        return succeeded(state.ended(), masked_output(output, state.redactor))

    def _note_used(self, target: Target | None, opening: OpenConnection | None) -> None:
        """Record that a stored connection works, once per version of it and process."""
        if target is not None and opening is not None and target.id is not None:
            identifier, version = target.id, target.version
            opening.cache.cached(("used",), lambda: self.known.note_used(identifier, version))

    async def _admitted(self, invocation: Invocation, state: RunState, record: Record | None) -> Admitted:
        """Admit the invocation; the rules are applied before its idempotency key and its connection are looked up."""
        authorizer = self.access.asked_for(state.caller)
        note = record.rule if record is not None else None
        state.unfound = lambda: (invocation, stored_secrets(invocation, self.known, self.catalog))
        manifest, action = find_called(invocation, self._offered(state.caller), authorizer, state.meta, note)
        state.unfound = None
        if record is not None:
            record.found(manifest, action)
        if authorizer is not None:
            require_call(invocation, manifest, action, authorizer, note)
            if record is not None:
                record.show_only(partial(sees_entry, authorizer, self.catalog))
        admitted = await admitting(
            state.waiter, invocation, manifest, action, self.known, self.targets, state.caller.origin, authorizer, note
        )
        state.target = admitted.target
        if record is not None:
            record.describe(admitted)
        return admitted

    def _keep(self, admitted: Admitted, state: RunState) -> None:
        """Store the inputs, redacted, in the journal; the connection's secrets can be redacted only once it is open."""
        from jackfield.redaction.marks import masked

        shown = masked(admitted.action.inputs, admitted.invocation.inputs)
        inputs = shown if state.redactor is None else state.redactor.clean_json(shown)
        sealed = required(self.journal()).sealed_inputs(state.meta.invocation_id, {"inputs": inputs})
        if state.record is not None:
            state.record.keep(sealed if len(sealed) <= _LARGEST_STORED else None)

    def _new_record(self, invocation: Invocation, state: RunState, deadline: Deadline) -> Record | None:
        journal = self.journal()
        if journal is None:
            _refuse_key(invocation)
            return None
        fingerprint = fingerprinted(journal, invocation) if invocation.idempotency_key is not None else None
        draft = draft_of(invocation, state.meta, fingerprint, state.caller.name, journal.time.stamp())
        record = Record(journal, draft, deadline, self.clock, state.waiter, wait=state.wait, claimed=state.claimed)
        record.withhold(state.inline)
        return record

    def _run(
        self, admitted: Admitted, connector: Connector, action: Action, inputs: Mapping[str, Any], deadline: Deadline, state: RunState
    ) -> Run:
        from jackfield.pipe.run import Run

        values = typed(admitted, action, inputs, state.files)
        if action.preview is not None and _wants_preview(values) and not admitted.invocation.dry_run:
            fault = Detail("/preview", "a preview is the output of a dry run: set 'dryRun', or omit 'preview'")
            raise InvalidInput("1 input is not valid", details=[fault], hint="Nothing was sent. Set 'dryRun' to true for the preview.")
        if admitted.target is not None:
            state.opening = self.opening.find(admitted.target, admitted.manifest, connector, inputs)
        return Run(
            invocation=admitted.invocation,
            waiter=state.waiter,
            connector=connector,
            action=action,
            values=values,
            opening=state.opening,
            deadline=deadline,
            cancelled=state.cancelled,
            clock=self.clock,
            meta=state.meta,
            pace=pace_of(admitted, action, inputs, state.opening),
            paces=self.paces,
            workspace=self.workspace,
            is_queued=state.claimed is not None,
            is_recorded=state.record is not None,
            backoff=self.backoff,
            files=Outputs(self.files, self.workspace, state.caller.name) if self.files.enabled else None,
            observe=observing(self.plugins),
            conceal=lambda value: concealed(value, admitted.action, (admitted.manifest.key, admitted.manifest.version), self.schemas),
            # an earlier delivery, whose process was lost, may have taken effect
            unclear=state.claimed is not None and state.claimed.delivery > 1 and action.effect == "idempotent",
        )

    async def _call_action(self, admitted: Admitted, inputs: Mapping[str, Any], run: Run, state: RunState) -> Mapping[str, Any]:
        paging = run.action.pagination
        if paging is not None and wants_all(paging, inputs):
            return await collected(run, inputs, paging, lambda values: typed(admitted, run.action, values, state.files))
        output = await run.page(run.values)
        if paging is not None:
            run.meta.complete = paging.ends(output)
        return output

    def _logged(self, error: JackfieldError, state: RunState) -> JackfieldError:
        for known in (error, error.__cause__):
            if isinstance(known, Internal):
                self._log(getattr(known, "cause", known), state)
        return self._bug(state) if isinstance(error, Internal) else error

    def _unexpected_error(self, error: Exception, state: RunState) -> JackfieldError:
        self._log(error, state)
        short = exhausted(error) if state.run is None or not state.run.attempts else None  # an attempt that has begun may have sent
        failure = short or self._bug(state)
        if state.run is None:
            return failure
        judged = state.run.unusable(Unmapped(error))
        return judged if isinstance(judged, InDoubt) else failure

    @staticmethod
    def _bug(state: RunState) -> Internal:
        # A new error: the old one references the original exception, which a pickle would reveal.
        return Internal(
            f"an unexpected error; the invocation is {state.meta.invocation_id}",
            hint="The process's log has the reason under this ID.",
        )

    def _log(self, error: Exception, state: RunState) -> None:
        meta, text = state.meta, reason(error, state.redactor, state.inputs)
        _LOG.error("invocation %s of workspace %s: %s/%s: %s", meta.invocation_id, self.workspace, meta.connector, meta.action, text)


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
    if invocation.not_before is None and invocation.not_after is None and invocation.priority is None:
        return
    members = {"notBefore": invocation.not_before, "notAfter": invocation.not_after, "priority": invocation.priority}
    details = [Detail(f"/{name}", f"'{name}' is for queued invocations only") for name, value in members.items() if value is not None]
    if details:
        count = "1 member of the invocation is" if len(details) == 1 else f"{len(details)} members of the invocation are"
        raise InvalidInvocation(f"{count} not valid", details=details, hint="Queue it ('Prefer: respond-async'), or omit them.")


def _refuse_credentials(admitted: Admitted) -> None:
    if admitted.action.hands_out:
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[Detail("/action", "its output is credentials, which are shown to a caller that waits and to nobody later")],
            hint="Invoke it without 'respond-async', and not in a batch.",
        )


def _refuse_key(invocation: Invocation) -> None:
    if invocation.idempotency_key is not None and not invocation.dry_run:
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[Detail("/idempotencyKey", "idempotency keys need a journal, and this runtime has none")],
            hint="Leave 'idempotencyKey' out.",
        )


def _wants_preview(values: Inputs) -> bool:
    return getattr(values, "preview", False) is True
