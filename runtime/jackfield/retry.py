"""Number of attempts and the waits between them.

``call/certainty`` has the table by which an attempt may be repeated (docs/concepts.md). The order
of the rules is in ``Attempts._retry_or_raise``, except for ``repeat_ok``, which
``Attempts._attempt`` applies before them; ``errors_map.weigh`` determines the state of the request.
"""

from __future__ import annotations

from typing import Protocol

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError, NotYet, RateLimited

BASE = 0.1
"""Maximum of the first wait, in seconds."""
CAP = 5.0
"""Maximum back-off in seconds; reached by throttled calls, which have no limit of attempts."""
TRIES = 6
"""Maximum number of attempts of one page, without throttled attempts (the contract promises at
least 5 within the deadline).
"""


class _Random(Protocol):
    def random(self) -> float: ...


@dataclass(slots=True)
class Tries:
    """Counter of the attempts of one page. Throttled attempts do not count towards the limit,
    unless the caller set it: they are repeated until the deadline.
    """

    limit: int | None = None
    """Limit that the caller set; None for the default."""
    made: int = 0
    throttled: int = 0

    @property
    def is_last(self) -> bool:
        """True if this attempt is the last, unless it is throttled."""
        return self.made - self.throttled >= (TRIES if self.limit is None else self.limit)

    def allow_another(self, error: JackfieldError) -> bool:
        """Count the failure of this attempt; return False once the limit is reached."""
        if isinstance(error, NotYet if self.limit is not None else (RateLimited, NotYet)):
            self.throttled += 1
            return True
        return not self.is_last


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter: a random part of ``min(CAP, BASE * 2**n)``, but at
    least the provider's ``Retry-After``.
    """

    random: _Random

    def wait(self, tries: int, error: JackfieldError) -> float:
        """Return the seconds to wait after ``tries`` failed attempts of a page."""
        ceiling = min(CAP, BASE * float(2 ** min(tries - 1, 10)))
        return max(error.retry_after or 0.0, ceiling * self.random.random())
