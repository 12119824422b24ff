"""State of a pace: the line, the quota and the warm-up plan of one account, as one transaction
changes them.

A change is a method that gets the time: it neither reads a clock nor waits nor stores. A row stores
the state, by default only in this process; ``shared_rows`` stores it in the database.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.fork import ProcessLocal
from jackfield.pacing.line import LEASE, Line

if TYPE_CHECKING:
    from jackfield.connector.budget import Limits
    from jackfield.kernel.clock import Clock

T = TypeVar("T")
DAY = 86_400.0
"""Seconds over which providers count a daily quota."""
FREE = 3
"""Number of calls per second that are neither paced nor cause the limits to be read."""
READ_EVERY = 300.0
"""Seconds for which limits stay valid after a reading."""
_READ_USED_UP_EVERY = 30.0
"""Seconds between readings of a quota that is used up, in case it has freed up."""
_READ_UNKNOWN_EVERY = 900.0
"""Seconds until limits that could not be read, mostly for lack of a permission, are read again."""
_READING = 5.0
"""Maximum seconds of a reading, after which another caller may start one."""
_LEASED = 0.01
"""Maximum part of a quota's rest that a process leases, so that the last calls of a quota are
counted one by one.
"""
_HOUR = 3600
_LOW = 0.9
"""Used part of a quota at which it is reported as running low."""


@dataclass(slots=True)
class AccountQuota:
    """Daily quota of one account: the provider stated ``used`` of ``per_day`` at ``read_at``, and
    jackfield's calls have used ``since`` more.
    """

    per_day: float | None = None
    used: float = 0.0
    since: float = 0.0
    read_at: float | None = None
    known: bool = False
    refused: bool = False
    reading_until: float = 0.0
    recent: float = 0.0
    recent_at: float = 0.0
    hours: dict[str, float] = field(default_factory=dict)
    told_at: float | None = None
    """Time at which the quota was last reported as running low."""

    def needs(self, cost: float, now: float) -> Literal["read", "wait"] | None:
        """Return whether a caller must read the limits (``read``), or wait until another caller has
        read them (``wait``); None for neither.
        """
        is_used_up = self.is_used_up(cost)
        age = (
            _READ_USED_UP_EVERY if is_used_up else READ_EVERY if self.known else _READ_UNKNOWN_EVERY
        )
        if self.read_at is not None and now - self.read_at < age:
            return None
        recent = self.within_a_second(now)
        if not (is_used_up or self.known or self.refused or (recent and recent + cost > FREE)):
            return None
        if now >= self.reading_until:
            self.reading_until = now + _READING
            return "read"
        return "wait" if self.read_at is None else None

    def is_used_up(self, cost: float) -> bool:
        """Return whether the quota is too small for a further ``cost``."""
        return self.per_day is not None and self.used + self.since + cost > self.per_day

    def falls_low(self, now: float) -> bool:
        """Return True, at most once a day, if at most a tenth of the quota is left, or the provider
        refuses calls for it.
        """
        is_low = self.refused or (
            self.per_day is not None and self.used + self.since >= _LOW * self.per_day
        )
        if not is_low or (self.told_at is not None and now - self.told_at < DAY):
            return False
        self.told_at = now
        return True

    def leasable(self) -> float:
        """Return the number of calls that a process may count in advance; 0 before the limits were
        read.
        """
        if self.read_at is None:
            return 0.0
        return (
            float("inf")
            if self.per_day is None
            else _LEASED * (self.per_day - self.used - self.since)
        )

    def read(self, limits: Limits | None, now: float) -> None:
        """Store the provider's stated limits. None: they could not be read, and the last limits
        stay in use.
        """
        self.read_at, self.reading_until, self.refused = now, 0.0, False
        if limits is not None:
            self.known, self.per_day, self.used, self.since = True, limits.per_day, limits.used, 0.0

    def refuse(self) -> None:
        """Note that the provider refused a call for its daily quota, so that the limits are read
        before the next call.
        """
        self.read_at, self.refused = None, True

    def give_back(self, cost: float) -> None:
        """Reduce the count by the cost of calls that were not made."""
        self.since = max(0.0, self.since - cost)

    def within_a_second(self, now: float) -> float:
        """Return the cost of the calls that began in the last second."""
        return self.recent if 0 <= now - self.recent_at < 1 else 0.0

    def note(self, cost: float, now: float) -> None:
        """Count calls for the last second and for the hours; the quota has counted them already."""
        if not cost:
            return
        if not 0 <= now - self.recent_at < 1:
            self.recent, self.recent_at = 0.0, now
        self.recent += cost
        hour = str(int(now // _HOUR))
        if hour not in self.hours:
            oldest = now // _HOUR - DAY // _HOUR
            self.hours = {
                known: count for known, count in self.hours.items() if int(known) >= oldest
            }
        self.hours[hour] = self.hours.get(hour, 0.0) + cost

    def frees_at(self, now: float) -> float | None:
        """Return the time by which the oldest calls of the last 24 hours leave the quota; None if
        they were not made through jackfield.
        """
        oldest = min(
            (int(hour) for hour in self.hours if (int(hour) + 1) * _HOUR + DAY > now), default=None
        )
        return None if oldest is None else (oldest + 1) * _HOUR + DAY


HELD = 2.0
"""Maximum seconds for which a queued invocation occupies its worker while it waits for its slot."""
_EARLY = 0.5
"""Seconds before its time at which a postponed invocation is due in the queue, since workers
poll.
"""
_POSTPONED = 300.0
"""Maximum seconds for which a queued invocation is postponed."""


@dataclass(frozen=True, slots=True)
class PlaceGrant:
    """Answer to a request.

    ``granted``: ``position`` is the place in the line, None if nothing is paced. ``read``: the
    caller must read the limits, and request again. ``wait``: another caller reads them. ``late``:
    the place would come due at ``at``, which is too late. ``postponed``: a queued invocation must
    request again at ``at``. ``used_up``: the daily quota is used up until ``at``, or later if
    ``at`` is None.
    """

    outcome: Literal["granted", "read", "wait", "late", "postponed", "used_up"]
    position: float | None = None
    at: float | None = None


UNANSWERED = PlaceGrant("wait")
"""Grant of a request without an answer yet."""


@dataclass(slots=True, eq=False)
class PlaceRequest:
    """Request for a place in the line that comes due ``within`` this number of seconds; ``grant``
    is the answer.

    ``again``: for a retry, which never causes the limits to be read. ``queued``: for a queued
    invocation, which can wait in the queue. ``always``: apply a declared rate before the provider
    throttles.
    """

    cost: float
    within: float
    again: bool = False
    queued: bool = False
    always: bool = False
    grant: PlaceGrant = UNANSWERED


@dataclass(slots=True)
class Lease:
    """Places that a process acquired in advance, to assign them without a transaction.

    The places from ``start`` to ``end`` are left; if no call is ``paced``, they are mere counts.
    ``size`` of them were counted in the daily quota ``at`` that time, ``used`` were assigned, and
    ``reported`` of the used places are in the state.
    """

    start: float
    end: float
    paced: bool
    at: float
    size: float
    used: float = 0.0
    reported: float = 0.0


@dataclass(slots=True)
class PaceState:
    """State of one pace. All times are seconds since 1970, by the clock of the database."""

    line: Line = field(default_factory=Line)
    quota: AccountQuota = field(default_factory=AccountQuota)
    postponed_to: float = 0.0
    first_day: int | None = None
    """Day of the first call of a warm-up plan, in days since 1970."""
    day: int = 0
    today: float = 0.0

    @staticmethod
    def from_json(text: str) -> PaceState:
        """Read the output of ``to_json``. Members of another version are ignored, and a damaged
        text gives a new state.
        """
        state = PaceState()
        try:
            found: dict[str, Any] = json.loads(text)
            for part in (state.line, state.quota, state):
                for name in _MEMBERS[type(part)] & found.keys():
                    setattr(part, name, found[name])
        except (ValueError, TypeError, AttributeError):
            return PaceState()
        return state

    def to_json(self) -> str:
        """Return the state as a string of JSON, all members on one level."""
        parts = (self.line, self.quota, self)
        return json.dumps(
            {name: getattr(part, name) for part in parts for name in _MEMBERS[type(part)]},
            separators=(",", ":"),
        )

    def ask_all(self, requests: Iterable[PlaceRequest], now: float) -> None:
        """Answer requests in order."""
        for request in requests:
            self.ask(request, now)

    def ask(self, request: PlaceRequest, now: float) -> None:
        """Answer a request: assign the next free position, unless it comes due too late or the
        quota is used up.
        """
        self.line.grow(now)
        if request.always:
            self.line.declare(now)
        if not request.again and not self.line.learns:
            needs = self.quota.needs(request.cost, now)
            if needs is not None or self.quota.is_used_up(request.cost):
                request.grant = (
                    PlaceGrant("used_up", at=self.quota.frees_at(now))
                    if needs is None
                    else PlaceGrant(needs)
                )
                return
        request.grant = self._grant_turn(request, now)

    def _grant_turn(self, request: PlaceRequest, now: float) -> PlaceGrant:
        position, line = None, self.line
        if line.rate is not None and line.is_paced(always=request.always):
            position = max(line.next, line.at(now))
            at = line.due(position)
            if request.queued and at > now + HELD:
                return PlaceGrant(
                    "postponed", at=self._postponed(at, request.cost / line.rate, now)
                )
            if at > now + request.within:
                return PlaceGrant("late", at=at)
            line.next = position + request.cost
        self.quota.note(request.cost, now)
        self.quota.since += request.cost
        return PlaceGrant("granted", position)

    def _postponed(self, at: float, seconds: float, now: float) -> float:
        """Return the time at which a queued invocation requests again. Each is later than the
        previous one, so that they arrive at the rate.
        """
        at = max(at, self.postponed_to)
        self.postponed_to = at + seconds
        return min(at, now + _POSTPONED) - _EARLY

    def lease(self, wanted: float, now: float) -> Lease | None:
        """Return the next ``wanted`` places for one process, or as many as it may lease; None if it
        may lease none.
        """
        line = self.line
        size = min(wanted, line.leasable(), self.quota.leasable()) // 1
        if size < 1:
            return None
        self.quota.since += size
        if line.rate is None:
            return Lease(0.0, size, paced=False, at=now, size=size)
        start = max(line.next, line.at(now))
        line.next = start + size
        return Lease(start, line.next, paced=True, at=now, size=size)

    def renewed(self, lease: Lease, cost: float, now: float) -> bool:
        """Count the places that a lease has assigned; return True if its other places still serve
        ``cost``.

        Otherwise return them to the line, if they are its last places.
        """
        line = self.line
        self.quota.note(lease.used - lease.reported, now)
        lease.reported = lease.used
        if lease.paced and line.next == lease.end:
            line.next = lease.start
        elif (
            lease.paced
            and line.rate is not None
            and lease.end - cost >= max(lease.start, line.at(now) - LEASE * line.rate)
        ):
            return True
        if lease.at >= (self.quota.read_at or 0.0):  # what was read since replaces these counts
            self.quota.give_back(lease.size - lease.used)
        return False

    def given_back(self, position: float | None, cost: float) -> None:
        """Return a grant that was not used: its part of the quota, and its place if it is the
        line's last place.
        """
        self.quota.give_back(cost)
        if position is not None and self.line.next == position + cost:
            self.line.next = position

    def read(self, limits: Limits | None, now: float) -> None:
        """Store the limits that the provider stated. None: they could not be read, and the earlier
        limits stay in use.
        """
        self.quota.read(limits, now)
        if limits is not None:
            self.line.state(limits.per_second, self.quota.within_a_second(now), now)

    def throttled(self, began: float, now: float, retry_after: float | None) -> None:
        """Record a throttled attempt that began at ``began``."""
        self.line.throttled(began, now, self.quota.within_a_second(now), retry_after)

    def plan(self, per_day: Sequence[float], cost: float, now: float) -> tuple[int, float] | None:
        """Count a call of a warm-up plan, and return None if it is allowed; else the number of
        today in the plan, and the end of today.
        """
        day = int(now // DAY)
        if self.first_day is None:
            self.first_day = day
        if day != self.day:
            self.day, self.today = day, 0.0
        number = max(0, day - self.first_day)
        if number < len(per_day) and self.today + cost > per_day[number]:
            return number, (day + 1) * DAY
        self.today += cost
        return None


_MEMBERS = {
    part: frozenset(part.__match_args__) - {"line", "quota"}
    for part in (Line, AccountQuota, PaceState)
}


class PaceRow(Protocol):
    """Row with the state of one pace, changed by one caller at a time."""

    rides: bool
    """True if the state may change in another's transaction, which no other call would then wait
    for.
    """

    def joined(
        self, transaction: Any, change: Callable[[PaceState, float], T]
    ) -> tuple[T, PaceState, float]:
        """Apply ``change`` as the method ``change`` does, in the given transaction."""

    def change(self, change: Callable[[PaceState, float], T]) -> tuple[T, PaceState, float]:
        """Apply ``change`` to the state at the current time; return its value, the new state and
        the time (seconds since 1970).
        """

    def ahead(self, now: float) -> float:
        """Return the seconds by which the row's clock, which has just read ``now``, is ahead of
        this process's monotonic clock.
        """


class MemoryRow(ProcessLocal):
    """Row in the memory of this process."""

    rides = False

    def __init__(self, clock: Clock, state: PaceState | None = None) -> None:
        self._clock = clock
        self._state = state or PaceState()
        self._lock = threading.Lock()

    def change(self, change: Callable[[PaceState, float], T]) -> tuple[T, PaceState, float]:
        """Apply ``change`` by this process's clock."""
        with self._lock:
            now = self._clock.time()
            return change(self._state, now), self._state, now

    def joined(
        self, transaction: Any, change: Callable[[PaceState, float], T]
    ) -> tuple[T, PaceState, float]:
        """Apply ``change``; no transaction can undo it."""
        del transaction
        return self.change(change)

    def ahead(self, _now: float) -> float:
        """Return the difference of this process's two clocks, in seconds."""
        return self._clock.time() - self._clock.monotonic()
