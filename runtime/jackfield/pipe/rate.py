"""Rate limiting of one action over one connection: declared by the action, or learned from the provider's throttling."""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from jackfield.errors import Cancelled, JackfieldError, RateLimited
from jackfield.fork import at_fork
from jackfield.pipe.shared_pace import shared_turn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from jackfield.pipe.attempts import Attempts
    from jackfield.pipe.open import OpenConnection
    from jackfield.pipe.plan import Plan

_FIRST_RATE = 10.0
"""Attempts per second after the first throttle, unless the provider accepted more in the last second."""
_MIN_RATE = 0.2
"""Minimum attempts per second: one every 5 s, the cap of back-off (docs/concepts.md)."""
_MAX_RATE = 1000.0
"""Attempts per second above which limiting has no effect and ends."""
_DECREASE = 0.5
"""Smallest factor by which one throttle lowers the rate."""
_BACK_TO = 0.9
"""Largest factor by which one throttle lowers the rate."""
_GROWTH = 0.1
"""Relative growth per success far below the last throttled rate."""
_PROBE = 0.01
"""Relative growth per success near that rate; it accelerates with the number of successes since the last throttle."""
_WINDOW = 5.0
"""Seconds over which accepted requests are counted."""
_MIN_SPAN = 1.0
"""Minimum seconds over which a rate is averaged, since providers allow bursts."""
_MAX_ACCEPTED = 512
"""Maximum number of accepted requests stored."""
_MIN_ACCEPTED = 3
"""Accepted requests in the window needed for an estimate of the provider's rate."""
_IDLE = 60.0
"""Seconds without a throttle and without waiting invocations, after which limiting ends."""
_MAX_HOLD = 60.0
"""Maximum seconds for which one ``Retry-After`` delays all invocations; the invocation that received it honours it in full."""
_PARTS = 256
"""Maximum number of parts of one action over one connection, such as buckets, whose pace is kept."""
_RECHECK = 1.0
"""Seconds after which invocations behind the first in line check again, because the rate may have risen."""


class Pace:
    """Rate limiter shared by all invocations of one action over one connection in this process, or of a part of it. Thread-safe.

    It does nothing until the provider throttles. From then on attempts take slots in the order in which their invocations first asked, and
    the rate adapts to the provider (AIMD): a throttle lowers it towards the rate of accepted requests; successes raise it, quickly up to
    the last throttled rate and slowly beyond. Only a throttle of an attempt that began at the current rate lowers it again, so that many
    attempts throttled at once count as one. ``per_second`` is a rate that the action declares: it replaces the learned one, and pages after
    the first always obey it.

    The caller does the waiting: ``wait`` takes a slot, or returns the seconds to sleep before asking again.
    """

    def __init__(self, per_second: float | None = None) -> None:
        self._declared = per_second
        self._rate: float | None = None
        self._ceiling = 0.0
        self._streak = 0
        self._last = self._hold = float("-inf")
        self._lowered = 0.0
        self._throttled = 0.0
        self._accepted: deque[float] = deque(maxlen=_MAX_ACCEPTED)
        self._line: list[int] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        at_fork(self)

    @property
    def is_declared(self) -> bool:
        """True if the action declares its rate."""
        return self._declared is not None

    @property
    def rate(self) -> float | None:
        """Current limit in attempts per second; None while there is none."""
        return self._rate

    @property
    def waiting(self) -> int:
        """Number of invocations in line."""
        return len(self._line)

    def join(self, ticket: int | None) -> int:
        """Join the line and return a ticket; an earlier ticket keeps its place."""
        with self._lock:
            ticket = next(self._numbers) if ticket is None else ticket
            insort(self._line, ticket)
        return ticket

    def leave(self, ticket: int) -> None:
        """Leave the line, with or without a slot."""
        with self._lock:
            place = bisect_left(self._line, ticket)
            if place < len(self._line) and self._line[place] == ticket:
                del self._line[place]

    def earliest(self, now: float) -> float:
        """Return the seconds until the next slot, regardless of the line."""
        with self._lock:
            return self._earliest(now)

    def wait(self, ticket: int, now: float) -> float:
        """Take a slot for the ticket and return 0, or return the seconds to wait before asking again."""
        with self._lock:
            place = bisect_left(self._line, ticket)
            earliest = self._earliest(now)
            if place == 0 and earliest <= 0:
                self._last = now
                return 0.0
            if place == 0:
                return earliest
            return min(earliest + place / self._current_rate, max(_RECHECK, earliest))

    def mark(self, now: float) -> None:
        """Record an attempt that did not ask for a slot."""
        with self._lock:
            self._last = max(self._last, now)

    def accepted(self, now: float) -> None:
        """Record a success."""
        with self._lock:
            self._accepted.append(now)
            rate = self._rate
            if rate is None:
                return
            if not self._line and now - self._throttled > _IDLE:
                self._rate = None
            elif self._declared is None:
                self._streak += 1
                growth = _GROWTH if rate < _BACK_TO * self._ceiling else _PROBE * (1 + self._streak / 10)
                self._rate = rate * (1 + growth) if rate < _MAX_RATE else None

    def throttled(self, began: float, now: float, retry_after: float | None) -> None:
        """Record that the provider throttled an attempt that began at ``began``."""
        with self._lock:
            self._throttled, self._streak = now, 0
            if retry_after is not None:
                self._hold = max(self._hold, now + min(retry_after, _MAX_HOLD))
            rate = self._rate
            if self._declared is not None:
                self._rate = self._declared
            elif rate is None:
                self._last = self._lowered = now
                self._rate = self._ceiling = max(_FIRST_RATE, self._estimate(now) * _BACK_TO)
            elif began >= self._lowered:
                self._lower(rate, now)

    def _lower(self, rate: float, now: float) -> None:
        self._ceiling, self._lowered = rate, now
        self._rate = max(_MIN_RATE, min(rate * _BACK_TO, max(rate * _DECREASE, self._estimate(now))))

    def _estimate(self, now: float) -> float:
        """Estimate the requests per second that the provider accepted lately; 0 if there were too few."""
        found = [at for at in self._accepted if at >= now - _WINDOW]
        return len(found) / max(_MIN_SPAN, now - found[0]) if len(found) >= _MIN_ACCEPTED else 0.0

    @property
    def _current_rate(self) -> float:
        return self._rate or self._declared or _MAX_RATE

    def _earliest(self, now: float) -> float:
        return max(0.0, self._hold - now, self._last + 1 / self._current_rate - now)


class _Parts:
    """Paces of the parts of one action over one connection; those unused for longest are dropped first. Thread-safe."""

    def __init__(self) -> None:
        self._paces: OrderedDict[str, Pace] = OrderedDict()
        self._lock = threading.Lock()
        at_fork(self)

    def find(self, part: str) -> Pace:
        """Return the pace of a part."""
        with self._lock:
            found = self._paces.get(part)
            if found is None:
                found = self._paces[part] = Pace()
                if len(self._paces) > _PARTS:
                    self._paces.popitem(last=False)
            self._paces.move_to_end(part)
        return found


def pace_of(plan: Plan, inputs: Mapping[str, Any], opening: OpenConnection) -> Pace:
    """Return the pace of a call: that of its action over its connection, or of the part of it that the inputs in ``pace_by`` name.

    A rate that the action declares is the account's, and applies to all parts.
    """
    limit, key = plan.action.rate_limit, ("pace", plan.manifest.key, plan.action.key)
    if limit is not None or not plan.code.pace_by:
        pace: Pace = opening.cache.cached(key, lambda: Pace(limit.per_second if limit is not None else None))
        return pace
    parts: _Parts = opening.cache.cached(key, _Parts)
    return parts.find("\0".join([str(inputs.get(name)) for name in plan.code.pace_by]))


async def take_turn(attempts: Attempts, last: JackfieldError | None = None, *, always: bool = False) -> None:
    """Wait until the run may begin its next attempt; return at once while the rate is not limited, unless ``always``.

    ``last`` is the error of the previous attempt; it is raised again if the deadline leaves no time for another one.

    :raises RateLimited: if the deadline would pass before the first attempt.
    :raises Cancelled: if the invocation is cancelled meanwhile.
    """
    budget = attempts.plan.code.budget
    if budget is not None and attempts.opening is not None and (attempts.turn.has_turn or (await shared_turn(attempts, budget, last))):
        return
    pace = attempts.turn.pace
    if pace is None or attempts.turn.has_turn or not (always or pace.rate is not None):
        return
    attempts.turn.ticket = pace.join(attempts.turn.ticket)
    try:
        while (seconds := pace.wait(attempts.turn.ticket, attempts.means.clock.monotonic())) > 0:
            remaining = attempts.run.deadline.remaining()
            if remaining <= pace.earliest(attempts.means.clock.monotonic()):
                raise last or _late(attempts, pace)
            await attempts.run.waiter.pause(min(seconds, remaining), attempts.run.cancelled)
            if attempts.run.cancelled.is_set():
                raise Cancelled("the invocation was cancelled while it waited for the rate limit")
    finally:
        pace.leave(attempts.turn.ticket)
    attempts.turn.has_turn = True


def _late(attempts: Attempts, pace: Pace) -> RateLimited:
    others, rate = pace.waiting - 1, pace.rate
    present = f", which currently allows about {rate:.2g} calls per second" if rate is not None else ""
    behind = f"; {others:,} more are waiting" if others else ""
    return RateLimited(
        f"the deadline of {attempts.run.deadline.seconds:g} s passed while '{attempts.plan.code.key}' waited: the provider throttles it on "
        f"this connection{present}{behind}",
        hint="Nothing was sent. Send fewer at a time, raise 'timeoutSeconds', or ask the provider for a higher rate.",
        retry_after=max(1.0, pace.earliest(attempts.means.clock.monotonic())),
    )
