"""What may be repeated: decided by the action's effect and by what is known to have been sent (contract §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from jackfield.errors import JackfieldError, RateLimited, Sent

if TYPE_CHECKING:
    from jackfield.manifest import Effect

__all__ = ["BASE", "CAP", "TRIES", "Backoff", "Tries", "may_repeat"]

BASE = 0.1
"""Seconds: the upper bound of the first wait."""
CAP = 5.0
"""Seconds: the longest wait that back-off asks for; throttles, which have no limit of tries, reach it."""
TRIES = 6
"""Tries of one page that were not throttled (the contract promises at least 5 within the deadline)."""


class _Random(Protocol):
    def random(self) -> float: ...


def may_repeat(effect: Effect, error: JackfieldError, *, on_doubt: Literal["report", "retry"] = "report") -> bool:
    """Return True where a failed try may be repeated; whether it is in doubt is for the run to say.

    After bytes left without a clear answer a ``write`` is not repeated, unless the caller prefers twice to not at all.
    """
    in_doubt = error.sent is Sent.UNKNOWN and effect == "write"
    return error.repeatable and (on_doubt == "retry" if in_doubt else error.retryable)


@dataclass(slots=True)
class Tries:
    """Number of tries of one page. Throttled ones do not count towards the limit: they are repeated until the deadline."""

    made: int = 0
    throttled: int = 0

    @property
    def is_last(self) -> bool:
        """Whether the present try is the last one that may fail otherwise than by a throttle."""
        return self.made - self.throttled >= TRIES

    def allow_another(self, error: JackfieldError) -> bool:
        """Count the failure of the present try; False where the limit is reached."""
        if isinstance(error, RateLimited):
            self.throttled += 1
            return True
        return not self.is_last


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with full jitter: a random part of ``min(CAP, BASE * 2**n)``, never less than the provider asked for."""

    random: _Random

    def wait(self, tries: int, error: JackfieldError) -> float:
        """Seconds to wait after ``tries`` failed tries of a page."""
        ceiling = min(CAP, BASE * float(2 ** min(tries - 1, 10)))
        return max(error.retry_after or 0.0, ceiling * self.random.random())
