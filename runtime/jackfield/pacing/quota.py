"""Daily quota of a provider's account, the calls that count in it, and when the provider's limits are read.

Nothing here reads a clock, waits or stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from jackfield.dataclass import dataclass, field

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
_LEASED = 0.01
"""Part of what a quota leaves that a process leases at most, so that the last calls of a quota are counted one by one."""
_HOUR = 3600
_LOW = 0.9
"""Part of a quota that is used when it is told that it runs low."""


@dataclass(slots=True)
class Quota:
    """Calls of one account, and what the provider has stated about them: ``used`` of ``per_day`` at ``read_at``, and ``since`` by us."""

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
    """Time at which it was told last that the quota runs low."""

    def needs(self, cost: float, now: float) -> Literal["read", "wait"] | None:
        """Return whether a caller is to read the limits, or to wait until another one has read them."""
        is_used_up = self.is_used_up(cost)
        age = _READ_USED_UP_EVERY if is_used_up else READ_EVERY if self.known else _READ_UNKNOWN_EVERY
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
        """Return whether the quota leaves no room for ``cost``."""
        return self.per_day is not None and self.used + self.since + cost > self.per_day

    def falls_low(self, now: float) -> bool:
        """Return whether to tell that a tenth of the quota is left, or that the provider refuses calls for it: at most once a day."""
        is_low = self.refused or (self.per_day is not None and self.used + self.since >= _LOW * self.per_day)
        if not is_low or (self.told_at is not None and now - self.told_at < DAY):
            return False
        self.told_at = now
        return True

    def leasable(self) -> float:
        """Return the number of calls that a process may count in advance; 0 before the limits were read."""
        if self.read_at is None:
            return 0.0
        return float("inf") if self.per_day is None else _LEASED * (self.per_day - self.used - self.since)

    def read(self, limits: Limits | None, now: float) -> None:
        """Store what the provider stated; if None, it could not be read, and what was stated before stays in use."""
        self.read_at, self.reading_until, self.refused = now, 0.0, False
        if limits is not None:
            self.known, self.per_day, self.used, self.since = True, limits.per_day, limits.used, 0.0

    def refuse(self) -> None:
        """Take note that the provider refused a call for its daily quota: the limits are read before the next one."""
        self.read_at, self.refused = None, True

    def give_back(self, cost: float) -> None:
        """Count less, because calls were not made."""
        self.since = max(0.0, self.since - cost)

    def within_a_second(self, now: float) -> float:
        """Return the cost of the calls that began in the last second."""
        return self.recent if 0 <= now - self.recent_at < 1 else 0.0

    def note(self, cost: float, now: float) -> None:
        """Count calls of the last second and of the hours, which are in the quota already."""
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

    def frees_at(self, now: float) -> float | None:
        """Return the time by which the oldest calls of the last 24 hours leave the quota; None if they were not made through jackfield."""
        oldest = min((int(hour) for hour in self.hours if (int(hour) + 1) * _HOUR + DAY > now), default=None)
        return None if oldest is None else (oldest + 1) * _HOUR + DAY
