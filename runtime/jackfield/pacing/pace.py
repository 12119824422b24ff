"""Pace shared by many callers: for a provider's account, in all threads and processes of a
workspace, or for an action over a connection.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.connector.context import Call, entered
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.fork import ProcessLocal, new_locks
from jackfield.pacing.line import LEASE, Line
from jackfield.pacing.state import (
    HELD,
    UNANSWERED,
    Lease,
    MemoryRow,
    PaceRow,
    PaceState,
    PlaceGrant,
    PlaceRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.connector.budget import Limits
    from jackfield.connector.context import Leases
    from jackfield.kernel.clock import Clock, Deadline
    from jackfield.wire.guard import OnlyHosts

    Change = Callable[[Callable[[PaceState, float], Any]], Any]
    Shared = Callable[[tuple[str, str, str], Callable[[], Mapping[str, str]]], PaceRow]

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.pace")
REFRESH = 0.4
"""Seconds after which a waiting process checks for changes of the rate by others."""
_INSTANT = 1e-6
"""Minimum seconds over which demand is measured."""
_LIMIT = 1000
"""Maximum number of accounts whose pace is cached in memory."""
_PARTS = 256
"""Maximum number of parts of one action over one connection, such as buckets, whose pace is
cached.
"""


class Pace(ProcessLocal):
    """Pace in this process. Thread-safe; concurrent callers share one transaction.

    A process with many calls leases places in advance, and assigns them from memory. ``learns``: no
    limits are stated, so no places are requested before the provider throttles.
    """

    def __init__(self, row: PaceRow, clock: Clock, *, is_fast: bool, learns: bool = False) -> None:
        self._row = row
        self._clock = clock
        self.is_fast = is_fast
        """True if a change is faster than a switch to a thread."""
        self.connection: str | None = None
        """Name of the connection that used it last; None if that has no name."""
        self._line: tuple[float, float, float | None] = (0.0, 0.0, None)
        self._ahead = 0.0
        self._seen_at = float("-inf")
        self._pending: list[PlaceRequest] = []
        self._mutex = threading.Lock()
        self._leader = threading.Lock()
        self._lease: Lease | None = None
        self._asked = self._demand = 0.0
        self._asked_since = float("-inf")
        self._learns, self._free, self._free_since = learns, 0, float("-inf")

    @property
    def is_free(self) -> bool:
        """True if a call would not wait now."""
        return self._learns and self._line[2] is None

    def free(self) -> bool:
        """Count a call and return True if nothing limits it and no stated limits exist; else return
        False.
        """
        if not self._learns or self._line[2] is not None:
            return False
        now = self._clock.monotonic()
        if now - self._free_since >= 1:
            self._free_since, self._free = now, 0
        self._free += 1
        return True

    def ask(self, request: PlaceRequest) -> PlaceGrant:
        """Request a place in the line; return the answer."""
        if self.at_once(request):
            return request.grant
        with self._mutex:
            self._pending.append(request)
        with self._leader:
            if request.grant is UNANSWERED:
                self._answer_pending()
        return request.grant

    def at_once(self, request: PlaceRequest) -> bool:
        """Answer a request if this needs no transaction; return False otherwise."""
        if self.is_fast:
            self._change(lambda state, now: state.ask(request, now))
            return True
        with self._mutex:
            return self._granted(request)

    def _leave_to_parent(self) -> None:
        new_locks(self)
        self._lease, self._pending = None, []

    def _answer_pending(self) -> None:
        """Answer the waiting requests from a lease that the last leader has acquired, or in a
        transaction that acquires the next lease.
        """
        held, now = self._lease, self._clock.monotonic()
        if (
            held is not None
            and held.paced
            and now - self._seen_at > LEASE
            and self.due_in(held.end) > -LEASE
        ):
            self._change(lambda state, now: state.line.grow(now))
        with self._mutex:
            batch, self._pending = (
                [request for request in self._pending if not self._granted(request)],
                [],
            )
            wanted = self._estimate_demand(batch)
        if batch:
            self._settle(
                lambda state, now: state.ask_all(batch, now),
                wanted,
                min(request.cost for request in batch),
            )

    def _estimate_demand(self, batch: Sequence[PlaceRequest]) -> float:
        """Return the estimated demand during a lease: the demand since the last lease, or at least
        half of the previous estimate.
        """
        now = self._clock.monotonic()
        elapsed, asked = (
            now - self._asked_since,
            self._asked + sum(request.cost for request in batch),
        )
        self._asked, self._asked_since = 0.0, now
        self._demand = max(self._demand / 2, min(2 * asked, asked * LEASE / max(elapsed, _INSTANT)))
        return self._demand

    def _granted(self, request: PlaceRequest) -> bool:
        """Grant a request from the lease; return False if the lease has no place that comes due in
        time.
        """
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
            if base_at + (position - base) / rate > now + (
                min(request.within, HELD) if request.queued else request.within
            ):
                return False
        if start + request.cost > lease.end:
            return False
        lease.start, lease.used = start + request.cost, lease.used + request.cost
        self._asked += request.cost
        request.grant = PlaceGrant("granted", position)
        return True

    def due_in(self, position: float) -> float:
        """Return the seconds until a position comes due, negative if it is overdue."""
        base, base_at, rate = self._line
        return (
            base_at
            + ((position - base) / rate if rate else 0.0)
            - self._ahead
            - self._clock.monotonic()
        )

    def refresh(self) -> None:
        """Read changes by other processes, and let a lowered rate recover."""
        if self.is_stale:
            self._change(lambda state, now: state.line.grow(now))

    @property
    def is_stale(self) -> bool:
        """True if other processes may have changed the rate."""
        return self._clock.monotonic() - self._seen_at > REFRESH

    @property
    def rate(self) -> float | None:
        """Current calls per second; None if the account is not paced."""
        return self._line[2]

    @property
    def held(self) -> float:
        """Seconds for which no place comes due, since the provider has requested a wait; 0 if it
        has not.
        """
        return max(0.0, self._line[1] - self._ahead - self._clock.monotonic())

    def throttled(self, began: float, retry_after: float | None) -> None:
        """Record that the provider throttled an attempt that began at ``began`` (monotonic)."""
        with self._leader:
            self._settle(lambda state, now: state.throttled(began + self._ahead, now, retry_after))

    def mark(self) -> None:
        """Let the next place of a declared rate come due one interval from now at the earliest."""
        self._change(lambda state, now: state.line.mark(now))

    def earliest(self) -> float:
        """Return the seconds until the next free place comes due."""
        return self._change(lambda state, now: max(0.0, state.line.due(state.line.next) - now))

    def delayed(self, seconds: float) -> None:
        """Move later slots, because a call begins ``seconds`` after its own slot."""
        self._change(lambda state, now: state.line.delayed(seconds, now))

    def given_back(self, position: float | None, cost: float) -> None:
        """Return a grant that was not used."""
        with self._leader:
            self._settle(lambda state, _now: state.given_back(position, cost))

    def quota_used_up(self) -> None:
        """Record that the provider reports the quota as used up."""
        with self._leader:
            self._settle(lambda state, _now: state.quota.refuse())

    def plan(self, per_day: Sequence[float], cost: float) -> tuple[int, float] | None:
        """Count a call of a warm-up plan; None if it is allowed. Otherwise return the number of
        today in the plan and the end of today.
        """
        return self._change(lambda state, now: state.plan(per_day, cost, now))

    def read(
        self,
        limits: Callable[[], Limits | None],
        deadline: Deadline,
        only_hosts: OnlyHosts | None = None,
    ) -> Exception | None:
        """Read the provider's limits and store them. Return the failure, which changes nothing;
        None after a success.
        """
        with entered(Call(deadline, only_hosts=only_hosts)):
            found = attempt(limits)
        fault = found.error if isinstance(found, Raised) else None
        stated = None if isinstance(found, Raised) else found
        if fault is not None:
            note_unread(fault)
        with self._leader:
            self._settle(lambda state, now: state.read(stated, now))
        return fault

    def _settle(
        self, change: Callable[[PaceState, float], object], wanted: float = 0.0, cost: float = 1.0
    ) -> None:
        """Apply a change. Return the lease's places first, unless they still serve ``cost``, and
        lease others if ``wanted``.

        The caller must hold the lock ``_leader``.
        """
        with self._mutex:
            held, self._lease = self._lease, None

        def settled(state: PaceState, now: float) -> Lease | None:
            is_kept = held is not None and state.renewed(held, cost, now)
            change(state, now)
            return held if is_kept and state.quota.read_at is not None else state.lease(wanted, now)

        self._lease = self._change(settled)

    def rides(self) -> bool:
        """Return whether a request may be answered in the transaction that begins its call
        (``join``): the row allows it, and there are too few callers for leases. If True, the
        request counts as made.
        """
        if not self._row.rides:
            return False
        with self._mutex:
            now = self._clock.monotonic()
            if self._lease is not None or self._pending or now - self._asked_since < LEASE:
                return False
            self._asked, self._asked_since, self._demand = 0.0, now, self._demand / 2
            return True

    def join(self, transaction: Any, change: Callable[[PaceState, float], T]) -> T:
        """Apply a change in another's transaction. If the transaction is rolled back, only this
        process has seen the change.
        """
        return self._change(change, partial(self._row.joined, transaction))

    def _change(self, change: Callable[[PaceState, float], T], by: Change | None = None) -> T:
        def noted(state: PaceState, now: float) -> T:
            if self._free:
                state.quota.note(
                    self._free if self._clock.monotonic() - self._free_since < 1 else 0, now
                )
                self._free = 0
            value = change(state, now)
            self._line = (state.line.base, state.line.base_at, state.line.rate)
            return value

        found: tuple[T, PaceState, float] = (by or self._row.change)(noted)
        value, _, now = found
        self._ahead = self._row.ahead(now)
        self._seen_at = self._clock.monotonic()
        return value


class Paces(ProcessLocal):
    """Cache of the paces of one workspace."""

    def __init__(
        self, clock: Clock, only_hosts: OnlyHosts | None = None, shared: Shared | None = None
    ) -> None:
        self.only_hosts = only_hosts
        """Hosts that the workspace's runtime is limited to, also while limits are read."""
        self._clock = clock
        self.shared = shared
        """Returns the row of an account that all processes share; None: each process paces
        alone.
        """
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._found: OrderedDict[tuple[str, str, str], Pace] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, connector: str, budget: str, scope: str) -> Pace:
        """Return the pace of an account; the least recently used paces are dropped first."""
        key = (connector, budget, scope)
        with self._lock:
            found = self._found.get(key)
            if found is None:
                found = self._found[key] = self._new(key)
                if len(self._found) > _LIMIT:
                    self._found.popitem(last=False)
            self._found.move_to_end(key)
        return found

    def _new(self, key: tuple[str, str, str]) -> Pace:
        if self.shared is None:
            return Pace(MemoryRow(self._clock), self._clock, is_fast=True)
        connector, budget, _ = key

        def about() -> dict[str, str]:
            named = {} if pace.connection is None else {"connection": pace.connection}
            return {"connector": connector, **named, "budget": budget}

        pace = Pace(self.shared(key, about), self._clock, is_fast=False)
        return pace


class _Parts(ProcessLocal):
    """Cache of the paces of parts of one action over one connection; the least recently used are
    dropped first. Thread-safe.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._paces: OrderedDict[str, Pace] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, part: str) -> Pace:
        """Return the pace of a part."""
        with self._lock:
            found = self._paces.get(part)
            if found is None:
                found = self._paces[part] = _learned(self._clock)
                if len(self._paces) > _PARTS:
                    self._paces.popitem(last=False)
            self._paces.move_to_end(part)
        return found


def pace_of(
    leases: Leases,
    key: tuple[str, str],
    clock: Clock,
    inputs: Mapping[str, Any],
    by: Sequence[str],
    declared: float | None,
) -> Pace:
    """Return the pace of an action over a connection, cached in ``leases``, or of the part of the
    action that the inputs in ``by`` name.

    A rate that the action declares is the account's, and applies to all parts.
    """
    if declared is not None or not by:
        pace: Pace = leases.cached(("pace", *key), lambda: _learned(clock, declared))
        return pace
    parts: _Parts = leases.cached(("pace", *key), lambda: _Parts(clock))
    return parts.find("\0".join([str(inputs.get(name)) for name in by]))


def _learned(clock: Clock, declared: float | None = None) -> Pace:
    return Pace(
        MemoryRow(clock, PaceState(Line(learns=True, declared=declared))),
        clock,
        is_fast=True,
        learns=True,
    )


def note_unread(fault: Exception) -> None:
    """Log that an author's function that pacing called has failed."""
    _LOG.info("a limit of the provider could not be read: %s", type(fault).__name__)
