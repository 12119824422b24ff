"""Tally of the attempts of a call, which decides its verdict, the provider's memory of its key, and
the dependencies that a workspace's attempts share.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call import certainty
from jackfield.connector.context import MAX_WARNINGS
from jackfield.connector.failed_entries import FailedEntries
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import (
    Cancelled,
    Detail,
    InDoubt,
    JackfieldError,
    NotYet,
    Sent,
    TimedOut,
)
from jackfield.kernel.hints import NextStep
from jackfield.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.call.ports import Files
    from jackfield.connector.context import Answer, Answered, Call, Observe
    from jackfield.connector.evidence import Marker
    from jackfield.kernel.clock import Clock
    from jackfield.manifest.manifest import Effect
    from jackfield.pacing.pace import Paces
    from jackfield.wire.exchanges import Exchange
    from jackfield.wire.guard import OnlyHosts

DONE_BEFORE = {
    "not_found": (
        "nothing was found: an earlier attempt of this call may have removed it, or it has "
        "never existed"
    ),
    "conflict": (
        "it exists already: an earlier attempt of this call may have made it, or somebody else has"
    ),
}
"""Warnings of a success that the provider reported by refusing a repeated request."""
_EARLIER = Detail(
    "",
    "an earlier attempt had an unclear outcome and may have taken effect; this is the outcome of "
    "its retry",
)
_LAST = Detail("", "the outcome of the last attempt is unknown: it may have taken effect")
_EARLIER_PART = (
    "an earlier attempt of this call had an unclear outcome, and may have carried out what "
    "failed now"
)
EVERY = 0
"""Marker number of a call with ``idempotent_by="key"``. All its attempts carry this marker, since
the provider compares their requests.
"""
_MAX_LOGGED = 100
LONGEST_SHARE = 60.0
"""Maximum seconds that an attempt under an old key is expected to take. It begins only if the key
lasts that long, or until the call's deadline.
"""


def has_time(left: float, remaining: float) -> bool:
    """Return whether an attempt ends while a key is kept for ``left`` more seconds, in a call with
    so many seconds ``remaining``.
    """
    return min(LONGEST_SHARE, remaining) < left


@dataclass(frozen=True, slots=True)
class KeyLeft:
    """Key by which the provider knows a request in doubt, ``until`` a time (RFC 3339)."""

    until: str
    by_caller: bool


@dataclass(slots=True)
class KeyMemory:
    """Memory of a provider that keeps keys for ``kept`` seconds. A key is as old as the first
    attempt under it whose end is unknown. Once the provider has forgotten it, a request under it
    takes effect again.
    """

    clock: Clock
    kept: float
    by_caller: bool
    sent_at: float | None = None
    """Time of the earliest attempt of unknown end, in seconds of the monotonic clock."""

    def note(self, sent_at: float) -> None:
        """Note an attempt of unknown end."""
        self.sent_at = sent_at if self.sent_at is None else min(self.sent_at, sent_at)

    def note_ago(self, seconds: float) -> None:
        """Note an attempt of unknown end that was made so many seconds ago."""
        self.note(self.clock.monotonic() - seconds)

    def outlasts(self, remaining: float) -> bool:
        """Return whether the provider keeps the key until another attempt has ended, in a call with
        so many seconds ``remaining``.
        """
        left = self._left()
        return left is None or has_time(left, remaining)

    def left(self) -> KeyLeft | None:
        """Return the key of a request in doubt; None if the provider may have forgotten it."""
        left = self._left()
        if left is None or left <= 0:
            return None
        return KeyLeft(iso(self.clock.time() + left) or "", self.by_caller)

    def _left(self) -> float | None:
        if self.sent_at is None:
            return None
        return self.sent_at + self.kept - self.clock.monotonic()


def shares_marker(marker: Marker | None, declared: Effect, inputs: Mapping[str, Any]) -> bool:
    """Return whether all attempts of a call carry the same marker: a provider compares requests
    that have the same idempotency key.
    """
    return declared != "write" or (marker is not None and marker.is_shared(inputs))


def counted(error: JackfieldError, attempts: int) -> JackfieldError:
    """Return a copy of ``error`` that says after how many attempts it ended the run. It is a copy,
    since callers who wait for one lease share its error.
    """
    return _copied(error, f"{error.message}, {attempts} attempts")


def _copied(error: JackfieldError, message: str) -> JackfieldError:
    found = type(error).__new__(type(error))
    found.__dict__.update(error.__dict__)
    found.message = message
    found.args, found.__cause__ = (message,), error.__cause__
    return found


def repeated(error: JackfieldError, *, is_doubt: bool = False) -> JackfieldError:
    """Return a copy of ``error`` that says that its own or an earlier attempt may have taken
    effect. A refusal of a repeat is often due to that effect, whatever its code.

    ``is_doubt``: the caller turns the error into a doubt, which says so about the last attempt.
    """
    is_last = error.sent is Sent.UNKNOWN
    if isinstance(error, InDoubt) or (is_last and is_doubt) or {_EARLIER, _LAST} & {*error.details}:
        return error
    found = _copied(
        error,
        error.message
        + (
            " (it may have taken effect)"
            if is_last
            else " (an earlier attempt may have taken effect)"
        ),
    )
    found.details = (*error.details, _LAST if is_last else _EARLIER)
    if error.retryable or isinstance(error, Cancelled):
        found.hint = NextStep("send_again")
    else:
        found.hint = (
            f"{error.hint or ''} Check with the provider whether "
            f"{'it' if is_last else 'the earlier attempt'} took effect."
        ).strip()
    return found


def done_before(error: JackfieldError) -> Mapping[str, Any]:
    """Return the warning of a success without output: an earlier attempt may have taken effect, and
    the provider refused a later attempt as already done.
    """
    text = (
        "an earlier attempt of this call had an unclear outcome, and its repeat was told "
        f"that it had been done before: {error.message}"
    )
    return {
        "path": "",
        "message": (
            f"{text}. The output is missing; somebody else may have done the same, or "
            "nothing was there."
        ),
    }


def _with_earlier(warning: Detail) -> Detail:
    """Return a warning of failed entries that also says that an earlier attempt may have carried
    them out; others as they are.
    """
    is_part = isinstance(warning, FailedEntries)
    return replace(warning, message=f"{warning.message}; {_EARLIER_PART}") if is_part else warning


@dataclass(slots=True)
class Tally:
    """Outcome of the attempts of a call so far, from which ``Attempts.verdict`` decides how it
    ends.
    """

    failed: int = 0
    """Number of attempts that failed after they had begun."""
    known: int = certainty.NOTHING
    """Facts that are known of the call (``certainty.FACTS``)."""
    done: tuple[Answered, ...] = ()
    """Requests that succeeded and that must not be repeated by another invocation."""
    last: JackfieldError | None = None
    """Last failure of an attempt, of opening the connection or of reading the provider's limits. It
    is the cause if a wait then exceeds the deadline.
    """
    failures: int = 0
    """Number of consecutive failures of the kinds in ``last``."""
    log: list[dict[str, Any]] = field(default_factory=list)
    """Lines for the journal about the first hundred attempts."""
    exchanges: list[Exchange] | None = None
    """Last requests and responses of the action; None if they are not recorded."""
    sees_bodies: bool = False
    """True if the bodies of these requests and responses are recorded, too."""
    tried: int = 0
    """Number of attempts that were prepared, begun or not."""
    markers: dict[int, str] = field(default_factory=dict)
    """Markers of attempts that may have taken effect, by number. Each attempt has its own marker,
    or all share the marker ``EVERY``.
    """
    shares_marker: bool = False
    """True if all attempts carry the same marker, if any."""

    def marking(self, make: Callable[[int], str]) -> Callable[[], str]:
        """Return a function that returns the marker of the attempt that is being prepared."""
        return partial(self._marker, make, EVERY if self.shares_marker else self.tried)

    def _marker(self, marking: Callable[[int], str], number: int) -> str:
        """Return the marker of an attempt; make it when its client first needs it."""
        found = self.markers.get(number)
        if found is None:
            found = self.markers[number] = marking(number)
        return found

    def missed(self, error: JackfieldError) -> None:
        """Note a failure that may end the run later."""
        if error.retryable and not (isinstance(error, TimedOut) and error.unexplained):
            self.last, self.failures = error, self.failures + 1

    def ended(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the run, as ``Attempts.ended`` does."""
        if (
            self.last is not None
            and isinstance(error, TimedOut)
            and error.unexplained
            and error.sent is Sent.NOTHING
        ):
            error = self.last
        if error is self.last and self.failures > 1 and not isinstance(error, NotYet):
            error = counted(error, self.failures)
        if certainty.verdict(self.known) in certainty.SAY_EARLIER:
            return repeated(error, is_doubt=self.known & certainty.UNREPEATABLE != 0)
        return error

    def note(self, call: Call, step: str, started: float, ended: float, outcome: str) -> None:
        """Add the line of an attempt that had begun to the log."""
        if len(self.log) < _MAX_LOGGED:
            times = {"startedAt": round(started, 3), "endedAt": round(ended, 3)}
            self.log.append(
                {**times, "step": step, "outcome": outcome, "requestId": call.request_id}
            )


@dataclass(slots=True)
class Remarks:
    """Remarks about a success: warnings of the action's calls and of the runtime, and whether the
    last page was final.
    """

    warnings: tuple[Detail, ...] = ()
    open_end: bool = False
    """True if a page lacks items of the list, or it is unknown whether the last page is the list's
    last.
    """
    handed: int = 0
    """Number of events that the action has emitted."""

    def take(self, call: Call, *, unclear: bool = False) -> None:
        """Add the remarks of a successful attempt. ``unclear``: an earlier attempt may have carried
        out the entries that failed now.
        """
        self.open_end = self.open_end or call.open_end
        self.handed += call.events.count
        if call.warnings:
            told = [_with_earlier(one) if unclear else one for one in call.warnings]
            self.warnings = (*self.warnings, *(one for one in told if one not in self.warnings))[
                :MAX_WARNINGS
            ]

    def warn(self, message: str) -> None:
        """Add a warning by the runtime."""
        self.warnings = (*self.warnings, Detail("", message))[:MAX_WARNINGS]


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Dependencies of attempts that all calls of a workspace share."""

    workspace: str
    clock: Clock
    files: Files
    paces: Paces | None = None
    observe: Observe | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    only_hosts: OnlyHosts | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(random.Random()))  # noqa: S311 (jitter, not a secret)
