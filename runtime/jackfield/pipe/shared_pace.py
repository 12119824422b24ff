"""Pacing by the provider's own limits: one pace for all calls over one account, in all threads and processes of a workspace."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.clock import Deadline, iso
from jackfield.connector.context import Call, entered
from jackfield.errors import Cancelled, JackfieldError, QuotaExceeded, RateLimited, Sent
from jackfield.failures import Raised, attempt
from jackfield.fork import at_fork, new_locks
from jackfield.pipe.pace_rows import DatabaseRow, MemoryRow, PaceRow, pace_key
from jackfield.pipe.pace_state import LEASE, UNANSWERED, Grant, Lease, PaceState, Request

if TYPE_CHECKING:
    from jackfield.clock import Clock
    from jackfield.connector.budget import Budget, Limits
    from jackfield.database import Database
    from jackfield.pipe.attempts import Attempts
    from jackfield.pipe.rate import Pace

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.pace")
_LEAD = 0.02
"""Seconds before its slot at which an invocation is recorded as begun; that takes a few milliseconds."""
_LATE = 0.01
"""Seconds by which a call may begin later than its slot without moving the slots behind it."""
_TOO_LATE = 0.05
"""Seconds by which a call may begin later than its slot at all."""
_REFRESH = 0.4
"""Seconds after which a waiting process looks for changes of the rate by others."""
_POLL = 0.02
"""Seconds between two questions of a caller that waits for the limits to be read."""
_READ_WITHIN = 3.0
"""Maximum seconds for reading the limits; at most a third of the caller's deadline."""
_INSTANT = 1e-6
"""Minimum seconds over which demand is measured."""
_LIMIT = 1000
"""Maximum number of accounts whose pace is kept in memory."""


class PostponedError(Exception):
    """Signal that a queued invocation returns to the queue until ``at`` (seconds since 1970), because its slot is far away."""

    def __init__(self, at: float) -> None:
        super().__init__(at)
        self.at = at


class SharedPace:
    """Pace of one account as this process sees it. Thread-safe; callers that ask at once share one transaction.

    A process that calls often leases the places that it is going to need, and hands them out from memory.
    """

    def __init__(self, row: PaceRow, clock: Clock, *, is_fast: bool) -> None:
        self._row = row
        self._clock = clock
        self.is_fast = is_fast
        """True if a change is faster than a switch to a thread."""
        self._line: tuple[float, float, float | None] = (0.0, 0.0, None)
        self._ahead = 0.0
        self._seen_at = float("-inf")
        self._pending: list[Request] = []
        self._mutex = threading.Lock()
        self._leader = threading.Lock()
        self._lease: Lease | None = None
        self._asked = self._demand = 0.0
        self._asked_since = float("-inf")
        at_fork(self, child=SharedPace._leave_to_parent)

    def ask(self, request: Request) -> Grant:
        """Ask for a place in the line."""
        if self.at_once(request):
            return request.grant
        with self._mutex:
            self._pending.append(request)
        with self._leader:
            if request.grant is UNANSWERED:
                self._answer_pending()
        return request.grant

    def at_once(self, request: Request) -> bool:
        """Answer a request if that takes no transaction; return False otherwise."""
        if self.is_fast:
            self._change(lambda state, now: state.ask(request, now))
            return True
        with self._mutex:
            return self._granted(request)

    def _leave_to_parent(self) -> None:
        new_locks(self)
        self._lease, self._pending = None, []

    def _answer_pending(self) -> None:
        """Answer those who wait, from a lease that the leader before has taken, or in a transaction that takes the next one."""
        held, now = self._lease, self._clock.monotonic()
        if held is not None and held.paced and now - self._seen_at > LEASE and self.due_in(held.end) > -LEASE:
            self._change(lambda state, now: state.grow(now))
        with self._mutex:
            batch, self._pending = [request for request in self._pending if not self._granted(request)], []
            wanted = self._wanted(batch)
        if batch:
            self._settle(lambda state, now: state.ask_all(batch, now), wanted, min(request.cost for request in batch))

    def _wanted(self, batch: Sequence[Request]) -> float:
        """Estimate what will be asked for during a lease: as much as since the last one, at least half the estimate then."""
        now = self._clock.monotonic()
        elapsed, asked = now - self._asked_since, self._asked + sum(request.cost for request in batch)
        self._asked, self._asked_since = 0.0, now
        self._demand = max(self._demand / 2, min(2 * asked, asked * LEASE / max(elapsed, _INSTANT)))
        return self._demand

    def _granted(self, request: Request) -> bool:
        """Grant a request from the lease, if it has a place that comes due in time."""
        lease, (base, base_at, rate) = self._lease, self._line
        monotonic = self._clock.monotonic()
        if lease is None or monotonic - self._seen_at > LEASE or lease.paced is (rate is None):
            return False
        start, position = lease.start, None
        if rate is not None:
            now = monotonic + self._ahead
            due = base + max(0.0, now - base_at) * rate
            start = max(start, due - LEASE * rate)
            position = max(start, due)
            if base_at + (position - base) / rate > now + request.patience:
                return False
        if start + request.cost > lease.end:
            return False
        lease.start, lease.used = start + request.cost, lease.used + request.cost
        self._asked += request.cost
        request.grant = Grant("granted", position)
        return True

    def due_in(self, position: float) -> float:
        """Return the seconds until a position comes due, negative if it is overdue."""
        base, base_at, rate = self._line
        return base_at + ((position - base) / rate if rate else 0.0) - self._ahead - self._clock.monotonic()

    def refresh(self) -> None:
        """Look for changes by other processes, and let a lowered rate recover."""
        if self.is_stale:
            self._change(lambda state, now: state.grow(now))

    @property
    def is_stale(self) -> bool:
        """True if other processes may have changed the rate."""
        return self._clock.monotonic() - self._seen_at > _REFRESH

    @property
    def rate(self) -> float | None:
        """Calls per second at present; None if the account is not paced."""
        return self._line[2]

    def throttled(self, began: float, retry_after: float | None) -> None:
        """Record that the provider throttled an attempt that began at ``began`` (monotonic)."""
        with self._leader:
            self._settle(lambda state, now: state.throttled(began + self._ahead, now, retry_after))

    def delayed(self, seconds: float) -> None:
        """Move later slots, because a call begins so many seconds after its own."""
        self._change(lambda state, now: state.delayed(seconds, now))

    def given_back(self, position: float | None, cost: float) -> None:
        """Return a grant that was not used."""
        with self._leader:
            self._settle(lambda state, _now: state.given_back(position, cost))

    def quota_used_up(self) -> None:
        """Record that the provider says that the quota is used up."""
        with self._leader:
            self._settle(lambda state, _now: state.quota_used_up())

    def plan(self, per_day: Sequence[float], cost: float) -> tuple[int, float] | None:
        """Count a call of a warm-up plan; if today has no room for it, return the number of today in the plan and the end of today."""
        return self._change(lambda state, now: state.plan(per_day, cost, now))

    def read(self, limits: Callable[[], Limits | None], deadline: Deadline) -> Exception | None:
        """Read the provider's limits and store them; a failure, which is returned, leaves what is known."""
        with entered(Call(deadline)):
            found = attempt(limits)
        fault = found.error if isinstance(found, Raised) else None
        stated = None if isinstance(found, Raised) else found
        if fault is not None:
            _note_unread(fault)
        with self._leader:
            self._settle(lambda state, now: state.read(stated, now))
        return fault

    def _settle(self, change: Callable[[PaceState, float], object], wanted: float = 0.0, cost: float = 1.0) -> None:
        """Apply a change after the lease's places are given back, unless they are of use for ``cost``, and lease others if ``wanted``.

        The caller leads.
        """
        with self._mutex:
            held, self._lease = self._lease, None

        def settled(state: PaceState, now: float) -> Lease | None:
            is_kept = held is not None and state.renewed(held, cost, now)
            change(state, now)
            return held if is_kept and state.read_at is not None else state.lease(wanted, now)

        self._lease = self._change(settled)

    def _change(self, change: Callable[[PaceState, float], T]) -> T:
        def noted(state: PaceState, now: float) -> T:
            value = change(state, now)
            self._line = (state.base, state.base_at, state.rate)
            return value

        value, _, now = self._row.change(noted)
        self._ahead = self._row.ahead(now)
        self._seen_at = self._clock.monotonic()
        return value


class Paces:
    """Paces of one workspace. ``database`` returns its database; None keeps them in this process."""

    def __init__(self, workspace: str, database: Callable[[], Database | None], clock: Clock) -> None:
        self._workspace = workspace
        self._database = database
        self._clock = clock
        self._begin_anew()
        at_fork(self, child=Paces._begin_anew)

    def _begin_anew(self) -> None:
        self._found: OrderedDict[tuple[str, str, str], SharedPace] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, connector: str, budget: str, scope: str) -> SharedPace:
        """Return the pace of an account; those unused for longest are dropped first."""
        key = (connector, budget, scope)
        with self._lock:
            found = self._found.get(key)
            if found is None:
                found = self._found[key] = self._new(key)
                if len(self._found) > _LIMIT:
                    self._found.popitem(last=False)
            self._found.move_to_end(key)
        return found

    def _new(self, key: tuple[str, str, str]) -> SharedPace:
        database = self._database()
        if database is None:
            return SharedPace(MemoryRow(self._clock), self._clock, is_fast=True)
        row = DatabaseRow(database, self._clock, self._workspace, pace_key(*key))
        return SharedPace(row, self._clock, is_fast=False)


@dataclass(slots=True)
class Turn:
    """Place of one call among those that its rate limits bind."""

    pace: Pace | None = None
    """Rate of the action over its connection, which is learned or declared."""
    shared: SharedPace | None = None
    """Pace of the provider's account, if the action declares a budget."""
    place: float | None = None
    """Place in that line for the next attempt."""
    cost: float = 1.0
    """How much an attempt counts."""
    granted_at: float = 0.0
    is_planned: bool = False
    """True once the call is counted in the warm-up plan of its connection."""
    ticket: int | None = None
    """Place in the line for a slot while the provider throttles."""
    has_turn: bool = False
    """True if the next attempt has its slot already."""


async def shared_turn(attempts: Attempts, budget: Budget, last: JackfieldError | None) -> bool:
    """Wait until shortly before the slot of the run's next attempt; return False if the budget does not pace this call.

    :raises RateLimited: if the slot would come due after the deadline; ``last``, the error of the attempt before, if there is one.
    :raises QuotaExceeded: if the daily quota is used up.
    :raises Cancelled: if the invocation is cancelled meanwhile.
    """
    client, paces = (await attempts.next_client()), attempts.means.paces
    if attempts.turn.shared is None and attempts.opening is not None and paces is not None:
        seen: list[bool] = attempts.opening.cache.cached(("paced", attempts.plan.connector.key), list)
        attempts.turn.shared = await attempts.run.waiter.call(
            lambda: _pace(paces, attempts, budget, client), inline_ok=bool(seen) and not budget.asks_elsewhere
        )
        seen[:] = [True]
    pace = attempts.turn.shared
    if pace is None:
        return False
    attempts.turn.cost = _attempted(attempts.plan.code.cost, attempts.values) or 1.0
    grant = await _granted(attempts, pace, budget, client, last)
    if not attempts.count and not attempts.turn.is_planned:
        attempts.turn.is_planned = True
        await _keep_to_plan(attempts, pace, budget, client, grant)
    attempts.turn.granted_at, attempts.client = attempts.means.clock.monotonic(), client
    if grant.position is not None:
        attempts.turn.place = grant.position
        if pace.due_in(grant.position) > _LEAD:
            attempts.client = None  # its credentials may expire meanwhile
            await _until(attempts, pace, grant.position, last)
    attempts.turn.has_turn = True
    return True


def _pace(paces: Paces, attempts: Attempts, budget: Budget, client: Any) -> SharedPace | None:
    """Find the pace of the account. The first time this may open the database, and create the client of the provider's API."""
    scope = _attempted(budget.scope, attempts.values, client)
    return None if scope is None else paces.find(attempts.plan.connector.key, budget.key, scope)


async def await_slot(attempts: Attempts) -> None:
    """Wait for the slot itself, right before the attempt of an action that is a coroutine."""
    pace, place = attempts.turn.shared, attempts.turn.place
    if pace is None or place is None:
        return
    seconds = pace.due_in(place)
    if seconds > 0:
        await attempts.run.waiter.pause(min(seconds, attempts.run.deadline.remaining()), attempts.run.cancelled)
    if pace.due_in(place) < -_LATE:
        await attempts.run.waiter.call(partial(hold_for_slot, attempts), inline_ok=pace.is_fast)
    attempts.turn.place = None


def hold_for_slot(attempts: Attempts) -> None:
    """Block until the slot, when the first byte is about to leave.

    If it has just passed, move the slots behind it; if it passed long ago (the first call of a process takes half a second), take a new
    one: a burst of late calls would exceed the rate.

    :raises RateLimited: if the new slot comes due after the deadline.
    :raises Cancelled: if the invocation is cancelled meanwhile.
    """
    pace, place = attempts.turn.shared, attempts.turn.place
    attempts.turn.place = None
    if pace is None:
        return
    if (
        place is None and attempts.means.clock.monotonic() - attempts.turn.granted_at > _TOO_LATE
    ):  # it was not paced when it asked, and may be now
        place = pace.ask(Request(attempts.turn.cost, attempts.run.deadline.remaining(), again=True)).position
    while place is not None:
        while (seconds := pace.due_in(place)) > 0:
            attempts.means.clock.sleep(min(seconds, attempts.run.deadline.remaining(), _REFRESH), attempts.run.cancelled)
            _check(attempts)
            attempts.run.deadline.check()
            pace.refresh()
        if seconds >= -_LATE:
            return
        if seconds >= -_TOO_LATE:
            pace.delayed(-seconds - _LATE)
            return
        grant = pace.ask(Request(attempts.turn.cost, attempts.run.deadline.remaining(), again=True))
        if grant.outcome != "granted":
            raise _late(attempts, pace, grant.at)
        place = grant.position


async def _granted(attempts: Attempts, pace: SharedPace, budget: Budget, client: Any, last: JackfieldError | None) -> Grant:
    while True:
        again = last is not None or attempts.count > 0
        request = Request(
            attempts.turn.cost, attempts.run.deadline.remaining(), again=again, queued=attempts.run.claimed is not None and not again
        )
        grant: Grant = request.grant if pace.at_once(request) else await attempts.run.waiter.call(partial(pace.ask, request))
        if grant.outcome == "granted":
            return grant
        if grant.outcome == "read":
            until = attempts.means.clock.monotonic() + min(_READ_WITHIN, attempts.run.deadline.remaining() / 3)
            patience = Deadline(attempts.means.clock, until, attempts.run.deadline.seconds)
            fault = await attempts.run.waiter.call(partial(pace.read, lambda: budget.limits(client), patience))
            if fault is not None:
                attempts.limits_unread(fault, client, patience)
        elif grant.outcome == "wait":
            await attempts.run.waiter.pause(min(_POLL, attempts.run.deadline.remaining()), attempts.run.cancelled)
        elif grant.outcome == "postponed":
            raise PostponedError(grant.at or 0.0)
        elif grant.outcome == "late":
            raise last or _late(attempts, pace, grant.at)
        else:
            raise _used_up(attempts, grant.at)
        _check(attempts)


async def _keep_to_plan(attempts: Attempts, pace: SharedPace, budget: Budget, client: Any, grant: Grant) -> None:
    """Count the call in the warm-up plan of its connection, if that has one.

    :raises QuotaExceeded: if the plan allows no more today.
    """
    plan, paces = _attempted(budget.warmup, client), attempts.means.paces
    if plan is None or paces is None:
        return
    row = paces.find(attempts.plan.connector.key, f"{budget.key} warm-up", plan.name)
    refused = await attempts.run.waiter.call(lambda: row.plan(plan.per_day, attempts.turn.cost), inline_ok=row.is_fast)
    if refused is not None:
        number, until = refused
        await attempts.run.waiter.call(partial(pace.given_back, grant.position, attempts.turn.cost), inline_ok=pace.is_fast)
        raise QuotaExceeded(
            f"the warm-up plan of '{plan.name}' allows {plan.per_day[number]:g} on day {number + 1}, which leaves no room for "
            f"'{attempts.plan.code.key}': nothing was sent",
            hint=f"The next day of the plan begins at {iso(until)}. Send later, or change 'warmup' of the connection.",
        )


async def _until(attempts: Attempts, pace: SharedPace, position: float, last: JackfieldError | None) -> None:
    """Wait until shortly before a position comes due, looking now and then for changes of the rate."""
    lead = 0.0 if attempts.count else _LEAD
    while (seconds := pace.due_in(position)) > lead:
        if seconds >= attempts.run.deadline.remaining():
            attempts.turn.place = None
            await attempts.run.waiter.call(partial(pace.given_back, position, attempts.turn.cost), inline_ok=pace.is_fast)
            raise last or _late(attempts, pace, None)
        left = seconds - lead
        await attempts.run.waiter.pause(left if left < _REFRESH else max(_REFRESH, left / 2), attempts.run.cancelled)
        if attempts.run.cancelled.is_set():
            attempts.turn.place = None
            await attempts.run.waiter.call(partial(pace.given_back, position, attempts.turn.cost), inline_ok=pace.is_fast)
        _check(attempts)
        if left >= _REFRESH and pace.is_stale:
            await attempts.run.waiter.call(pace.refresh, inline_ok=pace.is_fast)


def _check(attempts: Attempts) -> None:
    if attempts.run.cancelled.is_set():
        raise Cancelled("the invocation was cancelled while it waited for the rate limit")


def _late(attempts: Attempts, pace: SharedPace, at: float | None) -> RateLimited:
    rate, wait = pace.rate, None if at is None else max(1.0, at - attempts.means.clock.time())
    allows = f"the provider allows about {rate:.2g} calls a second over this account, and others wait" if rate else "others wait"
    return RateLimited(
        f"the deadline of {attempts.run.deadline.seconds:g} s passes before '{attempts.plan.code.key}' has its turn: {allows}",
        hint="Nothing was sent. Send fewer at a time, raise 'timeoutSeconds', or ask the provider for a higher rate.",
        retry_after=wait,
        sent=Sent.NOTHING,
    )


def _used_up(attempts: Attempts, at: float | None) -> QuotaExceeded:
    frees = (
        f"The oldest calls that jackfield made leave it by {iso(at)}."
        if at is not None
        else "It frees up as earlier calls pass 24 hours, at the latest in 24 hours."
    )
    return QuotaExceeded(
        f"the provider's 24-hour quota leaves no room for '{attempts.plan.code.key}': nothing was sent",
        hint=f"{frees} Send later, or ask the provider for a higher quota.",
    )


def _attempted(step: Callable[..., T], *given: Any) -> T | None:
    """Return the value of an author's function; None if it fails, because pacing must not fail a call."""
    found = attempt(step, *given)
    if isinstance(found, Raised):
        _note_unread(found.error)
        return None
    return found


def _note_unread(fault: Exception) -> None:
    _LOG.info("a limit of the provider could not be read: %s", type(fault).__name__)
