"""Attempts of one call at its action, within its deadline, its rate limit and the retry policy of
its effect: the only retries of a call. The exception is ``HttpClient._persist`` of jackfield_http:
it repeats later requests of one attempt, which ``Attempts`` cannot repeat singly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call import certainty
from jackfield.call.errors_map import (
    AUTHORS,
    explained,
    in_doubt,
    judged,
    late,
    log_error,
    quoted,
    require_sign,
    unproven,
    weigh,
)
from jackfield.call.filling import Outputs
from jackfield.call.how import ProgressWords
from jackfield.call.masking import concealed, left
from jackfield.call.on_time import GRACE
from jackfield.call.reached import joined
from jackfield.call.tally import DONE_BEFORE, KeyMemory, Remarks, Tally, done_before
from jackfield.call.waiter import Until
from jackfield.connector.context import (
    Answered,
    Call,
    IdempotencyKey,
    entered,
    reset_current,
    set_current,
)
from jackfield.connector.conversion import dumped_or_fault
from jackfield.connector.reading import AttemptEvents
from jackfield.kernel.clock import Deadline, SharedDeadline
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import (
    Cancelled,
    Detail,
    InDoubt,
    InvalidOutput,
    JackfieldError,
    NotYet,
    RateLimited,
    Sent,
    Unavailable,
)
from jackfield.kernel.failures import CONTAINED, contained
from jackfield.kernel.secrecy import Hidden, SecretHolder
from jackfield.pacing.pace import pace_of
from jackfield.pacing.turn import Ride, Turn
from jackfield.redaction.redactor import keep_in_force
from jackfield.retry import BASE, Tries

if TYPE_CHECKING:
    from jackfield.call.open import OpenConnection
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Asked
    from jackfield.call.tally import Dependencies, KeyLeft
    from jackfield.connector import Inputs
    from jackfield.connector.budget import Budget
    from jackfield.manifest.manifest import Effect
    from jackfield.redaction.redactor import Redactor

_NOT_BEGUN = (
    "its connection type sets 'reports_begin', but an attempt ended without 'Call.begin()', "
    "so it counts as sent"
)
_UNMAPPED = (
    "an exception that is in no error map ended an attempt without 'Call.begin()', so it "
    "counts as sent: raise InvalidInput or Rejected"
)
_STOPPED = "the call was interrupted, by its process, its caller or a time limit,"
_FORGOTTEN = (
    "the provider may have forgotten the idempotency key before another attempt ends: nothing more "
    "was sent under it"
)
_MIN_TRY = 1.0
"""Minimum seconds for an attempt with a share of the time, if enough time is left. The first
attempt of a process also imports the SDK.
"""
_OPEN_FOR = 1.0
"""Seconds for which an opened client may wait for its attempt: its credentials may expire."""
_NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True, repr=False)
class Attempts(SecretHolder):
    """Attempts of one call at its action, from the first to the last."""

    asked: Asked
    plan: Plan
    values: Inputs
    inputs: Mapping[str, Any]
    """Inputs as JSON; ``values`` is made from them."""
    opening: OpenConnection | None
    dependencies: Dependencies
    conceals: bool = False
    """True if a policy may withhold the provider's answer: no error quotes the answer, and its
    exchanges are stored without it.
    """
    client: Any = None
    """Client that was opened before the attempt, to record the call's begin or to find its rate
    limit's account.
    """
    opened_at: float = 0.0
    """Time at which the connection was last opened, in seconds of the monotonic clock."""
    current: Call | None = None
    since: float | None = None
    """Start of the current attempt; None between attempts."""
    renewed: bool = False
    remarks: Remarks = field(default_factory=Remarks)
    unread: Mapping[str, Any] | None = None
    """Warning that replaces the output of a successful call whose response could not be read."""
    tally: Tally = field(default_factory=Tally)
    returned: list[str] = field(default_factory=list)
    """IDs of the output's files that were stored."""
    key: IdempotencyKey = field(init=False)
    declared: Effect = field(init=False)
    """Effect of the action with these inputs, as its author declares it."""
    kind: str = field(init=False)
    """That effect, with whose key it is idempotent by, as ``certainty.TABLE`` names it."""
    memory: KeyMemory | None = field(init=False)
    """Memory of the provider for the key; None if the action is not idempotent by one."""
    turn: Turn = field(init=False)

    def __post_init__(self) -> None:
        asked, plan, tally, code = self.asked, self.plan, self.tally, self.plan.code
        self.declared = (
            code.effect if code.effect_of is None else contained(code.effect_of, self.values)
        )
        is_keyed = code.idempotent_by is not None and self.declared == certainty.IDEMPOTENT
        self.kind = certainty.KEYED if is_keyed else self.declared
        self.key = IdempotencyKey(asked.invocation.idempotency_key or asked.how.meta.invocation_id)
        by_caller = asked.invocation.idempotency_key is not None
        self.memory = (
            KeyMemory(self.dependencies.clock, plan.action.key_kept, by_caller)
            if is_keyed
            else None
        )
        claimed = asked.how.claimed
        if self.memory is not None:
            if asked.row is not None and asked.row.earlier is not None:
                self.continue_after(asked.row.earlier)
        elif claimed is not None and claimed.is_again and code.effect == "idempotent":
            tally.known |= certainty.TABLE[self.kind, certainty.LOST].adds
        pace, limit = None, plan.action.rate_limit
        if self.opening is not None:
            key, declared = (
                (plan.manifest.key, code.key),
                None if limit is None else limit.per_second,
            )
            pace = pace_of(
                self.opening.cache,
                key,
                self.dependencies.clock,
                self.inputs,
                plan.code.pace_by,
                declared,
            )
        if asked.row is not None and not plan.action.hands_out:
            tally.exchanges, tally.sees_bodies = [], asked.row.keeps or asked.invocation.trace
        self.turn = Turn(
            asked.how,
            plan.code,
            plan.connector.key,
            self.dependencies.paces,
            pace,
            self.limits_unread,
        )

    def continue_after(self, earlier: KeyMemory) -> None:
        """Note that another run of the call has sent the request under the key, with an unknown
        end.
        """
        if self.memory is not None and earlier.sent_at is not None:
            self.memory.note(earlier.sent_at)
            self.tally.known |= certainty.TABLE[self.kind, certainty.LOST].adds

    @property
    def redactor(self) -> Redactor | None:
        """Redactor of the secrets of the connection and the inputs; None if there are no
        secrets.
        """
        own = (
            self.asked.connection_redactor(self.plan)
            if self.opening is None
            else self.opening.cache.redactor
        )
        return joined(own, self.plan.secrets_in(self.asked.given.inputs))

    async def opened(self) -> Any:
        """Open the connection (and lease its credentials), with retries. A dry run does nothing
        else.

        :raises JackfieldError: if the connection cannot be opened. It is never a doubt, since
            nothing of the action was sent.
        """
        if self.opening is None:
            return None
        keep_in_force(self.opening.cache)
        how = self.asked.how
        tries, before = Tries(how.tries), (self.tally.last, self.tally.failures)
        while True:
            tries.made += 1
            call = self._call_for(self._patience(tries), stores=False)
            try:
                how.deadline.check()
                step, inline_ok = (
                    partial(self.opening.client, call, Hidden(self.inputs)),
                    partial(getattr, self.opening, "is_inline_ok"),
                )
                until = Until(
                    how.deadline,
                    partial(self.opening.overdue, how.meta.invocation_id, how.deadline),
                )
                client = await how.waiter.open(
                    step,
                    self.opening.slots,
                    until,
                    inline_ok=inline_ok,
                    executor=self.plan.code.executor,
                )
            except Exception as cause:  # noqa: BLE001 (the connection-open boundary: any exception of a connection type gets a code)
                error = judged(
                    self.plan.connector, cause, None, None, call, self._log_error, how.handled
                )
            else:
                self.opened_at = self.dependencies.clock.monotonic()
                # what opening has overcome ends nothing
                self.tally.last, self.tally.failures = before
                return client
            error.sent = Sent.NOTHING  # a fault while opening is never in doubt
            self.tally.missed(error)
            await self._wait(tries, error)

    async def next_client(self) -> Any:
        """Return the client opened earlier if it was opened less than a second ago; otherwise open
        one.
        """
        client, self.client = self.client, None
        if client is None or self.dependencies.clock.monotonic() - self.opened_at > _OPEN_FOR:
            client = await self.opened()
        return client

    async def take_turn(self, last: JackfieldError | None = None, *, always: bool = False) -> None:
        """Wait until shortly before the slot of the next attempt, as ``Turn.take`` does. For an
        account's slots, open the client first.
        """
        if self.turn.is_ready:
            return
        budget, client = self.plan.code.budget, None
        # it was found a moment ago, and has no room for a ride
        if self.turn.account is not None and self.client is not None:
            client, self.client = self.client, None
        elif budget is not None and self.opening is not None:
            client = await self._client_of_account(budget, self.opening)
        is_fresh = await self.turn.take(
            self.values, client, last, again=last is not None or self.count > 0, always=always
        )
        if client is not None and is_fresh:
            self.client = client

    async def ride(self) -> Ride | None:
        """Return the part of the turn that is taken together with the call's begin. None if the
        turn must be taken earlier, or at the first attempt.
        """
        budget = self.plan.code.budget
        if budget is None or self.opening is None:
            return None
        self.client = await self._client_of_account(budget, self.opening)
        return self.turn.ride(self.values, self.client)

    async def _client_of_account(self, budget: Budget, opening: OpenConnection) -> Any:
        """Find the account whose slots the call uses; return the client with which it was found."""
        client = await self.next_client()
        await self.turn.find_account(budget, self.values, client, opening.cache)
        if self.turn.account is not None:
            self.turn.account.connection = opening.connection
        return client

    async def page(self, values: Inputs) -> Mapping[str, Any]:
        """Call the action for one page (or its whole output), with retries.

        :raises JackfieldError: the error of the last attempt.
        """
        tries, client = Tries(self.asked.how.tries), None
        error: JackfieldError | None = None
        while True:
            tries.made += 1
            if self.memory is not None:
                self._require_key(self.memory, error)
            try:
                if self.opening is not None:
                    await self.take_turn(error)
                    client = await self.next_client()
                if self.turn.account is not None and self.plan.code.is_async:
                    await self.turn.wait_for_slot()
            except JackfieldError as closed:
                raise self.verdict(closed) from None
            shares = self.declared != "idempotent" or tries.made - tries.throttled == 1
            repeats = self.asked.how.channel is None and (
                self.declared != "write" or self.asked.invocation.on_doubt == "retry"
            )
            call = self.current = self._call_for(
                self._patience(tries) if shares and repeats else self.asked.how.deadline
            )
            sent, code = values, self.plan.code
            # else the action places it itself
            if code.marker is not None and code.marker.code is None:
                sent = (
                    code.marker.filled(
                        code.inputs.model_validate,
                        self.inputs,
                        self.asked.given.sources,
                        call.marker,
                    )
                    or values
                )
            output, error = await self._attempt(sent, client, call)
            if error is None:
                return output
            await self._retry_or_raise(tries, error, client)

    def _require_key(self, memory: KeyMemory, error: JackfieldError | None) -> None:
        """Require that the provider still knows the key, if an attempt of unknown end stands under
        it.

        :raises JackfieldError: if it may forget the key before another attempt has ended.
        """
        remaining = self.asked.how.deadline.remaining()
        if not memory.outlasts(remaining):
            raise self.verdict(error or Unavailable(_FORGOTTEN, sent=Sent.NOTHING))

    async def _attempt(
        self, values: Inputs, client: Any, call: Call
    ) -> tuple[Mapping[str, Any], JackfieldError | None]:
        """Call the action once, and record the outcome; return its output, or the error.

        :raises JackfieldError: if the output cannot be used; the action is not repeated.
        """
        turn, code, clock, tally = self.turn, self.plan.code, self.dependencies.clock, self.tally
        if turn.account is not None and not code.is_async:
            call.gate = turn.hold
        turn.is_ready = False
        self.since, began = clock.time(), clock.monotonic()
        started = self.since
        try:
            output = await self._acted(values, client, call, began)
            if code.sign is not None and self.declared != "read" and self.unread is None:
                require_sign(code, output)
        except Exception as cause:  # noqa: BLE001 (the action boundary: any exception of an action gets a code)
            error = judged(
                self.plan.connector,
                cause,
                client,
                values,
                call,
                self._log_error,
                self.asked.how.handled,
            )
        else:
            tally.last, tally.failures = None, 0
            if self.asked.how.channel is not None:
                call.events.finished(None, call.warn)
            return self._succeeded(call, started, output), None
        error = call.events.finished(error, call.warn) or error
        self._weigh(error, call)
        if error.sent is not Sent.UNKNOWN:
            tally.markers.pop(tally.tried, None)
        if self.memory is not None and (error.sent is Sent.UNKNOWN or self._done()):
            self.memory.note(began)
        tally.missed(error)
        await turn.failed(error, began)
        is_unclear = tally.known & certainty.UNCLEAR
        if is_unclear and error.code in code.repeat_ok and not error.by_status:
            call.warn(DONE_BEFORE[error.code])
            return self._succeeded(call, started, dumped_or_fault(code.output())), None
        if is_unclear and error.done_before and call.takes_unread:
            self.unread = done_before(error)
            return self._succeeded(call, started, _NOTHING), None
        tally.failed += call.begun
        self._note(call, started, error.code)
        return _NOTHING, error

    async def _retry_or_raise(self, tries: Tries, error: JackfieldError, client: Any) -> None:
        """Wait for another attempt, if one is allowed.

        :raises JackfieldError: if no other attempt is allowed.
        """
        effect, done = self.effect, self._done()
        self.current = None  # this attempt is over and recorded
        if (
            isinstance(error, NotYet)
            and self.asked.how.claimed is not None
            and effect == "idempotent"
            and not self._leaves_old_key
        ):
            raise error  # the queue runs it again, under the same key
        self.tally.done = done or self.tally.done
        event = certainty.failure(lost=error.sent is Sent.UNKNOWN, part=bool(done))
        row = certainty.TABLE[self._kind_of(effect), event]
        self.tally.known |= row.adds
        if row.repeats == certainty.NEVER:
            raise self.verdict(error)
        if (
            error.stale_credentials
            and error.sent is not Sent.UNKNOWN
            and not self.renewed
            and hasattr(client, "renew")
        ):
            self.renewed = True
            client.renew()
            return
        if certainty.may_repeat(row, error, self.asked.invocation.on_doubt):
            try:
                await self._wait(tries, error)
            except JackfieldError as last:
                raise self.verdict(last) from None
            return
        raise self.verdict(error)

    async def _wait(self, tries: Tries, error: JackfieldError) -> None:
        if (
            not (error.retryable or error.sent is Sent.UNKNOWN)
            or not error.repeatable
            or not tries.allow_another(error)
        ):
            raise error
        if isinstance(error, NotYet) and self.asked.how.claimed is not None:
            raise error  # the queue waits, and no thread
        seconds, remaining = (
            self.dependencies.backoff.wait(tries.made, error),
            self.asked.how.deadline.remaining(),
        )
        if isinstance(error, NotYet):
            # ask once more shortly before the deadline
            seconds = min(seconds, max(_MIN_TRY, remaining / 2))
        if isinstance(error, RateLimited) and self.turn.account is not None:
            seconds = error.retry_after or 0.0  # the next slot is the back-off
        elif isinstance(error, RateLimited) and remaining > BASE:
            # back-off must not end the retries before the deadline does
            slot = self.turn.pace.earliest() if self.turn.pace is not None else 0.0
            seconds = max(min(seconds, remaining / 2), error.retry_after or 0.0, slot)
        if seconds >= remaining:
            raise error
        if (seconds > 0 or self.turn.account is None) and not self.asked.how.cancelled.is_set():
            await self.asked.how.pause(seconds, error.code)
        if self.asked.how.cancelled.is_set():
            raise (
                error
                if self.tally.known & certainty.UNCLEAR
                else Cancelled("the invocation was cancelled while it waited for its next attempt")
            )

    def verdict(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the run: a doubt if an attempt may have taken effect and must
        not be repeated, else ``error``.

        Only this function decides: by whether a request may have taken effect, whether the action
        may be repeated (its effect), and under whose key. A key derived from the invocation ends
        with it: another invocation would take effect again. ``unusable`` handles an answer that
        cannot be used.
        """
        error = self.ended(error)
        told = certainty.verdict(self.tally.known)
        if told not in certainty.UNKNOWNS:
            return error
        quotes = not self.conceals
        done = [
            replace(step, returned=concealed(step.returned, self.plan.secrets) if quotes else None)
            for step in self.tally.done
        ]
        doubt = in_doubt(
            self.plan.code.key,
            self.asked.how.meta.invocation_id,
            error,
            done,
            self._key_left,
            answered=told == certainty.ANSWERED_UNKNOWN,
        )
        if self.memory is not None and self.key.used:
            doubt.details = (
                *doubt.details,
                Detail("", f"the idempotency key sent to the provider was '{self.key.value}'"),
            )
        return doubt

    def final(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the call. An error before the first attempt leaves the doubt
        of an earlier delivery.
        """
        return (
            self.verdict(error)
            if self.count == 0 and not isinstance(error, InDoubt | NotYet)
            else self.ended(error)
        )

    def ended(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the run, with its cause. If ``error`` only says that the
        deadline passed before the next attempt, return the last attempt's failure, which says
        whether something may have taken effect.
        """
        return self.tally.ended(error)

    def limits_unread(self, fault: Exception, client: Any, deadline: Deadline) -> None:
        """Note why the provider's limits could not be read. The run continues, unless no time is
        left.
        """
        self.tally.missed(
            explained(self.plan.connector, fault, client, None, Call(deadline), self._log_error)
        )

    def unusable(
        self, error: JackfieldError, output: Mapping[str, Any] | None = None
    ) -> JackfieldError:
        """Return the error that ends a run whose answer cannot be used: a doubt if the action may
        have changed something.

        ``output`` is the answer, with secrets redacted.
        """
        if self.declared != "read" and (
            self.tally.known & certainty.ANSWERED
            or (self.current is not None and self.current.begun)
        ):
            if self.tally.known & certainty.SILENT:
                self._blame("begin", _NOT_BEGUN)
            self.tally.known |= certainty.TABLE[self.kind, certainty.UNUSABLE].adds
        judged = self.verdict(error)
        is_doubt = self.tally.known & certainty.UNREPEATABLE
        if is_doubt and output is not None and not self.conceals:
            judged.details = (*judged.details, Detail("", f"the action returned {quoted(output)}"))
        return judged

    def lost_credentials(self, error: JackfieldError) -> bool:
        """Return whether the provider refuses credentials that only a person can replace.
        Credentials from an approval, and the server's own, are renewed first.
        """
        if self.opening is not None and self.opening.grants is not None:
            return error.expired or (self.renewed and error.stale_credentials)
        return error.expired or (error.code == "unauthenticated" and not error.stale_credentials)

    @property
    def _key_left(self) -> KeyLeft | None:
        if self.memory is None or not (self.key.used or self.count == 0):
            return None
        return self.memory.left()

    @property
    def _leaves_old_key(self) -> bool:
        """True if an attempt of unknown end stands under the call's key."""
        return self.memory is not None and self.tally.known & certainty.UNCLEAR != 0

    def _kind_of(self, effect: Effect) -> str:
        """Return the effect by which ``certainty.TABLE`` judges an attempt: a write, if the action
        is idempotent by a key that its client did not use.
        """
        return certainty.WRITE if effect == "write" else self.kind

    def _ends_in_doubt(self, effect: Effect) -> bool:
        lost = certainty.TABLE[self._kind_of(effect), certainty.LOST]
        return lost.adds & certainty.UNREPEATABLE != 0

    @property
    def ends_in_doubt(self) -> bool:
        """True if an attempt with an unknown outcome leaves the invocation in doubt, if it is the
        last one.
        """
        return self._ends_in_doubt(self.declared)

    @property
    def count(self) -> int:
        """Number of attempts at the provider's operation. Successful pages after the first do not
        count.
        """
        return self.tally.failed + (self.tally.known & certainty.ANSWERED != 0)

    def interrupted(self) -> JackfieldError:
        """End the run because its process or caller stops in the middle of it; count the current
        attempt. Return the error.
        """
        effect = self.effect
        is_begun = self.current is not None and self.current.begun
        leaves = self._ends_in_doubt(effect)
        sent = Sent.UNKNOWN if is_begun else Sent.NOTHING
        if self.current is not None and is_begun and self.since is not None:
            self.tally.failed += 1
            if self.memory is not None:
                self.memory.note_ago(self.dependencies.clock.time() - self.since)
            self._note(self.current, self.since, "in_doubt" if leaves else "cancelled")
        if is_begun:
            self.tally.known |= certainty.TABLE[self._kind_of(effect), certainty.LOST].adds
        if leaves and self.tally.known & certainty.UNREPEATABLE:
            return self.verdict(
                Unavailable(f"{_STOPPED} before the response was recorded", sent=sent)
            )
        return Cancelled(f"{_STOPPED} before it ended", sent=sent)

    def _note(self, call: Call, started: float, outcome: str) -> None:
        """Store the request ID and, for one of the first hundred attempts, a line about the attempt
        for the journal.
        """
        self.since = None
        if call.request_id is not None:
            redactor = self.redactor
            # a provider may send back what it was sent
            if redactor is not None and redactor.holds(call.request_id):
                call.request_id = redactor.clean(call.request_id)
            self.asked.how.meta.request_id = call.request_id
        if self.asked.row is not None and call.begun:
            self.tally.note(
                call, self.plan.code.key, started, self.dependencies.clock.time(), outcome
            )

    def _patience(self, tries: Tries) -> Deadline:
        """Return the deadline of an attempt that may be repeated: a share of the time left, or all
        of it for the last attempt.

        For an idempotent action only the first attempt gets a share, as ``page`` decides. Otherwise
        a slow provider would carry out each attempt and answer none in time.
        """
        whole = self.asked.how.deadline
        return whole if tries.is_last else SharedDeadline.of(whole, _MIN_TRY)

    async def _acted(self, values: Inputs, client: Any, call: Call, began: float) -> Any:
        """Call the action's function, within its deadline."""
        how, code = self.asked.how, self.plan.code
        if began >= how.deadline.at:
            raise how.deadline.passed(Sent.NOTHING)
        arguments = (values, client) if code.takes_client else (values,)
        until = Until(how.deadline, partial(self._late, call))
        if code.is_async:
            output = await how.waiter.finished(partial(self._await, arguments, call), until)
        else:
            output = await how.waiter.call(
                partial(self._call, arguments, call), executor=code.executor, until=until
            )
        if self.dependencies.clock.monotonic() - how.deadline.at > GRACE and code.intent is None:
            raise self._returned_late()
        if call.unproven:
            raise unproven(call)
        return output

    def _late(self, call: Call) -> JackfieldError:
        """Return the error of a call whose caller no longer waits. A program's own function still
        delivers its value when it ends, unless policies judge the output.
        """
        if self.plan.code.intent is not None and self.asked.row is not None and not self.conceals:
            call.answer_late = self.asked.row.goes_on(call)
        return late(self.asked.how, (self.plan.code.key, self.plan.connector.key), call)

    def _returned_late(self) -> JackfieldError:
        late = self.dependencies.clock.monotonic() - self.asked.how.deadline.at
        self._blame(
            "late",
            f"the action '{self.plan.code.key}' returned {late:.1f} s after its deadline: it "
            "blocks",
        )
        return self.asked.how.deadline.passed(Sent.UNKNOWN)

    def _enter(self, call: Call) -> None:
        """Enter the action. From here on the attempt counts as sent, unless the client reports its
        requests.
        """
        if not self.plan.reports:
            if call.gate is not None:
                call.wait_for_slot()
            call.check()
            call.begun = True
        call.entered = True

    def _call(self, arguments: tuple[Any, ...], call: Call) -> Any:
        before, failed = set_current(call), True
        try:
            self._enter(call)
            output = self._ended(self.plan.code.function(*arguments), call)
            failed = False
            return output
        finally:
            call.ended = True
            if failed:
                call.drop_answers()
            reset_current(before)

    def _ended(self, output: Any, call: Call) -> Any:
        """Return an action's output as JSON, and store its files. No files are stored for a success
        whose response could not be read.
        """
        if call.unread is not None:
            is_secret = self.conceals or self.plan.secrets[0]
            self.unread = left(
                output,
                call,
                self.plan.action.inputs,
                self.inputs,
                self.redactor,
                is_secret=is_secret,
            )
            return _NOTHING
        if self.plan.code.returns_files:
            from jackfield.connector.streamed import store_files

            store_files(output, call.files)
        return dumped_or_fault(output)

    async def _await(self, arguments: tuple[Any, ...], call: Call) -> Any:
        import asyncio

        try:
            with entered(call):
                self._enter(call)
                async with asyncio.timeout(max(0.0, call.deadline.remaining())):
                    with CONTAINED:
                        output = await self.plan.code.function(*arguments)
                if self.plan.code.returns_files or call.unread is not None:
                    with CONTAINED:
                        return await asyncio.to_thread(self._ended, output, call)
        finally:
            call.ended = True
        return dumped_or_fault(output)

    def _succeeded(
        self, call: Call, started: float, output: Mapping[str, Any] | InvalidOutput
    ) -> Mapping[str, Any]:
        """Record a successful attempt, and return its output. An action that succeeds without any
        request counts as begun.
        """
        event = certainty.SUCCEEDED if call.begun else certainty.UNREPORTED
        call.begun = True
        self.tally.known |= certainty.TABLE[self.kind, event].adds
        self.remarks.take(call, unclear=self.tally.known & certainty.UNCLEAR != 0)
        self._note(call, started, "succeeded")
        if isinstance(output, InvalidOutput):
            raise self.unusable(output) from None
        return output

    def _weigh(self, error: JackfieldError, call: Call) -> None:
        silent = not call.begun
        weigh(error, call, reports=self.plan.reports)
        # what a read has sent decides nothing
        if silent and call.begun and self.declared != "read":
            self._blame("begin", _UNMAPPED if error.code == "internal" else _NOT_BEGUN)

    def _call_for(self, deadline: Deadline, *, stores: bool = True) -> Call:
        """Create the call of one attempt; with ``stores`` it can store files. All attempts of an
        invocation share one idempotency key.
        """
        shared, row, how, code = self.dependencies, self.asked.row, self.asked.how, self.plan.code
        channel, reads = how.channel if stores else None, self.declared == "read"
        self.tally.tried += stores
        marking = row.marking if stores and code.marker is not None and row is not None else None
        keeps = stores and shared.files.enabled
        return Call(
            deadline,
            how.cancelled,
            permissions=code.permissions,
            invocation_id=how.meta.invocation_id,
            key=self.key,
            workspace=shared.workspace,
            files=Outputs(
                shared.files, shared.workspace, how.caller.name, how.claimed, self.returned
            )
            if keeps
            else None,
            observe=shared.observe,
            takes_unread=not reads and code.job is None,
            follows=self.tally.known & certainty.ANSWERED != 0,
            only_hosts=shared.only_hosts,
            events=AttemptEvents()
            if channel is None
            else channel.reader(self.opening, how.deadline, reads=reads, in_loop=code.is_async),
            exchanges=self.tally.exchanges if stores else None,
            sees_bodies=self.tally.sees_bodies,
            progress=None
            if how.follow is None or not stores or self.conceals
            else ProgressWords(how.follow, lambda: self.redactor),
            answer=shared.answers.get(self.plan.manifest.key),
            ask_caller=how.ask_caller,
            mark=None if marking is None else self.tally.marking(marking),
        )

    def _done(self) -> tuple[Answered, ...]:
        """Return the requests of the current attempt that have succeeded and that must not be
        repeated by another invocation.
        """
        return (
            tuple(self.current.done)
            if self.current is not None and self._ends_in_doubt(self.effect)
            else ()
        )

    @property
    def effect(self) -> Effect:
        """Effect of the action; ``write`` if the action is idempotent by a key that its client did
        not use.
        """
        # without a request, no key was needed
        begun = self.current is not None and self.current.begun
        if self.plan.code.idempotent_by != "key" or self.key.used or not begun:
            return self.declared
        text = (
            f"the action '{self.plan.code.key}' is idempotent by its key, but its client did "
            "not read 'Call.idempotency_key'"
        )
        self._blame("key", text)
        return "write"

    def _blame(self, what: str, text: str) -> None:
        """Log a connector author's mistake, once per open connection."""

        def log() -> bool:
            AUTHORS.error("the connector '%s' has a bug: %s", self.plan.connector.key, text)
            return True

        once = (
            log
            if self.opening is None
            else partial(self.opening.cache.cached, ("blamed", self.plan.connector.key, what), log)
        )
        once()

    def _log_error(self, text: str, fault: Exception) -> None:
        log_error(
            self.asked.how.meta.invocation_id,
            text,
            fault,
            self.redactor,
            self.asked.invocation.inputs,
        )
