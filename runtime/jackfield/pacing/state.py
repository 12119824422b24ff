"""Arithmetic of a pace: positions in a line, the rate at which they come due, and the daily quota.

Nothing here reads a clock, waits or stores. A change is a method that takes the time, so that one transaction of the database can apply it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from jackfield.connector.budget import Limits

DAY = 86_400.0
"""Seconds over which providers count a daily quota."""
FREE = 3
"""Cost per second that is neither paced nor makes the limits be read, nor does a single call: who makes single calls needs no limits."""
READ_EVERY = 300.0
"""Seconds for which the limits that were read are used."""
_READ_USED_UP_EVERY = 30.0
"""Seconds between readings of a quota that is used up, in case it has freed up."""
_READ_UNKNOWN_EVERY = 900.0
"""Seconds until limits that could not be read, for lack of a permission mostly, are tried again."""
_READING = 5.0
"""Seconds within which a reading ends; another caller may begin one after that."""
_FILL = 0.96
"""Part of the provider's rate that is used: 4 % of a second (40 ms) absorb the jitter between a slot and the arrival of its request."""
_FIRST_RATE = 10.0
"""Rate after the first throttle of an account whose limit is not known."""
_MAX_RATE = 1000.0
"""Maximum rate of an account whose limit is not known."""
_MIN_RATE, _MIN_LEARNED = 0.5, 0.2
"""Minimum rates while the provider throttles: where its limit is known, and where not (one call every 5 s, the cap of back-off)."""
_DECREASE = 0.6
"""Factor by which a throttle lowers the rate."""
_STORM = 1.0
"""Seconds within which further throttles belong to the same storm, so that the rate to return to is kept."""
_STEP = 0.5
"""Seconds between two increases of a lowered rate."""
_RECOVER = 1.5
"""Factor of an increase far below the rate that was throttled."""
_PROBE = 0.03
"""Relative increase near that rate; each further one is larger by as much."""
_NEAR = 0.9
"""Part of the throttled rate from which increases are small."""
_IDLE = 60.0
"""Seconds without a throttle after which an account whose limit is not known is no longer paced."""
_MAX_HOLD = 60.0
"""Maximum seconds for which a provider's ``Retry-After`` holds all calls."""
_HELD = 2.0
"""Maximum seconds for which a queued invocation holds its worker while it waits for its slot."""
_EARLY = 0.5
"""Seconds before its time at which a postponed invocation is due in the queue, since workers poll."""
_POSTPONED = 300.0
"""Maximum seconds for which a queued invocation is postponed."""
_HOUR = 3600
LEASE = 0.03
"""Seconds of the rate that a process leases at most, and by which a leased slot may be used later than it comes due.

With the 10 ms by which a call may begin late, that is the part of a second that ``_FILL`` leaves free, so that no second has more calls
than the provider allows.
"""
_LEASED_FROM = 20.0
"""Rate from which slots are leased: below it, one transaction per call costs less than a slot that nobody uses."""
_QUOTA_LEASED = 0.01
"""Part of what a daily quota leaves that a process leases at most, so that the last calls of a quota are counted one by one."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Answer to a request.

    ``granted``: ``position`` is the place in the line, None if the account is not paced. ``read``: the caller is to read the limits, and to
    ask again. ``wait``: another caller reads them. ``late``: the place would come due at ``at``, which is too late. ``postponed``: a queued
    invocation is to ask again at ``at``. ``used_up``: the daily
    quota is used up until ``at``, or later if ``at`` is None.
    """

    outcome: Literal["granted", "read", "wait", "late", "postponed", "used_up"]
    position: float | None = None
    at: float | None = None


UNANSWERED = Grant("wait")
"""Answer of a request that nobody has answered yet."""


@dataclass(slots=True, eq=False)
class Request:
    """Request for a place in the line that comes due ``within`` so many seconds; ``grant`` is the answer.

    ``again``: for a retry, which never makes the limits be read. ``queued``: for a queued invocation, which can wait in the queue.
    ``always``: to keep to a declared rate before the provider throttles.
    """

    cost: float
    within: float
    again: bool = False
    queued: bool = False
    always: bool = False
    grant: Grant = UNANSWERED

    def renew(self) -> None:
        """Ask anew."""
        self.grant = UNANSWERED

    @property
    def patience(self) -> float:
        """Maximum seconds until the place comes due."""
        return min(self.within, _HELD) if self.queued else self.within


@dataclass(slots=True)
class Lease:
    """Places that a process took in advance, to hand them out without a transaction.

    Those from ``start`` to ``end`` are left; of an account that is not ``paced``, they are mere counts. ``size`` of them were counted in
    the daily quota ``at`` that time, ``used`` were handed out, ``reported`` of these are in the state.
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
    """State of one pace. All times are seconds since 1970, by the clock of the database.

    Position ``base`` comes due at ``base_at``, later ones at ``rate`` per second: positions that were given out keep their order when the
    rate changes. ``next`` is the first free position. ``rate`` is None while nothing is paced.

    ``learns``: nobody states limits, and throttles alone lower the rate. ``declared`` is the rate then, if the action declares one.
    """

    next: float = 0.0
    base: float = 0.0
    base_at: float = 0.0
    rate: float | None = None
    ceiling: float = 0.0
    lowered_at: float = 0.0
    raised_at: float = 0.0
    streak: int = 0
    throttled_at: float | None = None
    per_second: float | None = None
    per_day: float | None = None
    used: float = 0.0
    since: float = 0.0
    read_at: float | None = None
    known: bool = False
    refused: bool = False
    reading_until: float = 0.0
    delay: float = 0.0
    delayed_at: float = 0.0
    recent: float = 0.0
    recent_at: float = 0.0
    hours: dict[str, float] = field(default_factory=dict)
    postponed_to: float = 0.0
    first_day: int | None = None
    """Day of the first call of a warm-up plan, in days since 1970."""
    day: int = 0
    today: float = 0.0
    learns: bool = False
    declared: float | None = None
    raised_to: float = 0.0
    """Position up to which places that came due have raised a rate that is learned."""

    @staticmethod
    def from_json(text: str) -> PaceState:
        """Read the text of ``to_json``; members of another version are ignored, and a damaged text is a new state."""
        try:
            found: dict[str, Any] = json.loads(text)
            return PaceState(**{name: value for name, value in found.items() if name in _MEMBERS})
        except (ValueError, TypeError, AttributeError):
            return PaceState()

    def to_json(self) -> str:
        """Return the state as text."""
        return json.dumps({name: getattr(self, name) for name in _MEMBERS}, separators=(",", ":"))

    def due(self, position: float) -> float:
        """Return the time at which a position comes due."""
        return self.base_at if self.rate is None else self.base_at + (position - self.base) / self.rate

    def ask_all(self, requests: Iterable[Request], now: float) -> None:
        """Answer requests in their order."""
        for request in requests:
            self.ask(request, now)

    def ask(self, request: Request, now: float) -> None:
        """Answer a request: take the next free position, unless it comes due too late or the quota is used up."""
        self.grow(now)
        if request.always:
            self._declare(now)
        held = None if request.again or self.learns else self._reading(request.cost, now)
        request.grant = self._taken(request, now) if held is None else held

    def _reading(self, cost: float, now: float) -> Grant | None:
        """Return the answer to a caller who must wait for the limits, or who is refused by the daily quota; None for all others."""
        used_up = self.is_used_up(cost)
        age = READ_EVERY if self.known else _READ_UNKNOWN_EVERY
        due = self.read_at is None or now - self.read_at >= (_READ_USED_UP_EVERY if used_up else age)
        if due and (used_up or self.known or self.refused or (self._recent(now) and self._recent(now) + cost > FREE)):
            if now >= self.reading_until:
                self.reading_until = now + _READING
                return Grant("read")
            if self.read_at is None:
                return Grant("wait")
        if used_up:
            return Grant("used_up", at=self._frees_at(now))
        return None

    def _taken(self, request: Request, now: float) -> Grant:
        position: float | None = None
        if self.rate is not None and (request.always or self.declared is None or self.throttled_at is not None):
            position = max(self.next, self._position(now))
            at = self.due(position)
            if request.queued and at > now + _HELD:
                return Grant("postponed", at=self._postponed(at, request.cost / self.rate, now))
            if at > now + request.within:
                return Grant("late", at=at)
            self.next = position + request.cost
        self._count(request.cost, now)
        return Grant("granted", position)

    def _postponed(self, at: float, seconds: float, now: float) -> float:
        """Return the time at which a queued invocation asks again: one after another, so that they come as the rate takes them."""
        at = max(at, self.postponed_to)
        self.postponed_to = at + seconds
        return min(at, now + _POSTPONED) - _EARLY

    def lease(self, wanted: float, now: float) -> Lease | None:
        """Take the next ``wanted`` places for one process, or as many as it may; None if it may have none in advance."""
        size = min(wanted, LEASE * (_MAX_RATE if self.rate is None else self.rate))
        if self.per_day is not None:
            size = min(size, _QUOTA_LEASED * (self.per_day - self.used - self.since))
        size = size // 1
        if size < 1 or self.read_at is None or (self.rate is not None and self.rate < _LEASED_FROM):
            return None
        self.since += size
        if self.rate is None:
            return Lease(0.0, size, paced=False, at=now, size=size)
        start = max(self.next, self._position(now))
        self.next = start + size
        return Lease(start, self.next, paced=True, at=now, size=size)

    def renewed(self, lease: Lease, cost: float, now: float) -> bool:
        """Count what was handed out of a lease; return True if its places are still of use for ``cost``.

        Otherwise, and if nobody is behind them, they are given back.
        """
        self.note(lease.used - lease.reported, now)
        lease.reported = lease.used
        if lease.paced and self.next == lease.end:
            self.next = lease.start
        elif lease.paced and self.rate is not None and lease.end - cost >= max(lease.start, self._position(now) - LEASE * self.rate):
            return True
        if lease.at >= (self.read_at or 0.0):  # what was read since replaces these counts
            self.since = max(0.0, self.since - (lease.size - lease.used))
        return False

    def plan(self, per_day: Sequence[float], cost: float, now: float) -> tuple[int, float] | None:
        """Count a call of a warm-up plan; if today has no room for it, return the number of today in the plan and the end of today."""
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

    def read(self, limits: Limits | None, now: float) -> None:
        """Store the limits that the provider stated; if None, they could not be read, and the earlier limits stay in use."""
        self.read_at, self.reading_until, self.refused = now, 0.0, False
        if limits is None:
            return
        self.known, before = True, self.per_second or 0.0
        self.per_second, self.per_day, self.used, self.since = limits.per_second, limits.per_day, limits.used, 0.0
        if self.per_second is None:
            return
        cap = self.per_second * _FILL
        if self.rate is None:
            self._begin(cap, now)
        elif self.rate > cap or self.rate == before * _FILL:
            self._set_rate(cap, now)

    def throttled(self, began: float, now: float, retry_after: float | None) -> None:
        """Record that the provider throttled an attempt that began at ``began``: only one that began at the current rate lowers it."""
        first = self.throttled_at is None
        self.throttled_at, self.streak = now, 0
        self._declare(now)
        if self.rate is None:
            self.ceiling = max(_FIRST_RATE, self._recent(now) * _DECREASE)
            self._begin(self.ceiling, now)
            self.lowered_at = self.raised_at = now
        elif self.declared is None and (first or began >= self.lowered_at):
            if now - self.lowered_at > _STORM or not self.ceiling:
                self.ceiling = self.rate
            self._set_rate(max(_MIN_LEARNED if self.learns else _MIN_RATE, self.rate * _DECREASE), now)
            self.lowered_at = self.raised_at = now
        self.raised_to = self._position(now) + 1
        if retry_after is not None:
            position = self._position(now)
            self.base = self.next if 0 <= self.next - position <= 1 else position  # nobody else waits: the retry comes due at once then
            self.base_at = max(self.base_at, now + min(retry_after, _MAX_HOLD))

    def delayed(self, seconds: float, now: float) -> None:
        """Move the positions that are not due by ``seconds``, because a call begins so much later than its slot.

        Calls that one pause of the machine has delayed count once.
        """
        before = self.delay if now - self.delayed_at < seconds else 0.0
        self.delay, self.delayed_at = max(before, seconds), now
        if seconds > before:
            self.base, self.base_at = self._position(now), max(self.base_at, now) + seconds - before

    def given_back(self, position: float | None, cost: float) -> None:
        """Return a grant that was not used: its part of the quota, and its place if it has the last one."""
        self.since = max(0.0, self.since - cost)
        if position is not None and self.next == position + cost:
            self.next = position

    def quota_used_up(self) -> None:
        """Record that the provider refused a call for its daily quota: the limits are read before the next one."""
        self.read_at, self.refused = None, True

    def grow(self, now: float) -> None:
        """Raise a lowered rate as time passes without a throttle, and end the pacing where no limit is known.

        A rate that is learned rises as its places are used, because the provider may allow less than one in a second.
        """
        if self.base_at > now + _MAX_HOLD + _STEP:  # the clock was set back
            self.base_at = now
        if self.rate is None:
            return
        if self.per_second is None and now - (self.throttled_at or 0.0) > _IDLE:
            self.rate, self.throttled_at = self.declared, None
            return
        rate, used = self.rate, min(self.next, self._position(now))
        while now - self.raised_at >= _STEP and rate < self._cap and (used > self.raised_to or not self.learns):
            self.raised_at += _STEP
            self.raised_to += 1
            self.streak += 1
            rate *= _RECOVER if rate * _RECOVER <= self.ceiling * _NEAR else 1 + _PROBE * self.streak
        if rate != self.rate:
            self._set_rate(rate, now)

    @property
    def _cap(self) -> float:
        """Highest rate: what the provider states, or what is worth limiting."""
        return self.declared or (_MAX_RATE if self.per_second is None else self.per_second * _FILL)

    def is_used_up(self, cost: float) -> bool:
        """Return whether the daily quota leaves no room for ``cost``."""
        return self.per_day is not None and self.used + self.since + cost > self.per_day

    def mark(self, now: float) -> None:
        """Let the next place of a declared rate come due as if the call that begins now had one."""
        self._declare(now)
        self.next = max(self.next, self._position(now) + 1)

    def _declare(self, now: float) -> None:
        if self.rate is None and self.declared is not None:
            self.base, self.base_at, self.rate = self.next, now, self.declared

    def _begin(self, rate: float, now: float) -> None:
        """Begin pacing: the calls of the last second count as if they had been paced."""
        self.base, self.base_at, self.rate = self.next, now, rate
        self.next += self._recent(now)

    def _set_rate(self, rate: float, now: float) -> None:
        self.base, self.base_at, self.rate = self._position(now), max(self.base_at, now), min(rate, self._cap)

    def _position(self, now: float) -> float:
        """Return the position that is due now."""
        return self.base + max(0.0, now - self.base_at) * (self.rate or 0.0)

    def _recent(self, now: float) -> float:
        return self.recent if 0 <= now - self.recent_at < 1 else 0.0

    def _count(self, cost: float, now: float) -> None:
        self.note(cost, now)
        self.since += cost

    def note(self, cost: float, now: float) -> None:
        """Count calls of the last second and of the hours, but not in the quota."""
        if not cost:
            return
        if not 0 <= now - self.recent_at < 1:
            self.recent, self.recent_at = 0.0, now
        self.recent += cost
        hour = str(int(now // _HOUR))
        if hour not in self.hours:
            oldest = now // _HOUR - DAY // _HOUR
            self.hours = {known: count for known, count in self.hours.items() if int(known) >= oldest}
        self.hours[hour] = self.hours.get(hour, 0.0) + cost

    def _frees_at(self, now: float) -> float | None:
        """Return the time by which the oldest calls of the last 24 hours leave the quota; None if they were not made through jackfield."""
        oldest = min((int(hour) for hour in self.hours if (int(hour) + 1) * _HOUR + DAY > now), default=None)
        return None if oldest is None else (oldest + 1) * _HOUR + DAY


_MEMBERS = frozenset(member.name for member in fields(PaceState))
