"""Fourth stage, run: call the action within its deadline, its rate limit and the retry policy of its effect. The only layer of retries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.clock import Deadline
from jackfield.connector.context import MAX_WARNINGS, Answered, Call, FileStore, IdempotencyKey, Observe, entered
from jackfield.connector.conversion import dumped_or_fault
from jackfield.connector.streamed import store_files
from jackfield.errors import (
    Cancelled,
    Detail,
    InvalidOutput,
    JackfieldError,
    NotYet,
    QuotaExceeded,
    RateLimited,
    Sent,
    TimedOut,
    Unavailable,
)
from jackfield.failures import CONTAINED, contained
from jackfield.pipe.errors_map import AUTHORS, counted, explained, in_doubt, quoted, repeated, weigh
from jackfield.pipe.on_time import GRACE
from jackfield.pipe.rate import turn
from jackfield.pipe.shared_pace import await_slot, hold_for_slot
from jackfield.pipe.waiter import Until
from jackfield.redaction.logs import reason
from jackfield.retry import BASE, Backoff, Tries, may_repeat

if TYPE_CHECKING:
    from jackfield.clock import Clock
    from jackfield.connector import Action, Connector, Inputs
    from jackfield.invocation import Invocation, Meta
    from jackfield.manifest import Effect
    from jackfield.pipe.open import OpenConnection
    from jackfield.pipe.rate import Pace
    from jackfield.pipe.shared_pace import Paces, SharedPace
    from jackfield.pipe.waiter import Waiter

_TRY_SHARE = 3
"""An attempt that may be repeated gets one third of the time left, so that an attempt that hangs leaves time for further, shorter ones.

Of an idempotent action only the first one does: the second gets all the time left, since a provider that is slow rather than
hung would otherwise carry out each of them, and answer none in time."""
_MIN_TRY = 1.0
"""Minimum seconds for such an attempt, if there is that much time: the first one of a process imports the SDK, too."""

_OPEN_FOR = 1.0
"""Seconds for which a client may wait for its attempt: it may hold credentials that expire."""
_MAX_LOGGED = 100
"""Limit of attempts of one invocation recorded in the journal."""


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(slots=True)
class Run:
    """Execution of one invocation's action, from its first attempt to its last."""

    invocation: Invocation
    waiter: Waiter
    connector: Connector
    action: Action
    values: Inputs
    opening: OpenConnection | None
    deadline: Deadline
    cancelled: threading.Event
    clock: Clock
    meta: Meta
    backoff: Backoff
    pace: Pace | None = None
    paces: Paces | None = None
    shared: SharedPace | None = None
    """Pace of the provider's account, if the action declares a budget."""
    place: float | None = None
    """Place in that line for the next attempt."""
    cost: float = 1.0
    """How much an attempt counts."""
    granted_at: float = 0.0
    is_queued: bool = False
    """True for an invocation from the queue, which may return there before it is begun."""
    is_planned: bool = False
    """True once the invocation is counted in the warm-up plan of its connection."""
    client: Any = None
    """Client that was opened ahead of the attempt: to record its start, or to find the pace."""
    opened_at: float = 0.0
    """Time at which the connection was last opened."""
    failed: int = 0
    fetched: bool = False
    current: Call | None = None
    is_recorded: bool = True
    """False if there is no journal, so that nobody reads ``log``."""
    log: list[dict[str, Any]] = field(default_factory=list)
    doubtful: bool = False
    renewed: bool = False
    unclear: bool = False
    workspace: str = ""
    done: tuple[Answered, ...] = ()
    key: IdempotencyKey = field(init=False)
    ticket: int | None = None
    """Place in the line for a slot while the provider throttles."""
    has_turn: bool = False
    """True if the next attempt has its slot already."""
    files: FileStore | None = None
    """Storage of the files that the action returns."""
    observe: Observe | None = None
    conceal: Callable[[Any], Any] = _as_it_is
    """Takes the secrets of the action's output out of an answer."""
    warnings: tuple[Detail, ...] = ()
    """What the action's calls told the caller about a success."""
    since: float | None = None
    """Start of the current attempt; None between attempts."""
    last: JackfieldError | None = None
    """Last failure of an attempt, of opening the connection or of reading the provider's limits: the cause, if the deadline then ends a
    wait."""
    failures: int = 0

    def __post_init__(self) -> None:
        self.key = IdempotencyKey(self.invocation.idempotency_key or self.meta.invocation_id)
        self.doubtful = self.unclear and self._has_derived_key

    async def opened(self) -> Any:
        """Open the connection (and lease its credentials), with retries. A dry run does nothing else.

        :raises JackfieldError: if it cannot be opened; never in doubt, since nothing of the action was sent.
        """
        if self.opening is None:
            return None
        tries, before = Tries(), (self.last, self.failures)
        while True:
            tries.made += 1
            call = self._call_for(self._patience(tries))
            try:
                self.deadline.check()
                step = partial(self.opening.client, call)
                client = await self.waiter.call(
                    step,
                    inline_ok=self.opening.is_inline_ok,
                    executor=self.action.executor,
                    until=Until(self.deadline, partial(self._late, call)),
                )
            except Exception as cause:  # noqa: BLE001 (the connection-open boundary: any exception of a connection type gets a code)
                error = explained(self.connector, cause, None, None, call, self._log_error)
            else:
                self.opened_at = self.clock.monotonic()
                self.last, self.failures = before  # what opening has overcome ends nothing
                return client
            error.sent = Sent.NOTHING  # a fault while opening is never in doubt
            self._missed(error)
            await self._wait(tries, error)

    async def next_client(self) -> Any:
        """Return the client that was opened ahead, if its credentials are as good as new, or open one."""
        client, self.client = self.client, None
        if client is None or self.clock.monotonic() - self.opened_at > _OPEN_FOR:
            client = await self.opened()
        return client

    async def page(self, values: Inputs) -> Mapping[str, Any]:
        """Call the action for one page (or its whole output), with retries.

        :raises JackfieldError: the error of the last attempt.
        """
        tries = Tries()
        error: JackfieldError | None = None
        while True:
            tries.made += 1
            try:
                await turn(self, error)
                client = await self.next_client()
                if self.action.is_async:
                    await await_slot(self)
            except JackfieldError as closed:
                raise self.verdict(closed) from None
            shares = self._declared != "idempotent" or tries.made - tries.throttled == 1
            deadline = self._patience(tries) if shares and self._repeats else self.deadline
            call = self.current = self._call_for(deadline)
            call.gate = None if self.shared is None or self.action.is_async else partial(hold_for_slot, self)
            self.has_turn = False
            started, began = self.clock.time(), self.clock.monotonic()
            self.since = started
            try:
                self.deadline.check()
                output = await self._acted(values, client, call)
                self._check_time()
            except Exception as cause:  # noqa: BLE001 (the action boundary: any exception of an action gets a code)
                error = explained(self.connector, cause, client, values, call, self._log_error)
                self._weigh(error, call)
                self._missed(error)
            else:
                self.last, self.failures = None, 0
                await self._pace_by(None, began)
                return self._succeeded(call, started, output)
            await self._pace_by(error, began)
            if self.unclear and error.code in self.action.repeat_ok:
                return self._succeeded(call, started, dumped_or_fault(self.action.output()))
            self.failed += call.begun
            self._note(call, started, error.code)
            await self._retry_or_raise(tries, error, client)

    async def _pace_by(self, error: JackfieldError | None, began: float) -> None:
        """Report the outcome of an attempt to the rate limiter, which other invocations share."""
        shared = self.shared
        if shared is not None:
            if isinstance(error, RateLimited):
                await self.waiter.call(partial(shared.throttled, began, error.retry_after), inline_ok=shared.is_fast)
            elif isinstance(error, QuotaExceeded):
                await self.waiter.call(shared.quota_used_up, inline_ok=shared.is_fast)
        elif self.pace is not None and error is None:
            self.pace.accepted(self.clock.monotonic())
        elif self.pace is not None and isinstance(error, RateLimited):
            self.pace.throttled(began, self.clock.monotonic(), error.retry_after)

    async def _retry_or_raise(self, tries: Tries, error: JackfieldError, client: Any) -> None:
        """Wait for another attempt, if one is allowed.

        :raises JackfieldError: if this failure is the last.
        """
        effect, done = self.effect, self._done()
        self.current = None  # this attempt is over and recorded
        if isinstance(error, NotYet) and self.is_queued and effect == "idempotent":
            raise error  # the queue runs it again, under the same key
        self.done = done or self.done
        self.doubtful = self.doubtful or bool(done) or (error.sent is Sent.UNKNOWN and self._ends_in_doubt(effect))
        if done and effect == "write":
            raise self.verdict(error)
        if self.unclear and error.code in {"not_found", "conflict"}:
            raise repeated(error)
        self.unclear = self.unclear or (error.sent is Sent.UNKNOWN and effect == "idempotent")
        if error.stale_credentials and error.sent is not Sent.UNKNOWN and not self.renewed and hasattr(client, "renew"):
            self.renewed = True
            client.renew()
            return
        if may_repeat(effect, error, on_doubt=self.invocation.on_doubt):
            try:
                await self._wait(tries, error)
            except JackfieldError as last:
                raise self.verdict(last) from None
            return
        raise self.verdict(error)

    async def _wait(self, tries: Tries, error: JackfieldError) -> None:
        if not (error.retryable or error.sent is Sent.UNKNOWN) or not error.repeatable or not tries.allow_another(error):
            raise error
        if isinstance(error, NotYet) and self.is_queued:
            raise error  # the queue waits, and no thread
        seconds, remaining = self.backoff.wait(tries.made, error), self.deadline.remaining()
        if isinstance(error, NotYet):
            seconds = min(seconds, max(_MIN_TRY, remaining / 2))  # ask once more shortly before the deadline
        if isinstance(error, RateLimited) and self.shared is not None:
            seconds = error.retry_after or 0.0  # the next slot is the back-off
        elif isinstance(error, RateLimited) and remaining > BASE:  # back-off must not end the retries before the deadline does
            seconds = max(min(seconds, remaining / 2), error.retry_after or 0.0, self._slot())
        if seconds >= remaining:
            raise error
        if (seconds > 0 or self.shared is None) and not self.cancelled.is_set():
            await self.waiter.pause(seconds, self.cancelled)
        if self.cancelled.is_set():
            raise error if self.unclear else Cancelled("the invocation was cancelled while it waited for its next attempt")

    def _slot(self) -> float:
        """Return the seconds until the rate limiter's next slot; 0 without a limiter, or if invocations wait in line: the slot is then
        theirs."""
        return 0.0 if self.pace is None or self.pace.waiting else self.pace.earliest(self.clock.monotonic())

    def verdict(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the run: in doubt if an attempt may have taken effect and nobody may repeat it, else ``error``.

        The only place that decides this. It asks: was anything sent that was not clearly refused, may it be repeated (its effect), and
        under whose key? A key that was derived from the invocation ends with it: another invocation would take effect again.
        ``unusable`` adds: was it answered, but not in a way that can be used?
        """
        error = self.ended(error)
        if not self.doubtful:
            return error
        done = [replace(step, returned=self.conceal(step.returned)) for step in self.done]
        doubt = in_doubt(self.action.key, error, done, answered=self.fetched)
        if self._has_derived_key and self.key.used:
            doubt.details = (*doubt.details, Detail("", f"the idempotency key sent to the provider was '{self.key.value}'"))
        return doubt

    def ended(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the run, with its cause: if ``error`` says only that the deadline passed before the next attempt, that
        is the failure before."""
        last = self.last
        if last is None:
            return error
        if isinstance(error, TimedOut) and error.unexplained and error.sent is Sent.NOTHING:
            error = last
        return counted(error, self.failures) if error is last and self.failures > 1 and not isinstance(error, NotYet) else error

    def limits_unread(self, fault: Exception, client: Any, deadline: Deadline) -> None:
        """Note why the provider's limits could not be read. That ends no run, unless no time is left after it."""
        self._missed(explained(self.connector, fault, client, None, Call(deadline), self._log_error))

    def _missed(self, error: JackfieldError) -> None:
        if error.retryable and not (isinstance(error, TimedOut) and error.unexplained):
            self.last, self.failures = error, self.failures + 1

    def unusable(self, error: JackfieldError, output: Mapping[str, Any] | None = None) -> JackfieldError:
        """Return the error that ends a run whose answer cannot be used: an action that may have changed something has not just failed.

        ``output`` is the answer, with secrets redacted.
        """
        if self._declared != "read" and (self.fetched or (self.current is not None and self.current.begun)):
            self.doubtful = True
        judged = self.verdict(error)
        if self.doubtful and output is not None:
            judged.details = (*judged.details, Detail("", f"the action returned {quoted(output)}"))
        return judged

    @property
    def _has_derived_key(self) -> bool:
        return self.action.idempotent_by == "key" and self.invocation.idempotency_key is None

    def _ends_in_doubt(self, effect: Effect) -> bool:
        return effect == "write" or (effect == "idempotent" and self._has_derived_key)

    @property
    def ends_in_doubt(self) -> bool:
        """True if an attempt with an unknown outcome leaves the invocation in doubt, if it is the last one."""
        return self._ends_in_doubt(self._declared)

    @property
    def attempts(self) -> int:
        """Number of attempts started at the provider's operation. Successful pages after the first are not counted."""
        return self.failed + self.fetched

    def interrupted(self) -> JackfieldError:
        """End the run because its process or caller stops in the middle of it; the current attempt counts. Return the error."""
        begun, leaves = self.doubtful or (self.current is not None and self.current.begun), self._ends_in_doubt(self.effect)
        if self.current is not None and self.current.begun and self.since is not None:
            self.failed += 1
            self._note(self.current, self.since, "in_doubt" if leaves else "cancelled")
        if begun and leaves:
            self.doubtful = True
            return self.verdict(Unavailable("the process stopped, or the caller disconnected, before the response was recorded"))
        return Cancelled("the process stopped, or the caller disconnected, before it ended")

    def _note(self, call: Call, started: float, outcome: str) -> None:
        """Store the request id, and a line about this attempt for the journal (for the first hundred attempts)."""
        self.since = None
        if call.request_id is not None:
            redactor = None if self.opening is None else self.opening.cache.redactor
            if redactor is not None and redactor.holds(call.request_id):  # a provider may send back what it was sent
                call.request_id = redactor.clean(call.request_id)
            self.meta.request_id = call.request_id
        if self.is_recorded and call.begun and len(self.log) < _MAX_LOGGED:
            times = {"startedAt": round(started, 3), "endedAt": round(self.clock.time(), 3)}
            self.log.append({**times, "step": self.action.key, "outcome": outcome, "requestId": call.request_id})

    @property
    def _declared(self) -> Effect:
        return self.action.effect if self.action.effect_of is None else contained(self.action.effect_of, self.values)

    @property
    def _repeats(self) -> bool:
        return self._declared != "write" or self.invocation.on_doubt == "retry"

    def _patience(self, tries: Tries) -> Deadline:
        """Return the deadline of an attempt that may be repeated; the last one gets all the time left."""
        if tries.is_last:
            return self.deadline
        now = self.clock.monotonic()
        least = min(now + _MIN_TRY, self.deadline.at)
        return Deadline(self.clock, max(least, now + (self.deadline.at - now) / _TRY_SHARE), self.deadline.seconds)

    async def _acted(self, values: Inputs, client: Any, call: Call) -> Any:
        arguments = (values, client) if self.action.takes_client else (values,)
        until = Until(self.deadline, partial(self._late, call))
        if self.action.is_async:
            return await self.waiter.finished(lambda: self._await(arguments, call), until)
        return await self.waiter.call(lambda: self._call(arguments, call), executor=self.action.executor, until=until)

    def _check_time(self) -> None:
        """Refuse an answer that came too late: whoever waits at a deadline has been told that there is none.

        :raises TimedOut: if the action returned well after the deadline.
        """
        late = self.clock.monotonic() - self.deadline.at
        if late > GRACE:
            self._blame("late", f"the action '{self.action.key}' returned {late:.1f} s after its deadline: it blocks")
            raise self.deadline.passed(Sent.UNKNOWN)

    def _late(self, call: Call) -> JackfieldError:
        """Log that an attempt goes on in its thread, and return the error that ends it here. Code that is entered may have sent something
        without saying so."""
        identifier, seconds = self.meta.invocation_id, self.deadline.seconds
        AUTHORS.error(
            "invocation %s: '%s' of the connector '%s' still runs after its deadline of %g s: it blocks, and goes on in its thread",
            identifier, self.action.key, self.connector.key, seconds,
        )  # fmt: skip
        return self.deadline.passed(Sent.UNKNOWN if call.begun or call.entered else Sent.NOTHING)

    def _enter(self, call: Call) -> None:
        """Enter the action. This counts as sent unless the client announces its requests."""
        if not self._reports:
            call.wait_for_slot()
            call.check()
            call.begun = True
        call.entered = True

    def _call(self, arguments: tuple[Any, ...], call: Call) -> Any:
        with entered(call):
            self._enter(call)
            output = self.action.function(*arguments)
            if self.action.returns_files:
                store_files(output, self.files)
        return dumped_or_fault(output)

    async def _await(self, arguments: tuple[Any, ...], call: Call) -> Any:
        import asyncio

        with entered(call):
            self._enter(call)
            async with asyncio.timeout(max(0.0, call.deadline.remaining())):
                with CONTAINED:
                    output = await self.action.function(*arguments)
                    if self.action.returns_files:
                        await asyncio.to_thread(store_files, output, self.files)
        return dumped_or_fault(output)

    def _succeeded(self, call: Call, started: float, output: Mapping[str, Any] | InvalidOutput) -> Mapping[str, Any]:
        """Record a successful attempt, which therefore had begun, and return its output."""
        if not call.begun:
            if self._declared != "read":  # a read may need no request for its answer
                self._blame_begin()
            call.begun = True
        self.fetched = True
        if call.warnings:
            self.warnings = (*self.warnings, *call.warnings)[:MAX_WARNINGS]
        self._note(call, started, "succeeded")
        if isinstance(output, InvalidOutput):
            raise self.unusable(output) from None
        return output

    def _weigh(self, error: JackfieldError, call: Call) -> None:
        silent = not call.begun
        weigh(error, call, reports=self._reports)
        if silent and call.begun:
            self._blame_begin()

    def _call_for(self, deadline: Deadline) -> Call:
        """Create the call of one attempt; all attempts of an invocation share one idempotency key."""
        return Call(
            deadline,
            self.cancelled,
            permissions=self.action.permissions,
            invocation_id=self.meta.invocation_id,
            key=self.key,
            workspace=self.workspace,
            files=self.files,
            observe=self.observe,
        )

    def _done(self) -> tuple[Answered, ...]:
        """Return the requests of the current attempt that have succeeded and that no other invocation may repeat."""
        return tuple(self.current.done) if self.current is not None and self._ends_in_doubt(self.effect) else ()

    @property
    def effect(self) -> Effect:
        """Effect of the action; ``write`` if it is idempotent by a key that its client did not use."""
        entered = self.current is not None and self.current.entered
        if self.action.idempotent_by != "key" or self.key.used or not entered:
            return self._declared
        self._blame("key", f"the action '{self.action.key}' is idempotent by its key, but its client did not read 'Call.idempotency_key'")
        return "write"

    @property
    def _reports(self) -> bool:
        return self.opening is not None and type(self.opening.kind).reports_begin and self.action.takes_client

    def _blame_begin(self) -> None:
        self._blame("begin", "its connection type sets 'reports_begin', but an attempt ended without 'Call.begin()', so it counts as sent")

    def _blame(self, what: str, text: str) -> None:
        """Log an author's mistake, once per open connection."""

        def log() -> bool:
            AUTHORS.error("the connector '%s' has a bug: %s", self.connector.key, text)
            return True

        if self.opening is not None:
            self.opening.cache.cached(("blamed", self.connector.key, what), log)
        else:
            log()

    def _log_error(self, text: str, fault: Exception) -> None:
        redactor = self.opening.cache.redactor if self.opening is not None else None
        AUTHORS.error("invocation %s: %s: %s", self.meta.invocation_id, text, reason(fault, redactor, self.invocation.inputs))
