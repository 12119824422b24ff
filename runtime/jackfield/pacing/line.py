"""Line of places at one provider, and the rate at which they come due: stated, declared, or derived
from throttling.

Nothing here reads a clock, waits or stores. All times are seconds since 1970, by the clock of the
process that stores the line.
"""

from __future__ import annotations

from jackfield.kernel.dataclass import dataclass

LEASE = 0.03
"""Maximum seconds of the rate that a process leases, and by which a leased place may be used late.

With the 10 ms by which a call may begin late, they fill the part of a second that ``_FILL`` leaves
free. So no second has more calls than the provider allows.
"""
_LEASED_FROM = 20.0
"""Minimum rate, per second, at which places are leased. Below it, one transaction per call costs
less than an unused place.
"""
_FILL = 0.96
"""Part of the provider's rate that is used: 4 % of a second (40 ms) absorb the jitter between a
slot and the arrival of its request.
"""
_FIRST_RATE = 10.0
"""Minimum calls per second right after the first throttle, while the limit is unknown."""
_MAX_RATE = 1000.0
"""Maximum calls per second if the limit is unknown."""
_MIN_RATE, _MIN_LEARNED = 0.5, 0.2
"""Minimum calls per second while the provider throttles: if its limit is known, and if not (one
call every 5 s, the cap of back-off).
"""
_DECREASE = 0.6
"""Factor by which a throttle lowers the rate."""
_STORM = 1.0
"""Seconds within which further throttles belong to the same storm, so that the rate to return to is
not changed.
"""
_STEP = 0.5
"""Seconds between two increases of a lowered rate."""
_RECOVER = 1.5
"""Factor of an increase while the rate is far below the throttled rate."""
_PROBE = 0.03
"""Relative increase near the throttled rate; each further increase is larger by this number."""
_NEAR = 0.9
"""Part of the throttled rate above which increases are small."""
_IDLE = 60.0
"""Seconds without a throttle after which calls are no longer paced if no limit is known."""
_MAX_HOLD = 60.0
"""Maximum seconds for which a provider's ``Retry-After`` holds all calls."""


@dataclass(slots=True)
class Line:
    """Places in their order. Position ``base`` comes due at ``base_at``, later positions at
    ``rate`` per second. Assigned positions keep their order when the rate changes; ``next`` is the
    first free position.

    ``rate`` is None while nothing is paced. ``per_second`` is the rate that the provider states,
    ``declared`` the rate that an action declares, which applies once the provider throttles.
    ``learns``: no limits are stated, and only throttling lowers the rate.
    """

    next: float = 0.0
    base: float = 0.0
    base_at: float = 0.0
    rate: float | None = None
    per_second: float | None = None
    declared: float | None = None
    learns: bool = False
    ceiling: float = 0.0
    lowered_at: float = 0.0
    raised_at: float = 0.0
    raised_to: float = 0.0
    """Position up to which due places have raised a learned rate."""
    streak: int = 0
    throttled_at: float | None = None
    delay: float = 0.0
    delayed_at: float = 0.0

    def due(self, position: float) -> float:
        """Return the time at which a position comes due."""
        return (
            self.base_at if self.rate is None else self.base_at + (position - self.base) / self.rate
        )

    def at(self, now: float) -> float:
        """Return the position that comes due now."""
        return self.base + max(0.0, now - self.base_at) * (self.rate or 0.0)

    def is_paced(self, *, always: bool) -> bool:
        """Return whether a call needs a place. A declared rate applies after a throttle, or
        ``always``.
        """
        return self.rate is not None and (
            always or self.declared is None or self.throttled_at is not None
        )

    def leasable(self) -> float:
        """Return the number of places that a process may lease in advance."""
        rate = _MAX_RATE if self.rate is None else self.rate
        return 0.0 if rate < _LEASED_FROM else LEASE * rate

    def state(self, per_second: float | None, recent: float, now: float) -> None:
        """Set the rate that the provider states."""
        before, self.per_second = self.per_second or 0.0, per_second
        if per_second is None:
            return
        cap = per_second * _FILL
        if self.rate is None:
            self._begin(cap, recent, now)
        elif self.rate > cap or self.rate == before * _FILL:
            self._set_rate(cap, now)

    def throttled(self, began: float, now: float, recent: float, retry_after: float | None) -> None:
        """Process a throttled attempt that began at ``began``: only an attempt that began at the
        current rate lowers the rate.

        ``recent`` is the number of calls that began in the last second.
        """
        first = self.throttled_at is None
        self.throttled_at, self.streak = now, 0
        self.declare(now)
        if self.rate is None:
            self.ceiling = max(_FIRST_RATE, recent * _DECREASE)
            self._begin(self.ceiling, recent, now)
            self.lowered_at = self.raised_at = now
        elif self.declared is None and (first or began >= self.lowered_at):
            if now - self.lowered_at > _STORM or not self.ceiling:
                self.ceiling = self.rate
            self._set_rate(
                max(_MIN_LEARNED if self.learns else _MIN_RATE, self.rate * _DECREASE), now
            )
            self.lowered_at = self.raised_at = now
        position = self.at(now)
        self.raised_to = position + 1
        if retry_after is not None:
            # nobody else waits: the retry comes due at once then
            self.base = self.next if 0 <= self.next - position <= 1 else position
            self.base_at = max(self.base_at, now + min(retry_after, _MAX_HOLD))

    def delayed(self, seconds: float, now: float) -> None:
        """Move the positions that are not due by ``seconds``, because a call begins that much later
        than its slot.

        If one pause of the machine has delayed several calls, it counts once.
        """
        before = self.delay if now - self.delayed_at < seconds else 0.0
        self.delay, self.delayed_at = max(before, seconds), now
        if seconds > before:
            self.base, self.base_at = self.at(now), max(self.base_at, now) + seconds - before

    def grow(self, now: float) -> None:
        """Raise a lowered rate as time passes without a throttle, and end the pacing if no limit is
        known.

        A learned rate rises only as its places are used, because the provider may allow less than
        one call per second.
        """
        if self.base_at > now + _MAX_HOLD + _STEP:  # the clock was set back
            self.base_at = now
        if self.rate is None:
            return
        if self.per_second is None and now - (self.throttled_at or 0.0) > _IDLE:
            self.rate, self.throttled_at = self.declared, None
            return
        rate, used = self.rate, min(self.next, self.at(now))
        while (
            now - self.raised_at >= _STEP
            and rate < self._cap
            and (used > self.raised_to or not self.learns)
        ):
            self.raised_at += _STEP
            self.raised_to += 1
            self.streak += 1
            rate *= (
                _RECOVER if rate * _RECOVER <= self.ceiling * _NEAR else 1 + _PROBE * self.streak
            )
        if rate != self.rate:
            self._set_rate(rate, now)

    def declare(self, now: float) -> None:
        """Start to apply the declared rate, if there is one."""
        if self.rate is None and self.declared is not None:
            self.base, self.base_at, self.rate = self.next, now, self.declared

    def mark(self, now: float) -> None:
        """Let the next place of a declared rate come due one interval from now at the earliest."""
        self.declare(now)
        self.next = max(self.next, self.at(now) + 1)

    @property
    def _cap(self) -> float:
        """Maximum rate: the declared rate, the used part of the stated rate, or ``_MAX_RATE``."""
        return self.declared or (_MAX_RATE if self.per_second is None else self.per_second * _FILL)

    def _begin(self, rate: float, recent: float, now: float) -> None:
        self.base, self.base_at, self.rate = self.next, now, rate
        self.next += recent

    def _set_rate(self, rate: float, now: float) -> None:
        self.base, self.base_at, self.rate = (
            self.at(now),
            max(self.base_at, now),
            min(rate, self._cap),
        )
