"""Turn of one call: its place in the line of its provider's account, or of its action over its
connection, and the wait for this place.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from jackfield.kernel.clock import Deadline, iso
from jackfield.kernel.errors import Cancelled, JackfieldError, QuotaExceeded, RateLimited, Sent
from jackfield.kernel.failures import Raised, attempt
from jackfield.pacing.pace import REFRESH, Pace, note_unread
from jackfield.pacing.state import UNANSWERED, PlaceGrant, PlaceRequest

if TYPE_CHECKING:
    from jackfield.connector.actions import Action
    from jackfield.connector.budget import Budget, Warmup
    from jackfield.connector.context import Leases
    from jackfield.pacing.pace import Paces
    from jackfield.pacing.state import PaceState
    from jackfield.wire.guard import OnlyHosts

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.pace")
_LEAD = 0.02
"""Seconds before its slot at which an invocation is recorded as begun; recording takes a few
milliseconds.
"""
_LATE = 0.01
"""Maximum seconds by which a call may begin after its slot without moving the slots behind it."""
_TOO_LATE = 0.05
"""Maximum seconds by which a call may begin after its slot."""
_SOON = 1e-4
"""Maximum seconds that do not count as a wait, since clocks differ by as much."""
_LOOK = 5.0
"""Seconds between a wait's checks for changes of a rate that only this process has."""
_POLL = 0.02
"""Seconds between two requests of a caller that waits for the limits to be read."""
_READ_WITHIN = 3.0
"""Maximum seconds for reading the limits; at most a third of the caller's deadline."""


class PostponedError(Exception):
    """Signal that a queued invocation returns to the queue until ``at`` (seconds since 1970),
    because its slot is far away.
    """

    def __init__(self, at: float) -> None:
        super().__init__(at)
        self.at = at


class TurnWaiter(Protocol):
    """Waits of a call."""

    async def call(self, function: Callable[[], T], *, inline_ok: bool = False) -> T:
        """Call a function that may block. ``inline_ok``: the call is faster than a switch to a
        thread.
        """

    async def pause(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        """Wait for ``seconds``, or until ``cancelled`` is set."""


class TurnCaller(Protocol):
    """Call that needs a turn."""

    @property
    def waiter(self) -> TurnWaiter:
        """Waits of the call."""

    @property
    def deadline(self) -> Deadline:
        """Deadline of the call."""

    @property
    def cancelled(self) -> threading.Event:
        """Event that is set once the caller has left."""

    @property
    def claimed(self) -> object:
        """Delivery of a queued call; None for other calls."""


class Ride:
    """Turn that a call takes in the transaction of its begin, and corrects in the transaction of
    its end.

    - ``is_undone``: its place is not due yet, so turn and begin are rolled back.
    - ``late``: seconds by which the call has begun after its slot.
    """

    __slots__ = ("_pace", "_request", "_turn", "is_undone", "late")

    def __init__(self, turn: Turn, pace: Pace, request: PlaceRequest) -> None:
        self._turn, self._pace, self._request = turn, pace, request
        self.is_undone, self.late = False, 0.0

    def take(self, transaction: Any) -> bool:
        """Take the place; return False if it is not due now."""
        self._pace.join(transaction, partial(_ask, self._request))
        grant, place = self._request.grant, self._request.grant.position
        self.is_undone = grant.outcome != "granted" or (
            place is not None and self._pace.due_in(place) > _LEAD
        )
        self._turn.rode(self, None if self.is_undone else place)
        return not self.is_undone

    def correct(self, transaction: Any) -> None:
        """Move later slots by the delay with which the call began."""
        self._pace.join(transaction, lambda state, now: state.line.delayed(self.late, now))


def _ask(request: PlaceRequest, state: PaceState, now: float) -> None:
    state.ask(request, now)


class Turn:
    """Turn of one call at its provider: of its account if the action declares a budget that
    applies, else of the action over a connection.

    ``pace`` is the pace of the action over the connection. ``unread`` is called with failure,
    client and deadline if the limits cannot be read.
    """

    __slots__ = (
        "_action",
        "_call",
        "_connector",
        "_cost",
        "_granted_at",
        "_is_planned",
        "_paces",
        "_place",
        "_ride",
        "_unread",
        "account",
        "is_ready",
        "pace",
    )

    def __init__(
        self,
        call: TurnCaller,
        action: Action,
        connector: str,
        paces: Paces | None,
        pace: Pace | None,
        unread: Callable[[Exception, Any, Deadline], None],
    ) -> None:
        self._call, self._action, self._connector, self._paces, self._unread = (
            call,
            action,
            connector,
            paces,
            unread,
        )
        self.pace = pace
        self.account: Pace | None = None
        """Pace of the account, once it is known."""
        self.is_ready = False
        """True if the next attempt has its slot already."""
        self._place: float | None = None
        self._cost = 1.0
        self._granted_at = 0.0
        self._is_planned = False
        self._ride: Ride | None = None

    @property
    def _only_hosts(self) -> OnlyHosts | None:
        return None if self._paces is None else self._paces.only_hosts

    async def find_account(self, budget: Budget, values: Any, client: Any, leases: Leases) -> None:
        """Find the pace of the account. The first time this may open the database, and create the
        client of the provider's API.
        """
        paces = self._paces
        if self.account is None and paces is not None:
            seen: list[bool] = leases.cached(("paced", self._connector), list)
            find = partial(self._find, paces, budget, values, client)
            self.account = (
                find() if seen and not budget.asks_elsewhere else await self._call.waiter.call(find)
            )
            seen[:] = [True]

    def _find(self, paces: Paces, budget: Budget, values: Any, client: Any) -> Pace | None:
        name = _tried(budget.scope, values, client)
        return None if name is None else paces.find(self._connector, budget.key, name)

    async def take(
        self, values: Any, client: Any, last: JackfieldError | None, *, again: bool, always: bool
    ) -> bool:
        """Wait until shortly before the slot of the next attempt. Return True if the wait was too
        short for an open client to become stale.

        ``last`` is the error of the previous attempt; ``again``: there was a previous attempt.
        ``always``: apply a declared rate before a throttle, too.

        :raises RateLimited: if the slot would come due after the deadline; ``last`` instead, if
            there is one.
        :raises QuotaExceeded: if the daily quota, or the connection's warm-up plan, is used up.
        :raises Cancelled: if the invocation is cancelled meanwhile.
        :raises PostponedError: if a queued invocation returns to the queue.
        """
        budget, pace = self._action.budget, self.account or self.pace
        if pace is None or (self.account is None and not always and pace.free()):
            # A call with a row asks before its begin and before its attempt: count it once.
            self.is_ready = True
            return True
        is_account = self.account is not None and budget is not None
        self._cost = (_tried(self._action.cost, values) or 1.0) if is_account else 1.0
        queued = is_account and self._call.claimed is not None and not again
        grant = await self._granted(
            pace,
            PlaceRequest(self._cost, 0.0, again=again, queued=queued, always=always),
            client,
            last,
        )
        if is_account and budget is not None and not again and not self._is_planned:
            self._is_planned = True
            plan = _tried(budget.warmup, client)
            if plan is not None and self._paces is not None:
                await self._keep_to_plan(
                    pace,
                    self._paces.find(self._connector, f"{budget.key} warm-up", plan.name),
                    plan,
                    grant,
                )
        self._granted_at, self._place = self._call.deadline.clock.monotonic(), grant.position
        seconds, lead = (
            0.0 if grant.position is None else pace.due_in(grant.position),
            _LEAD if is_account and not again else _SOON,
        )
        if grant.position is not None and seconds > lead:
            await self._until(pace, grant.position, last, lead)
        if not is_account:
            self._place = None
        self.is_ready = True
        return seconds <= _LEAD

    def ride(self, values: Any, client: Any) -> Ride | None:
        """Return a turn that is taken with the begin of the call, if the account allows it and has
        few calls; None if the turn must be taken before.
        """
        budget, pace = self._action.budget, self.account
        if (
            budget is None
            or pace is None
            or self._call.claimed is not None
            or not pace.rides()
            or _tried(budget.warmup, client) is not None
        ):
            return None
        self._cost = _tried(self._action.cost, values) or 1.0
        self._is_planned = self.is_ready = True
        self._ride = Ride(self, pace, PlaceRequest(self._cost, self._call.deadline.remaining()))
        return self._ride

    def rode(self, ride: Ride, place: float | None) -> None:
        """Store the place that a ride has found. If the ride is undone, the turn is taken as
        usual.
        """
        self._place, self._granted_at, self.is_ready = (
            place,
            self._call.deadline.clock.monotonic(),
            not ride.is_undone,
        )
        self._ride = None if ride.is_undone else ride

    def mark(self) -> None:
        """Let the next place of a declared rate come due one interval from now at the earliest."""
        if self.account is None and self.pace is not None:
            self.pace.mark()

    async def failed(self, error: JackfieldError, began: float) -> None:
        """Report the error of an attempt that began at ``began`` (monotonic), so that all callers
        share its information about the rate.
        """
        pace = self.account or self.pace
        if pace is None:
            return
        if isinstance(error, RateLimited):
            await self._call.waiter.call(
                partial(pace.throttled, began, error.retry_after), inline_ok=pace.is_fast
            )
        elif isinstance(error, QuotaExceeded) and self.account is not None:
            await self._call.waiter.call(pace.quota_used_up, inline_ok=pace.is_fast)

    async def wait_for_slot(self) -> None:
        """Wait for the slot itself, right before the attempt of an action that is a coroutine."""
        pace, place = self.account, self._place
        if pace is None or place is None:
            return
        seconds = pace.due_in(place)
        if seconds > 0:
            await self._call.waiter.pause(
                min(seconds, self._call.deadline.remaining()), self._call.cancelled
            )
        if pace.due_in(place) < -_LATE:
            await self._call.waiter.call(self.hold, inline_ok=pace.is_fast)
        self._place = None

    def hold(self) -> None:
        """Block until the slot, when the first byte is about to be sent.

        If the slot has just passed, move the slots behind it. If it passed long ago (the first call
        of a process takes half a second), take a new slot: a burst of late calls would exceed the
        rate.

        :raises RateLimited: if the new slot comes due after the deadline.
        :raises Cancelled: if the invocation is cancelled meanwhile.
        """
        pace, place, deadline = self.account, self._place, self._call.deadline
        ride, self._place, self._ride = self._ride, None, None
        if pace is None:
            return
        # it was not paced when it asked, and may be now
        if place is None and deadline.clock.monotonic() - self._granted_at > _TOO_LATE:
            place = pace.ask(PlaceRequest(self._cost, deadline.remaining(), again=True)).position
        while place is not None:
            while (seconds := pace.due_in(place)) > 0:
                deadline.clock.sleep(
                    min(seconds, deadline.remaining(), REFRESH), self._call.cancelled
                )
                self._check()
                deadline.check()
                pace.refresh()
            if seconds >= -_LATE:
                return
            if seconds >= -_TOO_LATE:
                late = -seconds - _LATE
                if ride is None:
                    pace.delayed(late)
                else:
                    ride.late = late
                return
            grant = pace.ask(PlaceRequest(self._cost, deadline.remaining(), again=True))
            if grant.outcome != "granted":
                raise self._late(pace, grant.at)
            place = grant.position

    async def _granted(
        self, pace: Pace, request: PlaceRequest, client: Any, last: JackfieldError | None
    ) -> PlaceGrant:
        budget, deadline, waiter = self._action.budget, self._call.deadline, self._call.waiter
        while True:
            request.within = deadline.remaining()
            if not pace.at_once(request):
                await waiter.call(partial(pace.ask, request))
            grant = request.grant
            if grant.outcome == "granted":
                return grant
            if grant.outcome == "read" and budget is not None:
                until = deadline.clock.monotonic() + min(_READ_WITHIN, deadline.remaining() / 3)
                patience = Deadline(deadline.clock, until, deadline.seconds)
                fault = await waiter.call(
                    partial(pace.read, partial(budget.limits, client), patience, self._only_hosts)
                )
                if fault is not None:
                    self._unread(fault, client, patience)
            elif grant.outcome == "wait":
                await waiter.pause(min(_POLL, deadline.remaining()), self._call.cancelled)
            elif grant.outcome == "postponed":
                raise PostponedError(grant.at or 0.0)
            elif grant.outcome == "late":
                raise last or self._late(pace, grant.at)
            else:
                raise self._used_up(grant.at)
            self._check()
            request.grant = UNANSWERED

    async def _keep_to_plan(self, pace: Pace, row: Pace, plan: Warmup, grant: PlaceGrant) -> None:
        """Count the call in the warm-up plan of its connection, in the plan's ``row``. A call from
        the queue returns the next day.
        """
        refused = await self._call.waiter.call(
            partial(row.plan, plan.per_day, self._cost), inline_ok=row.is_fast
        )
        if refused is not None:
            number, until = refused
            await self._give_back(pace, grant.position)
            if self._call.claimed is not None:
                raise PostponedError(until)
            raise QuotaExceeded(
                f"the warm-up plan of '{plan.name}' allows {plan.per_day[number]:g} on day "
                f"{number + 1}, which leaves no room for "
                f"'{self._action.key}': nothing was sent",
                hint=(
                    f"The next day of the plan begins at {iso(until)}. Send later, or change "
                    "'warmup' of the connection."
                ),
            )

    async def _until(
        self, pace: Pace, place: float, last: JackfieldError | None, lead: float
    ) -> None:
        """Wait until shortly before a place comes due, checking now and then for changes of the
        rate.
        """
        call = self._call
        while (seconds := pace.due_in(place)) > lead:
            if seconds >= call.deadline.remaining():
                await self._give_back(pace, place)
                raise last or self._late(pace, None)
            left = seconds - lead if lead > _SOON else seconds
            look = REFRESH if self.account is not None else _LOOK
            await call.waiter.pause(left if left < look else max(look, left / 2), call.cancelled)
            if call.cancelled.is_set():
                await self._give_back(pace, place)
            self._check()
            if left >= REFRESH and pace.is_stale:
                await call.waiter.call(pace.refresh, inline_ok=pace.is_fast)

    async def _give_back(self, pace: Pace, place: float | None) -> None:
        self._place = None
        await self._call.waiter.call(
            partial(pace.given_back, place, self._cost), inline_ok=pace.is_fast
        )

    def _check(self) -> None:
        if self._call.cancelled.is_set():
            raise Cancelled("the invocation was cancelled while it waited for the rate limit")

    def _late(self, pace: Pace, at: float | None) -> RateLimited:
        rate, held, deadline = pace.rate, pace.held, self._call.deadline
        line = "account" if self.account is not None else "connection"
        cause = (
            f"the provider allows about {rate:.2g} calls a second over this {line}, and others wait"
            if rate
            else "others wait"
        )
        cure = (
            "Send fewer at a time, raise 'timeoutSeconds', or ask the provider for a higher rate."
        )
        if held >= deadline.remaining():  # no rate would help
            cause = (
                f"the provider has asked for no calls over this {line} for another "
                f"{held:.0f} s (Retry-After)"
            )
            cure = "Send it again after that, or raise 'timeoutSeconds' beyond it."
        at = deadline.clock.time() + held if at is None and held else at
        return RateLimited(
            f"the deadline of {deadline.seconds:g} s passes before '{self._action.key}' has its "
            f"turn: {cause}",
            hint=f"Nothing was sent. {cure}",
            retry_after=None if at is None else max(1.0, at - deadline.clock.time()),
            sent=Sent.NOTHING,
        )

    def _used_up(self, at: float | None) -> QuotaExceeded:
        frees = (
            f"The oldest calls that jackfield made leave it by {iso(at)}."
            if at is not None
            else "It frees up as earlier calls pass 24 hours, at the latest in 24 hours."
        )
        return QuotaExceeded(
            f"the provider's 24-hour quota leaves no room for '{self._action.key}': nothing was "
            "sent",
            hint=f"{frees} Send later, or ask the provider for a higher quota.",
        )


def _tried(step: Callable[..., T], *given: Any) -> T | None:
    """Return the value of an author's function; None if it fails, because pacing must not fail a
    call.
    """
    found = attempt(step, *given)
    if isinstance(found, Raised):
        note_unread(found.error)
        return None
    return found
