"""Recording of one invocation in the journal: a query for its idempotency key, a record before it
is sent, and its outcome at the end.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call.tally import KeyMemory
from jackfield.invocation import Meta, Result
from jackfield.invocation.entry import is_elsewhere
from jackfield.invocation.keyed import KeyFacts
from jackfield.invocation.request import FIRST_POLL
from jackfield.kernel.clock import within
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.dataclass import replace
from jackfield.kernel.ends import is_ending
from jackfield.kernel.errors import (
    Cancelled,
    IdempotencyConflict,
    JackfieldError,
    NotYet,
    Sent,
    Unavailable,
)
from jackfield.kernel.failures import attempt
from jackfield.kernel.interrupts import let_out_of_call
from jackfield.manifest.manifest import KEY_KEPT
from jackfield.manifest.reading import HOST
from jackfield.redaction.marks import leaves, masked
from jackfield.redaction.redactor import Redactor
from jackfield_store.database.faults import UniqueViolation
from jackfield_store.journal.seen_keys import SeenKeys
from jackfield_store.recording import states
from jackfield_store.recording.credentials import credentials_of
from jackfield_store.recording.held_keys import result_of_holder
from jackfield_store.recording.sealing import sealed_begin, sealed_doubt, sealed_exchanges

if TYPE_CHECKING:
    from types import ModuleType

    from jackfield.call.gate import Passing
    from jackfield.call.reached import Asked, Reached
    from jackfield.connector.context import Call
    from jackfield.invocation.claimed import Claimed
    from jackfield.invocation.entry import Draft, Entry
    from jackfield.kernel.clock import Clock
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield_store.database import Transaction
    from jackfield_store.database.batches import Unit as Deferred
    from jackfield_store.journal.journal import Journal, Unit
    from jackfield_store.recording.asking import Asking

_LOG = logging.getLogger("jackfield.journal")
LARGEST_STORED = 256 * 1024
"""Maximum bytes of inputs stored in the journal: larger ones contain attachments, which do not
belong there.
"""
_OUTCOME_WAIT, _INTERRUPTED_WAIT = 5.0, 2.0
"""Seconds for which a queued call's outcome, and an interrupted call, wait for a locked database;
an outcome not recorded by then is tried once more at exit.
"""
_TRIES, _PAUSE = 20, 0.05
"""Number of tries, and seconds between them, to queue an outstanding outcome in memory when memory
is short.
"""
_SETTLING_WAIT = 0.5
"""Seconds for which a caller waits for a locked database although the Result is known."""
_REFUSAL_WAIT, _TOLD_WAIT = 0.5, 1.0
"""Seconds past the deadline for which a refusal waits for a locked database to record it, and for
which a caller waits for the outcome's record.
"""
_OTHER_REQUEST = "Use a new key for a new request, or repeat the original request unchanged."
_OTHER_ARGUMENTS = (
    "Another intent has another key. Equal under one key are the function's arguments, without those "
    "that have their default, or what its 'about' says."
)
_UNRECORDED = (
    "this outcome could not be recorded yet, and is once the database is back; until then "
    "the journal shows it as running"
)


def never(_entry: Entry) -> bool:
    """Return False: a call that only looks for a key asks nothing again."""
    return False


class NotNowError(UniqueViolation):
    """Error of a gate's statements within a begin, which rolls the begin back: the gate does
    another step first, and the call begins again.
    """


class Record:
    """Journal record of one invocation. A queued one (``How.claimed``) already has its entry and
    holds its key.

    - ``keeps``: True if the workspace stores the inputs of its invocations.
    - ``sees``: returns whether the caller may see another entry, to name it in a conflict.
    """

    def __init__(
        self, journal: Journal, draft: Draft, asked: Asked, call: Reached, clock: Clock
    ) -> None:
        how = asked.how
        self._journal, self._draft, self._asked, self._call, self._how, self._clock = (
            journal,
            draft,
            asked,
            call,
            how,
            clock,
        )
        draft.delivery = how.claimed.delivery if how.claimed is not None else 0
        self._state = states.DRAFT if how.claimed is None else states.CLAIMED
        self._reached = self._state
        """State of the record before its end."""
        self._ending: str | None = None
        """Way in which the end is written, once the call has one."""
        self.keeps = self.keeps_unclear = False
        self._doubt: tuple[bytes | None] | None = None
        """Sealed inputs of the doubt, once the call has ended in one."""
        self._first: tuple[bytes | None] | None = None
        """Sealed inputs of the row while the call runs, once it begins."""
        self._wait_until = (
            how.deadline.at
            if how.wait is True
            else min(how.deadline.at, clock.monotonic() + how.wait)
        )
        self._put_off: Deferred | None = None
        """Start of the call, if it is written with the next commit."""
        self.references: Sequence[str] = ()
        self.unrecorded: tuple[Mapping[str, Any], ...] = ()
        """Warning for the caller, if his outcome could not be recorded."""
        self.marking: Callable[[int], str] | None = None
        self.is_undone = False
        """True if accompanying statements, and not another row, have rolled the begin back."""
        self._was_put_off = False
        """The look for its key was put off: if that is held after all, others are looked for
        first.
        """
        self.earlier = None if how.claimed is None else self._earlier(how.claimed)
        self._own_id = draft.id
        self.asking: Asking | None = None
        """Request of a doubt that this call sends again, instead of a call of its own."""
        self._exchanges: tuple[bytes | None] | None = None
        """Sealed exchanges with the provider, once the call has ended."""
        self.sees: Callable[[Entry], bool]
        self._going_on: Call | None = None
        """Call whose function runs on without a caller."""
        self.fingerprints: Callable[[], None] = lambda: None
        self.formerly: Callable[[], str | None] = lambda: None
        """Computes the request's fingerprint as an earlier version did; None if that was the
        same.
        """
        self._elsewhere: Sequence[Mapping[str, Any]] = ()
        """Warning about a function that another place has called."""

    def _earlier(self, claimed: Claimed) -> KeyMemory | None:
        """Return the provider's memory of the key, if an earlier run of the call was lost."""
        if claimed.sent_at is None:
            return None
        kept = KEY_KEPT if claimed.key_facts is None else claimed.key_facts.kept
        found = KeyMemory(self._clock, kept, self._draft.idempotency_key is not None)
        found.note_ago(self._journal.time.stamp() - claimed.sent_at)
        return found

    async def replay(
        self, *, joins: bool = False, asks: Callable[[Entry], bool] = never
    ) -> Result | None:
        """Return the recorded Result for the idempotency key, as ``result_of_holder`` does; None
        without a recorded Result or a key. ``asks`` returns whether the call may send the request
        of a doubt again; then there is none.

        :raises IdempotencyConflict: if the key belongs to another request, or its request still
            runs after the time to wait.
        """
        key = self._draft.idempotency_key
        if key is None or self._how.claimed is not None:
            return None
        SeenKeys.of(self._journal.database).add(self._journal.workspace, self._draft.key_space, key)
        found = await result_of_holder(
            self, _approvals, joins=joins, asks=partial(self._asks, asks)
        )
        if found is not None:
            found.meta.warnings = (*found.meta.warnings, *self._elsewhere)
            self.leave()
            if self._was_put_off:
                SeenKeys.of(self._journal.database).found_held()
        return found

    def _asks(self, allowed: Callable[[Entry], bool], entry: Entry) -> bool:
        if entry.is_being_asked(self._journal.time.now()) or not allowed(entry):
            return False
        self.ask(entry)
        return True

    def ask(self, entry: Entry) -> None:
        """Send the request of a doubt again in this call, under its key and as its invocation."""
        # most processes meet no doubt that may be asked again
        from jackfield_store.recording.asking import Asking

        seconds, how = self._asked.invocation.timeout_seconds, self._how
        self.asking = Asking(self._journal, entry, how.caller.name, seconds, self._clock)
        self.earlier = self.asking.memory
        self._draft.id = how.meta.invocation_id = entry.id

    def ask_nothing(self) -> None:
        """Leave the doubt to another call, and go on as a call of its own."""
        if self.asking is not None:
            self.asking, self.earlier = None, None
            self._draft.id = self._how.meta.invocation_id = self._own_id

    def put_off_key(self) -> bool:
        """Postpone the query for its key until it begins or ends, if this process has not seen the
        key; return whether the query is postponed.
        """
        draft = self._draft
        if not SeenKeys.of(self._journal.database).add(
            self._journal.workspace, draft.key_space, draft.idempotency_key or ""
        ):
            return False
        self._on(states.PUT_OFF)
        self._was_put_off = True
        return True

    @property
    def is_unseen(self) -> bool:
        """True if the query for its key is still to come."""
        return self._state == states.UNSEEN

    async def replay_late(self) -> Result | None:
        """Query a postponed key when the call ends without a begin, and return the recorded Result,
        None if the key is free. A repeat must not get its own refusal, since the first call may
        have sent.

        :raises JackfieldError: as ``replay`` does, or if the journal does not answer.
        """
        self._on(states.LOOKED_FOR)
        with within(self._patience(durable=False)):
            return await self.replay()

    def holder(self) -> Entry | None:
        """Return the entry of the same request that holds this invocation's idempotency key; None
        if the key is free.

        :raises IdempotencyConflict: if the key belongs to another request.
        """
        entry = self._journal.held(self._draft.idempotency_key or "", self._draft.key_space)
        if entry is not None and not self._is_same(entry):
            named = f", invocation {entry.id}" if self.sees(entry) else ""
            raise IdempotencyConflict(
                f"the idempotency key belongs to another request{named}",
                hint=_OTHER_ARGUMENTS if entry.connector == HOST else _OTHER_REQUEST,
            )
        self._elsewhere = () if entry is None else _elsewhere(entry, self._draft)
        return entry

    def _is_same(self, entry: Entry) -> bool:
        """Return whether an entry has the same request, in its present form or in that of an
        earlier version.
        """
        if entry.fingerprint == self._draft.fingerprint:
            return True
        return entry.fingerprint is not None and attempt(self.formerly) == entry.fingerprint

    @property
    def may_meet_another(self) -> bool:
        """True if another call's row may prevent its begin: it has a key, or may have a twin. A
        queued call has its row already.
        """
        return self._draft.twin is not None or (
            self._draft.idempotency_key is not None and self._how.claimed is None
        )

    async def begin(self) -> bool:
        """Record the invocation as running; for a ``write`` or a request with an idempotency key
        the record is on disk before it is sent.

        :returns: False if another row has its key, or is its twin.
        :raises Unavailable: if the journal cannot be written; nothing was sent.
        """
        draft, database = self._draft, self._journal.database
        if self._journal.owes or self._journal.keys.services.asked:
            await self._prepare()
        if self._how.claimed is not None:
            await self._begin_claimed()
            return True
        if self.asking is not None:
            starts = self.asking.begin()
        else:
            inputs = self._inputs_of_begin() if draft.effect == "write" else draft.inputs
            starts = self._journal.starting(draft, inputs)
        if draft.effect != "write" and draft.idempotency_key is None:
            self._put_off = database.defer(starts, _unwritten)
            self._on(states.BEGIN_LAZILY)
            await self._catch_up()
            return True
        self._on(states.BEGIN)  # before it is tried: for an interrupt, too
        try:
            await self._how.waiter.record(database, self._begun(starts))
        except UniqueViolation as error:
            self._on(states.KEY_HELD)
            self.is_undone = isinstance(error, NotNowError)
            self._journal.tasks.pop(draft.id, None)
            if self._was_put_off and not self.is_undone:
                SeenKeys.of(database).found_held()
            return False
        except Unavailable as error:
            self._on(states.UNKNOWN if isinstance(error, CommitUnknown) else states.REFUSED)
            raise
        self._on(states.WRITTEN)
        return True

    def _on(self, event: str) -> str | None:
        """Change the state by an event; return the statement to write, None if the event writes
        none.
        """
        after, statement = states.TABLE[self._state, event]
        self._reached = self._state if after == states.DONE else after
        self._state = after
        return statement

    def leave(self) -> None:
        """Write no outcome, since another entry answers the call."""
        self._on(states.ANSWERED)

    def set_aside(self) -> None:
        """Leave no row of a call that has not begun and was not counted."""
        self._on(states.SET_ASIDE)

    @property
    def has_begun(self) -> bool:
        """True if the call may have sent something."""
        return self._reached in states.BEGAN

    @property
    def wait_left(self) -> float:
        """Seconds for which the caller still waits for an earlier call with its key; the time is
        over if not positive.
        """
        return self._wait_until - self._clock.monotonic()

    def _begun(self, unit: Unit) -> Unit:
        call = self._call
        for place in call.points.begin:
            unit = call.parts[place].begin(unit)
        return unit

    @property
    def _closing(self) -> Sequence[Passing]:
        """Parts of gates that take part in the transaction of the call's end."""
        return [self._call.parts[place] for place in self._call.points.end]

    async def _begin_claimed(self) -> None:
        """Record a claimed invocation as running, unless it runs here already: its claim was lost
        with a restored database, and made once more, with the same owner and delivery. Then the
        running call ends it.
        """
        draft = self._draft
        if self._journal.tasks.get(draft.id) == draft.delivery:
            self._on(states.RUNS_HERE)
            raise Cancelled(
                "this process runs the invocation already: the database went back to before it "
                "was claimed"
            )
        try:
            begun = await self._how.waiter.record(
                self._journal.database,
                self._begun(self._journal.beginning(draft, self._inputs_of_begin())),
            )
        except JackfieldError:
            self._on(states.REFUSED)
            raise
        if not begun:
            self._on(states.TAKEN)
            raise await self._how.waiter.ask(lambda: self._journal.not_begun(draft.id))
        self._on(states.WRITTEN)

    async def _prepare(self) -> None:
        """Record outstanding units, and get the key for the Result: no call may run whose outcome
        could not be recorded.
        """
        if self._journal.owes:
            await self._how.waiter.ask(self._journal.record_owed)
        if self._journal.keys.services.asked and not self._journal.keys.are_ready():
            is_claimed = self._state == states.CLAIMED
            if is_claimed:
                self._on(states.PREPARES)
            await self._how.waiter.call(self._journal.keys.prepare)
            if is_claimed:
                self._on(states.PREPARED)

    async def _catch_up(self) -> None:
        """Wait for a commit if too many units are deferred."""
        if self._journal.database.is_behind:
            with suppress(JackfieldError):  # each deferred unit reports its own failure
                await self._how.waiter.record(self._journal.database, _nothing)

    @property
    def journal(self) -> Journal:
        """Journal that the record is written to."""
        return self._journal

    @property
    def call(self) -> Reached:
        """Call that the record describes."""
        return self._call

    @property
    def draft(self) -> Draft:
        """Entry in the form that the record will write."""
        return self._draft

    @property
    def remaining(self) -> float:
        """Seconds until the invocation's deadline."""
        return self._how.deadline.remaining()

    async def store_job(
        self,
        job: Mapping[str, Any],
        seconds: float,
        in_transaction: Callable[[Transaction], None] | None,
    ) -> bool:
        """Record the output of a job's start and how to poll it. The job waits for its first poll,
        and counts as lost in ``seconds``.

        ``in_transaction`` are statements for the same transaction. Return False if another process
        has taken the invocation over.
        """
        how, draft, journal = self._how, self._draft, self._journal
        sealed = journal.sealed_inputs(draft.id, {**job, **how.caller.to_json()}, "job")
        now, log = journal.time.now(), self._log
        facts = {
            "until": now + seconds,
            "due": now + FIRST_POLL,
            "inputs": draft.inputs,
            "attempts": job["attempts"],
            "attempt_log": json.dumps(log) if log else None,
            "request_id": how.meta.request_id,
        }
        store = journal.jobs.storing(draft.id, draft.delivery, sealed, facts)

        def unit(transaction: Transaction) -> int:
            if in_transaction is not None:
                in_transaction(transaction)
            return store(transaction)

        is_stored = bool(await how.waiter.record(journal.database, unit))
        if is_stored:
            self._on(states.JOB_STORED)
        journal.tasks.pop(draft.id, None)
        return is_stored

    async def end(
        self, result: Result, undecided: Mapping[str, Any] | None, *, is_last: Callable[[], bool]
    ) -> None:
        """Record the invocation's outcome: at once if the caller may end its process next, and no
        other running call would share the commit. A failure is logged, since the Result is valid
        without its record.
        """
        if result.meta.dry_run and (result.output is not None or result.meta.request is not None):
            # they have the inputs in them
            result = replace(result, output=None, meta=replace(result.meta, request=None))
        is_over = False
        try:
            if self._state != states.LEFT:
                self._draft.undecided = undecided
                await self._finish(result)
            if self._how.settles and (is_last() or is_ending()):
                await self._settle()  # what other calls have put off, too
            is_over = True
        except Exception as error:  # noqa: BLE001 (mostly out of memory or threads, which must not cause a second send)
            let_out_of_call(error, self._how.handled)
            is_over = True
            self.owe(result, error)
        finally:
            if not is_over:
                self.finish_now(result)

    def goes_on(self, call: Call) -> Callable[[Mapping[str, Any] | Exception], None]:
        """Note that a call's function still runs although its caller has left; return what records
        the function's outcome.
        """
        self._going_on = call
        return self._answer_late

    def _answer_late(self, made: Mapping[str, Any] | Exception) -> None:
        """Record the final outcome of a call that has ended in doubt for its caller."""
        draft, meta = self._draft, replace(self._how.meta)
        result = Result("in_doubt", meta)
        if not isinstance(made, Exception):
            result = Result("succeeded", meta, output=made)
        elif isinstance(made, JackfieldError) and made.sent == Sent.REFUSED:
            result = Result("failed", meta, error=made)
        if result.status == "in_doubt":
            unit = self._journal.stopping(draft)
        else:
            unit = self._journal.finishing(draft, result, self._log, draft.inputs, draft.delivery)
        try:
            with within(_OUTCOME_WAIT):
                self._journal.database.record(unit)
        except JackfieldError as error:
            self._lost(unit, result, error)

    async def _finish(self, result: Result) -> None:
        if self._call.attempts is not None and (
            result.status != "succeeded" or self._asked.invocation.trace
        ):
            await self._how.waiter.compute(partial(self._kept, result))
        database, durable = self._journal.database, self._must_be_durable(result)
        self._ends(result)
        if durable or not self._replaced(result):
            unit = self._finishing(result, self._closing)
            try:
                if durable:
                    with within(self._patience(durable=True)):
                        await self._how.waiter.record(database, unit)
                else:
                    database.defer(
                        unit,
                        partial(self._written, unit, result),
                        wait=self._patience(durable=False),
                    )
                    await self._catch_up()
            except JackfieldError as error:
                self._lost(unit, result, error)
                self.unrecorded = (
                    ({"path": "", "message": f"{_UNRECORDED}: {error.message.partition(':')[0]}"},)
                    if durable
                    else ()
                )
        self._journal.purge_if_due()

    async def _settle(self) -> None:
        """Commit the outcome of a ``write``, which would otherwise be in doubt, or of any call if
        no hook runs at the process's end.
        """
        database = self._journal.database
        if database.defers and (
            self._draft.effect == "write" or database.may_vanish or is_ending()
        ):
            await self._how.waiter.call(partial(database.settle, _SETTLING_WAIT))

    def _replaced(self, result: Result) -> bool:
        """Record the whole invocation in place of its start, if no commit has taken the start
        yet.
        """
        start = self._put_off
        if self._ending != states.REPLACE or start is None or not start.waits:
            return False
        unit = self._recording(result)
        return self._journal.database.replace(start, unit, partial(self._written, unit, result))

    def _written(self, unit: Unit, result: Result, _value: object, error: Exception | None) -> None:
        if error is not None:
            self._lost(unit, result, error)

    def owe(self, result: Result, error: Exception) -> None:
        """Queue the outcome for later because this process is out of memory or threads.

        The Result is valid: a begun run must neither return to the queue nor stay open.
        """
        if self._state == states.LEFT:
            return

        for left in reversed(range(_TRIES)):
            try:
                self._ends(result)
                self._lost(partial(self._finish_later, result, self._closing), result, error)
            except MemoryError:
                if not left:
                    raise
                time.sleep(_PAUSE)  # until other threads free memory
            else:
                return

    def _finish_later(
        self, result: Result, closing: Sequence[Passing], transaction: Transaction
    ) -> int:
        """Build the statements only when they are executed, since building them may have failed
        before. By then the call has released the parts of its gates.
        """
        return self._finishing(result, closing)(transaction)

    def finish_now(self, result: Result) -> None:
        """Record the outcome at once, if the caller is being interrupted and no further step can
        run.
        """
        if self._state == states.LEFT:
            return
        self._ends(result)
        try:
            # only the first one waits for a lock, not each in turn
            with within(0.0 if self._journal.owes else _INTERRUPTED_WAIT):
                self._journal.database.record(self._finishing(result, self._closing))
        except (JackfieldError, MemoryError, RuntimeError, OSError) as error:
            self.owe(result, error)

    def _patience(self, *, durable: bool) -> float:
        """Return the seconds for which an outcome may wait for the database.

        A begun run waits longer than a refusal, and without limit if its caller gets the Result
        meanwhile.
        """
        if self.has_begun and not durable:
            return math.inf
        more = (
            _REFUSAL_WAIT
            if not self.has_begun
            else _OUTCOME_WAIT
            if self._how.claimed is not None
            else _TOLD_WAIT
        )
        return max(self._how.deadline.remaining(), more)

    def _lost(self, unit: Unit, result: Result, error: Exception) -> None:
        """Log an outcome that could not be recorded. If it has an entry, record it once the
        database is available again.

        Otherwise the entry would stay open while this process lives.
        """
        if self._reached in states.THERE or self._how.claimed is not None:
            self._journal.owe(unit)
        with suppress(MemoryError):
            _LOG.error(
                "invocation %s ended as %s, which could not be recorded: %s",
                self._draft.id,
                result.status,
                error,
            )

    def finish_interrupted(self, result: Result | None) -> None:
        """Record the outcome of an interrupted run. A queued invocation that has sent nothing
        returns to the queue.
        """
        if self._state in (states.LEFT, states.DONE):
            return
        if self._how.claimed is not None and (
            result is None or (result.error is not None and result.error.code == "cancelled")
        ):
            self._ending = self._on(states.NOTHING_SENT)
            self.finish_now(Result("failed", Meta(self._draft.id)))
        elif result is not None:
            self.finish_now(result)

    def found(self, manifest: Manifest, action: ActionManifest) -> None:
        """Record the connector's version and the action's effect, before the rules are applied to
        the call.
        """
        self._draft.connector_version, self._draft.effect = manifest.version, action.rule_effect

    def name(self, meta: Meta) -> None:
        """Take the names of connector and action from a Result's meta, in which secrets are
        redacted if the names were not found.
        """
        self._draft.connector, self._draft.action = (
            (meta.connector or "")[:200],
            (meta.action or "")[:200],
        )

    def describe(
        self,
        manifest: Manifest,
        action: ActionManifest,
        connection: str | None,
        *,
        keeps: bool,
        keeps_unclear: bool,
    ) -> None:
        """Record the connector, action and connection that the invocation's names were resolved to,
        and whether its inputs are stored.
        """
        draft, self.keeps, self.keeps_unclear = self._draft, keeps, keeps_unclear
        draft.connector_version, draft.effect, draft.connection = (
            manifest.version,
            action.rule_effect,
            connection,
        )

    def weigh(self, declared: str | None, *, is_unrepeatable: bool, key_kept: float | None) -> None:
        """Record the effect of the action with these inputs, which decides the end of a lost call,
        and what is known of its key.

        An unrepeatable call is recorded as a ``write``, which is on disk before it is sent, and in
        doubt if its process is lost. A queued invocation is delivered again with the same derived
        key.
        """
        if declared is not None:
            self._draft.effect = declared
        if is_unrepeatable:
            self._draft.effect = "write"
        if key_kept is not None:
            target = None if self._call.plan is None else self._call.plan.target
            self._draft.key_facts = KeyFacts(
                key_kept,
                None if target is None else target.id,
                None if target is None else target.version,
                credentials_of(self._journal.fingerprint, self._call.attempts),
            )

    def rule(self, text: str) -> None:
        """Record the rule that refused the invocation."""
        self._draft.rule = text

    def keep_inputs(self) -> None:
        """Store the inputs, redacted; the connection's secrets can be redacted only once it is
        open.
        """
        plan, redactor = self._call.plan, self._call.redactor
        shown = masked({} if plan is None else plan.action.inputs, self._asked.given.inputs)
        inputs = shown if redactor is None else redactor.clean_json(shown)
        sealed = self._journal.sealed_inputs(self._draft.id, {"inputs": inputs})
        self.keep(sealed if len(sealed) <= LARGEST_STORED else None)

    def keep(self, inputs: bytes | None) -> None:
        """Store the encrypted inputs with the entry; None stores nothing."""
        self._draft.inputs = inputs

    def queue_with(self, in_transaction: Callable[[Transaction], None] | None) -> None:
        """Run more statements in the transaction that queues the invocation."""
        self._draft.in_transaction = in_transaction

    def _ends(self, result: Result) -> None:
        """Choose how the end is written, unless a choice was made: a failed end is repeated in the
        same way.
        """
        if self._state != states.DONE:
            is_later = self._how.claimed is not None and isinstance(result.error, NotYet)
            self._ending = self._on(states.NOT_YET if is_later else states.END)

    def _finishing(self, result: Result, closing: Sequence[Passing]) -> Unit:
        claimed, ending = self._how.claimed, self._ending
        if self.asking is not None:
            output = None if self._draft.undecided is not None else result.output
            unit = self.asking.end(result, output) if self.has_begun else _nothing_written
            return _closed(unit, result, closing, back=False)
        if claimed is not None and ending == states.GIVE_BACK:
            return _closed(self._journal.giving_back(claimed), result, closing, back=True)
        if not self.has_begun:
            self._draft.started_at = None  # a run whose start could not be recorded did not begin
        if ending == states.WHOLE:
            unit = self._recording(result)  # what a gate keeps with the begin may be there, too
            return (
                _closed(unit, result, closing, back=False)
                if self._reached in states.THERE
                else unit
            )
        draft, shown = self._draft, self._masked_result(result)
        unit = self._journal.finishing(
            draft,
            shown,
            self._log,
            draft.inputs if result.status != "in_doubt" else self._inputs_of_doubt(),
            draft.delivery,
            self.references,
            self._kept(result),
            runs_on=self._going_on is not None and not self._going_on.ended,
        )
        unit = _closed(unit, result, closing, back=False)
        if claimed is not None and isinstance(result.error, NotYet) and ending == states.REQUEUE:
            return _closed(
                self._journal.requeueing(claimed, result.error, unit), result, closing, back=True
            )
        return unit

    def _inputs_of_begin(self) -> bytes | None:
        """Return the sealed inputs that the row has while the call runs: those of a call that is in
        doubt if its process is killed. The statement of the call's end removes them.
        """
        draft = self._draft
        if not self.keeps_unclear or draft.effect != "write" or draft.dry_run:
            return draft.inputs
        if self._first is None:
            self._first = (sealed_begin(self._journal, self._call, self._asked, draft.inputs),)
        return self._first[0]

    def _inputs_of_doubt(self) -> bytes | None:
        """Return the sealed inputs that the row of a doubt has from the call's end on."""
        if not self.keeps_unclear:
            return self._draft.inputs
        if self._doubt is None:
            found = sealed_doubt(self._journal, self._call, self._asked, self._draft.inputs)
            self._doubt = (found,)
        return self._doubt[0]

    def _recording(self, result: Result) -> Unit:
        return self._journal.recording(
            self._draft, self._masked_result(result), self._log, self._kept(result)
        )

    def _kept(self, result: Result) -> bytes | None:
        """Return the exchanges with the provider, masked and sealed, if they are stored."""
        if self._call.attempts is None or (
            result.status == "succeeded" and not self._asked.invocation.trace
        ):
            return None
        if self._exchanges is None:
            self._exchanges = (sealed_exchanges(self._call, result, self._journal),)
        return self._exchanges[0]

    @property
    def _log(self) -> Sequence[Mapping[str, Any]]:
        return () if self._call.attempts is None else self._call.attempts.tally.log

    def _masked_result(self, result: Result) -> Result:
        """Return a Result without the values of an inline connection."""
        if result.status != "failed" or (inline := self._asked.inline) is None:
            return result
        body = result.to_json()
        shown = Result.from_json(
            {**body, "error": Redactor(leaves(inline)).clean_json(body["error"])}
        )
        if shown.error is not None and result.error is not None:
            shown.error.keeps_key = result.error.keeps_key
        return shown

    def _must_be_durable(self, result: Result) -> bool:
        """Return whether the caller waits until the outcome is on disk: if the call has an
        idempotency key, or is in doubt.

        Otherwise the outcome is written with the next commit, or its own (``end``). If the process
        dies before that, a ``write`` is in doubt.
        """
        return (
            self.has_begun and self._draft.idempotency_key is not None
        ) or result.status == "in_doubt"


def _elsewhere(entry: Entry, draft: Draft) -> Sequence[Mapping[str, Any]]:
    """Return the warning about a function's call that the function of another file, or of another
    name in it, has made: each answers the calls of the other.
    """
    there, here = entry.context.get("function"), (draft.context or {}).get("function")
    if there is None or here is None or not is_elsewhere(there, here):
        return ()
    text = f"'{entry.action}' is {here}, and the value is of a call of {there}"
    _LOG.warning("invocation %s: %s", entry.id, text)
    return ({"path": "", "message": text},)


def _closed(unit: Unit, result: Result, closing: Sequence[Passing], *, back: bool) -> Unit:
    for part in closing:
        unit = part.end(unit, result, back=back)
    return unit


def _unwritten(_value: object, error: Exception | None) -> None:
    if error is not None:
        _LOG.error("an entry could not be recorded: %s", error)


def _approvals() -> ModuleType:
    """Import the module of calls that wait for a person; most processes have none."""
    from jackfield_store.recording import approvals

    return approvals


def _nothing_written(_transaction: Transaction) -> int:
    """Write nothing: of a doubt whose request was not sent again."""
    return 0


def _nothing(_transaction: Transaction) -> None:
    """Do nothing: the unit of a commit for postponed units."""
