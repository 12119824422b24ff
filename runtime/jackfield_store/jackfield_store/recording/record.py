"""Recording of one invocation in the journal: look-up by its idempotency key, record before it is sent, its outcome at the end."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.invocation import Meta, Result
from jackfield.invocation.request import FIRST_POLL
from jackfield.kernel.clock import within
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.dataclass import replace
from jackfield.kernel.ends import is_ending
from jackfield.kernel.errors import Cancelled, IdempotencyConflict, JackfieldError, NotYet, Unavailable
from jackfield.kernel.interrupts import let_out_of_call
from jackfield.pipe import endings
from jackfield.redaction.marks import leaves, masked
from jackfield.redaction.redactor import Redactor
from jackfield_store.database.faults import UniqueViolation
from jackfield_store.journal.seen_keys import SeenKeys
from jackfield_store.recording.held_keys import result_of_holder
from jackfield_store.recording.replays import replay_of
from jackfield_store.recording.sealing import sealed_exchanges
from jackfield_store.recording.twins import joined, twin_digest

if TYPE_CHECKING:
    from types import ModuleType

    from jackfield.connector import Action
    from jackfield.invocation.claimed import Claimed
    from jackfield.invocation.entry import Draft, Entry
    from jackfield.kernel.clock import Clock
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.pipe.record import Barred
    from jackfield.pipe.run import Run
    from jackfield_store.database import Transaction
    from jackfield_store.database.units import Unit as Deferred
    from jackfield_store.journal import Journal
    from jackfield_store.journal.journal import Unit
    from jackfield_store.recording.expectations import Expectation

_LOG = logging.getLogger("jackfield.journal")
LARGEST_STORED = 256 * 1024
"""Limit in bytes for inputs stored in the journal: larger ones contain attachments, which do not belong there."""
_OUTCOME_WAIT, _INTERRUPTED_WAIT = 5.0, 2.0
"""Seconds for which a process that stops waits for a locked database; an outcome not recorded by then is tried once more at exit."""
_TRIES, _PAUSE = 20, 0.05
"""Tries, and seconds between them, to queue an outstanding outcome in memory when memory is short."""
_SETTLING_WAIT = 0.5
"""Seconds for which a caller waits for a locked database with a Result that it could have."""
_REFUSAL_WAIT, _TOLD_WAIT = 0.5, 1.0
"""Seconds past the deadline for which a refusal waits for a locked database, to be recorded; and a caller, for his outcome to be."""
_UNRECORDED = "this outcome could not be recorded yet, and is once the database is back; until then the journal shows it as running"


class Record:
    """Journal record of one invocation. A queued one (``Run.claimed``) already has its entry and holds its key.

    - ``keeps``: True if the workspace keeps the inputs of its invocations.
    - ``sees``: returns whether the caller may see another entry, to name it in a conflict.
    """

    def __init__(self, journal: Journal, draft: Draft, run: Run, clock: Clock) -> None:
        self._journal, self._draft, self._run, self._clock = journal, draft, run, clock
        draft.delivery = run.claimed.delivery if run.claimed is not None else 0
        self.keeps = self.started = self._is_put_off = False
        self._wait_until = run.deadline.at if run.wait is True else min(run.deadline.at, clock.monotonic() + run.wait)
        self._put_off: Deferred | None = None
        """Its start, if that goes with the next commit."""
        self._unbegun = False
        """True if recording the start failed: a claimed invocation returns to the queue; for another one an entry may still exist."""
        self.is_left = False
        """True once the outcome is another entry's, or is left to whoever polls the job."""
        self.references: Sequence[str] = ()
        self.unrecorded: tuple[Mapping[str, Any], ...] = ()
        """Warning for the caller, if his outcome could not be recorded."""
        self._expectation: Expectation | None = None
        """Facts for looks, if the call may end in doubt and its action declares evidence."""
        self._exchanges: tuple[bytes | None] | None = None
        """What was exchanged with the provider, sealed, once the call has ended."""
        self.sees: Callable[[Entry], bool]
        self.fingerprints: Callable[[], None] = lambda: None

    async def replay(self, *, joins: bool = False, puts_off: bool = False) -> Result | None:
        """Return the recorded Result for the idempotency key, as ``result_of_holder`` does; None if there is none, or no key. With
        ``puts_off``, one that this process has not seen is looked for only if it is found held at the begin, or if the call ends before it.

        :raises IdempotencyConflict: if the key belongs to another request, or its request still runs after the time to wait.
        """
        key = self._draft.idempotency_key
        if key is None or self._run.claimed is not None:
            return None
        self._is_put_off = SeenKeys.of(self._journal.database).add(self._journal.workspace, key) and puts_off
        if self._is_put_off:
            return None
        found = await result_of_holder(self, lambda: _seldom()[0], joins=joins)
        self.is_left = found is not None
        return found

    async def _replay_late(self) -> Result | None:
        """Look late for a key, as the call ends unbegun: no repeat is told why it would be refused, since the first call may have sent."""
        try:
            with within(self._patience(durable=False)):
                return await self.replay()
        except (JackfieldError, MemoryError, RuntimeError, OSError) as error:
            return endings.ended(self._run, error, self._journal.workspace)

    def holder(self) -> Entry | None:
        """Return the entry that holds this invocation's idempotency key, of the same request; None if the key is free.

        :raises IdempotencyConflict: if the key belongs to another request.
        """
        entry = self._journal.held(self._draft.idempotency_key or "")
        if entry is not None and entry.fingerprint != self._draft.fingerprint:
            named = f", invocation {entry.id}" if self.sees(entry) else ""
            raise IdempotencyConflict(
                f"the idempotency key belongs to another request{named}",
                hint="Use a new key for a new request, or repeat the original request unchanged.",
            )
        return entry

    async def start(self) -> Result | None:
        """Record the invocation as running; for a ``write`` or a request with an idempotency key this is on disk before it is sent.

        :returns: a Result to replay if another caller with the same key was faster, or that of an open twin; else None.
        :raises IdempotencyConflict: if the twin still runs at this call's deadline.
        :raises Unavailable: if the journal cannot be written; nothing was sent.
        """
        draft, database = self._draft, self._journal.database
        if self._journal.owes or self._journal.keys.services.asked:
            await self._prepare()
        if self._run.claimed is not None:
            await self._start_claimed()
            return None
        if draft.effect != "write" and draft.idempotency_key is None:
            self._put_off, self.started = database.defer(self._journal.starting(draft), _unwritten), True
            await self._catch_up()
            return None
        was_put_off, self._is_put_off = self._is_put_off, False
        while True:
            try:
                self._unbegun = True  # for an interrupt, too
                await self._run.waiter.record(database, self._begun(self._journal.starting(draft)))
            except UniqueViolation:
                self._unbegun = False
                self._journal.tasks.pop(draft.id, None)
                if was_put_off:
                    SeenKeys.of(database).found_held()
                if (found := await (self.replay() if draft.twin is None else self._joined())) is not None:
                    return found
                continue
            except Unavailable as error:
                self._unbegun = isinstance(error, CommitUnknown)
                raise
            self._unbegun, self.started = False, True
            return None

    @property
    def wait_left(self) -> float:
        """Seconds for which the caller still waits for an earlier call with its key; none are left if that is not positive."""
        return self._wait_until - self._clock.monotonic()

    @property
    def marking(self) -> Callable[[int], str] | None:
        """Maker of the marker of an attempt, or of ``EVERY`` one; None if nobody would look for it."""
        return None if self._expectation is None else self._expectation.marker

    def expect(self, code: Action, inputs: Mapping[str, Any], barred: Barred, *, is_shared: bool) -> None:
        """Keep what looks for evidence need, if the call ends in doubt (``jackfield.pipe.record``)."""
        self._expectation = _seldom()[1].expected(self._journal, self._run, self._draft, code, inputs, barred, is_shared=is_shared)

    def _begun(self, unit: Unit) -> Unit:
        unit, claimed = unit if self._expectation is None else self._expectation.beginning(unit), self._run.claimed
        if claimed is None or claimed.approval is None:
            return unit
        return _seldom()[2].beginning(unit, self._journal, self._clock, claimed, self._draft.effect)  # type: ignore[no-any-return]

    def pair(self, inputs: Mapping[str, Any]) -> bool:
        """Let an equal ``write`` of the same caller that is open answer this one, and return whether it may. ``inputs`` are those that take
        effect."""
        draft = self._draft
        if draft.effect == "write" and draft.idempotency_key is None and self._run.claimed is None:
            draft.twin = twin_digest(self._journal, self._run, inputs)
        return draft.twin is not None

    async def _joined(self) -> Result | None:
        entry = await joined(self._journal, self._draft, self._run)
        self.is_left = entry is not None
        return None if entry is None else replay_of(entry, is_twin=True)

    async def _start_claimed(self) -> None:
        """Record a claimed invocation as running, unless it runs here already. Then its claim was lost with a database that went back, and
        was taken once more, with the same owner and delivery. The run that has begun ends it."""
        draft = self._draft
        if self._journal.tasks.get(draft.id) == draft.delivery:
            self.is_left = True
            raise Cancelled("this process runs the invocation already: the database went back to before it was claimed")
        try:
            begun = await self._run.waiter.record(self._journal.database, self._begun(self._journal.beginning(draft)))
        except JackfieldError:
            self._unbegun = True
            raise
        if not begun:
            raise await self._run.waiter.ask(lambda: self._journal.not_begun(draft.id))
        self.started = True

    async def _prepare(self) -> None:
        """Record what is owed, and get the key for the Result: an outcome that cannot be recorded must not come to be."""
        if self._journal.owes:
            await self._run.waiter.ask(self._journal.record_owed)
        if self._journal.keys.services.asked and not self._journal.keys.are_ready():
            self._unbegun = self._run.claimed is not None
            await self._run.waiter.call(self._journal.keys.prepare)
            self._unbegun = False

    async def _catch_up(self) -> None:
        """Wait for a commit if too many are put off."""
        if self._journal.database.is_behind:
            with suppress(JackfieldError):  # each deferred unit reports its own failure
                await self._run.waiter.record(self._journal.database, _nothing)

    @property
    def journal(self) -> Journal:
        """Journal that it is written to."""
        return self._journal

    @property
    def run(self) -> Run:
        """Call that it records."""
        return self._run

    @property
    def draft(self) -> Draft:
        """Entry as it will be written."""
        return self._draft

    @property
    def remaining(self) -> float:
        """Seconds until the invocation's deadline."""
        return self._run.deadline.remaining()

    async def store_job(self, job: Mapping[str, Any], seconds: float, in_transaction: Callable[[Transaction], None] | None) -> bool:
        """Record what the start of a job has returned, and what polls it; it waits for its first poll, and counts as lost in ``seconds``.

        ``in_transaction`` are statements for the same transaction. Return False if another process has taken the invocation over.
        """
        run, draft, journal = self._run, self._draft, self._journal
        sealed = journal.sealed_inputs(draft.id, {**job, **run.caller.to_json()}, "job")
        now, log = journal.time.now(), self._log
        facts = {
            "until": now + seconds, "due": now + FIRST_POLL, "inputs": draft.inputs, "attempts": job["attempts"],
            "attempt_log": json.dumps(log) if log else None, "request_id": run.meta.request_id,
        }  # fmt: skip
        store = journal.jobs.storing(draft.id, draft.delivery, sealed, facts)

        def unit(transaction: Transaction) -> int:
            if in_transaction is not None:
                in_transaction(transaction)
            return store(transaction)

        self.is_left = bool(await run.waiter.record(journal.database, unit))
        journal.tasks.pop(draft.id, None)
        return self.is_left

    async def end(self, result: Result, *, is_last: Callable[[], bool]) -> Result | None:
        """Record the invocation's outcome: at once if the caller may end its process next, and no other call runs that would share the
        commit. A failure to do so is logged, since the Result stands. Return what takes its place (``_replay_late``)."""
        if result.meta.dry_run and (result.output is not None or result.meta.request is not None):
            result = replace(result, output=None, meta=replace(result.meta, request=None))  # they have the inputs in them
        is_over, late = False, None
        try:
            if self._is_put_off and (late := await self._replay_late()) is not None:
                result = late
            if not self.is_left:
                self._draft.undecided = self._run.undecided
                await self._finish(result)
            if self._run.settles and (is_last() or is_ending()):
                await self._settle()  # what other calls have put off, too
            is_over = True
        except Exception as error:  # noqa: BLE001 (mostly out of memory or threads, which must not cause a second send)
            let_out_of_call(error, self._run.handled)
            is_over = True
            self.owe(result, error)
        finally:
            if not is_over:
                self.finish_now(result)
        return late

    async def _finish(self, result: Result) -> None:
        if self._run.attempts is not None and (result.status != "succeeded" or self._run.invocation.trace):
            await self._run.waiter.compute(partial(self._kept, result))
        database, durable = self._journal.database, self._must_be_durable(result)
        if durable or not self._replaced(result):
            unit = self._finishing(result)
            try:
                if durable:
                    with within(self._patience(durable=True)):
                        await self._run.waiter.record(database, unit)
                else:
                    database.defer(unit, partial(self._written, unit, result), wait=self._patience(durable=False))
                    await self._catch_up()
            except JackfieldError as error:
                self._lost(unit, result, error)
                self.unrecorded = ({"path": "", "message": f"{_UNRECORDED}: {error.message.partition(':')[0]}"},) if durable else ()
        self._journal.purge_if_due()

    async def _settle(self) -> None:
        """Commit the outcome: that of a ``write``, which would be in doubt without, and any where no hook runs at the process's end."""
        database = self._journal.database
        if database.defers and (self._draft.effect == "write" or database.may_vanish or is_ending()):
            await self._run.waiter.call(partial(database.settle, _SETTLING_WAIT))

    def _replaced(self, result: Result) -> bool:
        """Record the whole invocation in the place of its start, if no commit has taken that yet."""
        start = self._put_off
        if start is None or not start.waits:
            return False
        unit = self._recording(result)
        return self._journal.database.replace(start, unit, partial(self._written, unit, result))

    def _written(self, unit: Unit, result: Result, _value: object, error: Exception | None) -> None:
        if error is not None:
            self._lost(unit, result, error)

    def owe(self, result: Result, error: Exception) -> None:
        """Queue the outcome for later because this process is out of memory or threads.

        The Result stands: a run that has begun must neither return to the queue nor stay open.
        """
        if self.is_left:
            return

        def unit(transaction: Transaction) -> int:
            """Build the statements only when they are executed, since building them may be what failed."""
            return self._finishing(result)(transaction)

        for left in reversed(range(_TRIES)):
            try:
                self._lost(unit, result, error)
            except MemoryError:
                if not left:
                    raise
                time.sleep(_PAUSE)  # until other threads free memory
            else:
                return

    def finish_now(self, result: Result) -> None:
        """Record the outcome at once, when the caller is being interrupted and no further step can run."""
        if self.is_left:
            return
        try:
            with within(0.0 if self._journal.owes else _INTERRUPTED_WAIT):  # only the first one waits for a lock, not each in turn
                self._journal.database.record(self._finishing(result))
        except (JackfieldError, MemoryError, RuntimeError, OSError) as error:
            self.owe(result, error)

    def _patience(self, *, durable: bool) -> float:
        """Return the seconds for which an outcome may wait for the database.

        A run that has begun waits longer than a refusal, and without limit if its caller gets the Result meanwhile.
        """
        if self.started and not durable:
            return math.inf
        more = _REFUSAL_WAIT if not self.started else _OUTCOME_WAIT if self._run.claimed is not None else _TOLD_WAIT
        return max(self._run.deadline.remaining(), more)

    def _lost(self, unit: Unit, result: Result, error: Exception) -> None:
        """Log an outcome that could not be recorded. If it has an entry, record it once the database is available again.

        Otherwise the entry would stay open for as long as this process lives.
        """
        if self.started or self._unbegun or self._run.claimed is not None:
            self._journal.owe(unit)
        with suppress(MemoryError):
            _LOG.error("invocation %s ended as %s, which could not be recorded: %s", self._draft.id, result.status, error)

    def finish_interrupted(self, result: Result | None) -> None:
        """Record the outcome of a run that is interrupted. A queued invocation of which nothing was sent returns to the queue."""
        if self._run.claimed is not None and (result is None or (result.error is not None and result.error.code == "cancelled")):
            self._unbegun, self.started = True, False
            self.finish_now(Result("failed", Meta(self._draft.id)))
        elif result is not None:
            self.finish_now(result)

    def found(self, manifest: Manifest, action: ActionManifest) -> None:
        """Note the connector and the action, before the rules are applied to them."""
        self._draft.connector_version, self._draft.effect = manifest.version, action.rule_effect

    def name(self, meta: Meta) -> None:
        """Take the names of connector and action from a Result's meta, in which secrets are redacted if they were not found."""
        self._draft.connector, self._draft.action = (meta.connector or "")[:200], (meta.action or "")[:200]

    def describe(self, manifest: Manifest, action: ActionManifest, connection: str | None, *, keeps: bool) -> None:
        """Note what the names in the invocation were resolved to, and whether its inputs are kept."""
        draft, self.keeps = self._draft, keeps
        draft.connector_version, draft.effect, draft.connection = manifest.version, action.rule_effect, connection

    def weigh(self, declared: str | None, *, is_unrepeatable: bool) -> None:
        """Record the effect that the action has with these inputs, by which a lost call ends.

        What nobody may repeat is recorded as a ``write``, which is on disk before it is sent, and in doubt if its process is lost. A queued
        invocation is delivered again with the key that was derived from it.
        """
        if declared is not None:
            self._draft.effect = declared
        if is_unrepeatable:
            self._draft.effect = "write"

    def rule(self, text: str) -> None:
        """Note the rule that refused the invocation."""
        self._draft.rule = text

    def keep_inputs(self) -> None:
        """Store the inputs, redacted; the connection's secrets can be redacted only once it is open."""
        run, plan = self._run, self._run.plan
        shown, redactor = masked({} if plan is None else plan.action.inputs, run.inputs), run.redactor
        inputs = shown if redactor is None else redactor.clean_json(shown)
        sealed = self._journal.sealed_inputs(self._draft.id, {"inputs": inputs})
        self.keep(sealed if len(sealed) <= LARGEST_STORED else None)

    def keep(self, inputs: bytes | None) -> None:
        """Store the inputs, which are already encrypted, with the entry; None stores nothing."""
        self._draft.inputs = inputs

    def queue_with(self, in_transaction: Callable[[Transaction], None] | None) -> None:
        """Run more statements in the transaction that queues the invocation."""
        self._draft.in_transaction = in_transaction

    def _finishing(self, result: Result) -> Unit:
        claimed = self._run.claimed
        if claimed is not None and self._unbegun:
            return self._returned(claimed, self._journal.giving_back(claimed))
        if not self.started:
            self._draft.started_at = None  # a run whose start could not be recorded did not begin
            if claimed is None:
                return self._recording(result)
        draft, shown = self._draft, self._shown(result)
        unit = self._journal.finishing(draft, shown, self._log, draft.inputs, draft.delivery, self.references, self._kept(result))
        if self._expectation is not None:
            unit = self._expectation.ending(unit, result)
        if claimed is not None and isinstance(result.error, NotYet):
            return self._returned(claimed, self._journal.requeueing(claimed, result.error, unit))
        return unit

    def _returned(self, claimed: Claimed, unit: Unit) -> Unit:
        return unit if claimed.approval is None else _seldom()[2].returning(unit, self._journal, self._clock, claimed)

    def _recording(self, result: Result) -> Unit:
        return self._journal.recording(self._draft, self._shown(result), self._log, self._kept(result))

    def _kept(self, result: Result) -> bytes | None:
        """Return what was exchanged with the provider, masked and sealed, if it is kept."""
        if self._run.attempts is None or (result.status == "succeeded" and not self._run.invocation.trace):
            return None
        if self._exchanges is None:
            self._exchanges = (sealed_exchanges(self._run, result, self._journal),)
        return self._exchanges[0]

    @property
    def _log(self) -> Sequence[Mapping[str, Any]]:
        return () if self._run.attempts is None else self._run.attempts.evidence.log

    def _shown(self, result: Result) -> Result:
        """Return a Result without the values of an inline connection."""
        if result.status != "failed" or self._run.inline is None:
            return result
        body = result.to_json()
        shown = Result.from_json({**body, "error": Redactor(leaves(self._run.inline)).clean_json(body["error"])})
        if shown.error is not None and result.error is not None:
            shown.error.keeps_key = result.error.keeps_key
        return shown

    def _must_be_durable(self, result: Result) -> bool:
        """Return whether the caller waits until the outcome is on disk: if it has an idempotency key, or is a doubt to be resolved.

        Otherwise it goes with the next commit, or one of its own (``end``). If the process dies before, a ``write`` is in doubt.
        """
        return (self.started and self._draft.idempotency_key is not None) or result.status == "in_doubt"


def _unwritten(_value: object, error: Exception | None) -> None:
    if error is not None:
        _LOG.error("an entry could not be recorded: %s", error)


def _seldom() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Return the modules of calls that wait for a person, that looks may find, and that were approved: most processes have none."""
    from jackfield_store.recording import approvals, expectations, single_use

    return approvals, expectations, single_use


def _nothing(_transaction: Transaction) -> None:
    """Do nothing: the unit of a commit made for those that were put off."""
