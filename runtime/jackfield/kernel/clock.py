"""A clock that tests can replace, and deadlines, so that every wait is limited."""

from __future__ import annotations

import re
import sys
import threading
import time
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import (
    Detail,
    InvalidInvocation,
    JackfieldError,
    Sent,
    TimedOut,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_POLL = 0.25
"""Seconds between a waiting task's checks of its event."""
if sys.platform == "win32":
    monotonic = time.monotonic
else:
    monotonic = partial(time.clock_gettime, time.CLOCK_MONOTONIC)
"""Seconds that never go back: ``time.monotonic``, by a reference that tools for freezing time in a
program's tests do not replace. With a frozen deadline, an unresponsive provider would be waited
for, and tried again, for ever.
"""


def elapsed(since: float, at: float) -> float:
    """Return the seconds since a moment by ``monotonic`` and ``time.time``, by whichever clock has
    advanced more.

    In a process that was frozen (AWS Lambda, a snapshot), the other clock may have stopped, while
    servers and routers dropped connections.
    """
    return max(monotonic() - since, time.time() - at)


_UNTIL: ContextVar[float | None] = ContextVar("jackfield_until", default=None)
"""Time (``monotonic``) until which this thread or task waits for shared resources."""


class Clock(Protocol):
    """Source of time and of waits for the runtime. All values are seconds."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes backwards; for deadlines."""

    def time(self) -> float:
        """Return seconds since 1970, UTC; for expiries."""

    def sleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Block this thread for ``seconds``, or until the event is set."""

    async def asleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Suspend this task for ``seconds``, or until the event is set."""


class SystemClock:
    """Clock of the machine."""

    monotonic = staticmethod(monotonic)
    """Return seconds on a clock that never goes backwards. It is read thirty times in a call, so no
    function of jackfield is in between.
    """

    def time(self) -> float:
        """Return seconds since 1970, UTC."""
        return time.time()

    def sleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Block this thread for ``seconds``, or until the event is set."""
        if until is None:
            time.sleep(seconds)
        else:
            until.wait(seconds)

    async def asleep(self, seconds: float, until: threading.Event | None = None, /) -> None:
        """Suspend this task for ``seconds``, or until the event is set. Any thread may set it, so
        it is polled four times a second.
        """
        import asyncio

        end = monotonic() + seconds
        while until is not None and not until.is_set() and end - monotonic() > _POLL:  # noqa: ASYNC110 (a threading.Event, which any thread may set)
            await asyncio.sleep(_POLL)
        if until is None or not until.is_set():
            await asyncio.sleep(max(0.0, end - monotonic()))


@dataclass(frozen=True, slots=True)
class Deadline:
    """Time by which an invocation must have ended; ``seconds`` is the caller's timeout."""

    clock: Clock
    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float, clock: Clock, since: float | None = None) -> Deadline:
        """Return a deadline ``seconds`` from now, or from ``since`` on that clock."""
        return cls(clock, (clock.monotonic() if since is None else since) + seconds, seconds)

    def remaining(self) -> float:
        """Return the seconds left; 0 once the deadline has passed."""
        return max(0.0, self.at - self.clock.monotonic())

    def check(self) -> None:
        """Check that the deadline has not passed; nothing was sent yet.

        :raises TimedOut: if no time is left.
        """
        if self.clock.monotonic() >= self.at:
            raise self.passed(Sent.NOTHING)

    def passed(self, sent: Sent, cause: JackfieldError | None = None) -> TimedOut:
        """Return the error for a call that exceeded this deadline. ``cause`` is the awaited step,
        or the reason why it failed.
        """
        when = (
            "before anything was sent" if sent is Sent.NOTHING else "before the provider responded"
        )
        if isinstance(cause, TimedOut) and isinstance(cause.__cause__, JackfieldError):
            cause = cause.__cause__  # another deadline's
        late = TimedOut(
            f"the deadline of {self.seconds:g} s passed {when}"
            + (f": {cause.message}" if cause is not None else ""),
            hint=(cause.hint if cause is not None else None)
            or "Raise 'timeoutSeconds', or find out what is slow.",
            sent=sent,
        )
        late.unexplained, late.__cause__ = cause is None, cause
        return late

    def move_on(self) -> None:
        """Note that content arrives. A deadline that guards against silence is extended; this
        deadline stays.
        """


SHARE = 3
"""Divisor of the time left: an attempt that may be repeated gets one third."""


@dataclass(frozen=True, slots=True)
class SharedDeadline(Deadline):
    """Deadline of an attempt that gets a share of the time until ``longest``: an unresponsive
    attempt leaves time for further, shorter ones.

    An attempt that receives content is not unresponsive: each chunk gets such a share of the
    remaining time.
    """

    longest: float

    @classmethod
    def of(cls, whole: Deadline, least: float) -> SharedDeadline:
        """Return a shared deadline for the time left until ``whole``: at least ``least`` seconds,
        if that many are left.
        """
        now, longest = whole.clock.monotonic(), whole.at
        return cls(
            whole.clock,
            max(min(now + least, longest), now + (longest - now) / SHARE),
            whole.seconds,
            longest,
        )

    def move_on(self) -> None:
        """Extend the deadline by a share of the time left now."""
        now = self.clock.monotonic()
        # frozen for everybody else
        object.__setattr__(self, "at", max(self.at, now + (self.longest - now) / SHARE))


_ARRIVED: ContextVar[float | None] = ContextVar("jackfield_arrived", default=None)


arrived = _ARRIVED.get
"""Function that returns when the request that this task serves arrived, on the clock of its server;
None outside of requests.
"""


def note_arrival(at: float) -> None:
    """Note when the request that this task serves arrived: the deadline of a call in it begins
    then.
    """
    _ARRIVED.set(at)


class within:  # noqa: N801 (used like a function; contextlib's decorator takes three times as long)
    """Context manager that limits this thread's or task's waits for shared resources (a database
    lock, a pooled connection) to ``seconds`` from now.

    A nested block overrides the outer one.
    """

    __slots__ = ("_outer", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._outer = _UNTIL.get()
        _UNTIL.set(monotonic() + self._seconds)

    def __exit__(self, *exception: object) -> None:
        # not by a token: a generator may be closed in another context than it began in
        _UNTIL.set(self._outer)


limit_waits, unlimit_waits = _UNTIL.set, _UNTIL.reset
"""Functions that limit waits for shared resources to a time (``monotonic``), and reset the limit
with the returned token. ``within`` does both, with three more function calls. Not for a generator,
which may be closed in another context than it began in.
"""


def waits_until(longest: float) -> float:
    """Return the time (``monotonic``) until which this thread or task waits for a shared resource,
    at most ``longest`` seconds from now.
    """
    end, latest = _UNTIL.get(), monotonic() + longest
    return latest if end is None or end > latest else end


def patience(longest: float) -> float:
    """Return the seconds that this thread or task may wait now for a shared resource: 0 to
    ``longest``.
    """
    until = _UNTIL.get()
    return longest if until is None else max(0.0, min(longest, until - monotonic()))


def in_turn(lock: threading.RLock, longest: float, step: Callable[[], T], busy: str) -> T:
    """Return ``step()``, which one thread at a time may call. The lock is released afterwards, also
    if an interrupt comes during the wait.

    :param longest: Maximum seconds to wait for other threads.
    :raises Unavailable: if the wait takes longer: ``busy``.
    """
    got: list[bool] = []
    try:
        # without a step in between: no interrupt leaves it locked
        got.extend(map(lock.acquire, (True,), (longest,)))
        if not got[0]:
            raise Unavailable(busy)
        return step()
    finally:
        if any(got):
            lock.release()


_EARLIEST, _LATEST = -62_135_596_800.0, 253_402_300_799.999
"""Times that ``iso`` formats: the years 1 to 9999 in UTC, in seconds since 1970."""


def iso(at: float | None) -> str | None:
    """Format seconds since 1970 as RFC 3339 text in UTC, with milliseconds. A time outside the
    years 1 to 9999, which only a damaged row has, becomes the nearest time within. None stays None.
    """
    if at is None:
        return None
    try:
        found = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        found = datetime.fromtimestamp(_LATEST if at > 0 else _EARLIEST, UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(found: datetime) -> float:
    """Return a time as seconds since 1970. A time without a zone is in the machine's zone.

    :raises ValueError: if it is outside of the years 1 to 9999 in UTC, since no reader could
        display the stored time.
    """
    at = found.timestamp()
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError("outside of the years 1 to 9999")
    return at


_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SPAN = re.compile(r"(?a:((?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(?:e-?\d{1,2})?)(ms|[smhdw]?))\Z")
_NUMBER = r"(?:(\d{1,9}(?:\.\d{1,9})?)%s)?"
_ISO_SPAN = re.compile(
    "p(?=.)"
    + _NUMBER % "w"
    + _NUMBER % "d"
    + "(?:t(?=.)"
    + "".join(_NUMBER % unit for unit in "hms")
    + r")?\Z",
    re.ASCII,
)
_UNCLEAR = re.compile(
    r"(?a:(?P<iso>[pP])?((?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(?:[eE]-?\d{1,2})?)(?(iso)[mM]|M))\Z"
)
_BARE = re.compile(r"[\s\d.e-]*\Z")
_DATE = len("2031-01-31")
_MEMBER = re.compile(r"(?:the parameter )?'(\w+)'")
"""Regular expression of a member or parameter in a message, whose place the details give."""
_LONGEST = 100 * 365 * 86_400.0


def seconds(text: str) -> float | None:
    """Parse a duration into seconds: a number of seconds, a number with a unit (``500ms``, ``15s``,
    ``90m``, ``12h``, ``30d``, ``2w``), or ISO 8601 (``PT15S``, ``P1DT12H``). Months and years have
    no fixed length. None if the text is not a duration, exceeds 100 years, or is ``unclear``.
    """
    plain = text.strip().lower()
    if unclear(text):
        return None
    if found := _SPAN.match(plain):
        span = float(found[1]) * _UNITS[found[2]]
    elif found := _ISO_SPAN.match(plain):
        span = sum(
            float(number or 0) * _UNITS[unit]
            for number, unit in zip(found.groups(), "wdhms", strict=True)
        )
    else:
        return None
    # 4.35h has 15660 seconds, and not 15659.999999999998
    return round(span, 9) if span <= _LONGEST else None


def unclear(text: str) -> str:
    """Return an addition to the refusal of a duration that may be minutes or months (``1M``,
    ``P1M``); empty for any other text.
    """
    found = _UNCLEAR.match(text.strip())
    return (
        ""
        if found is None
        else f": it may be minutes or months, so write {found[2]}m or {30 * float(found[2]):g}d"
    )


def moment(
    text: str, now: float, direction: int, name: str, *, zone: tzinfo = UTC, ends: bool = False
) -> float:
    """Parse a point in time into seconds since 1970.

    ``text`` is a duration, counted forward from ``now`` (``direction`` 1) or back (-1), or an RFC
    3339 date, with or without a time. Without a zone it is in ``zone``; without a time it is the
    start of the day, or its end if the moment ``ends`` a period. Error messages call the text
    ``name``.

    :raises InvalidInvocation: if the text is neither.
    """
    span = None if _BARE.match(text) else seconds(text)  # 20310131 is a date
    if span is not None:
        return now + direction * span
    try:
        found = datetime.fromisoformat(text.strip())
        found += timedelta(days=1 if ends and len(text.strip()) <= _DATE else 0)
        return written(found if found.tzinfo else found.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        hint = (
            "Write a span such as 30d, 12h or 90m, or a date such as 2031-01-31 or "
            "2031-01-31T12:00:00Z, in the years 1 to 9999."
        )
        member, tail = _MEMBER.fullmatch(name), unclear(text)
        wanted = f"must be a duration or a date in the years 1 to 9999{tail}"
        details = () if member is None else (Detail(f"/{member[1]}", wanted, "format"),)
        raise InvalidInvocation(
            f"{name} '{text[:80]}' is neither a duration nor a date{tail}",
            details=details,
            hint=hint,
        ) from None
