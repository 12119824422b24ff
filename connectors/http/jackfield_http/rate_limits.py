"""Rate limits in header fields: remaining requests, and seconds to wait, in the forms that
providers use.

docs/reference/rate-limits.md lists the forms and their sources; tests compare it with this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

from jackfield_http.pointers import find as at_pointer

LONGEST = 86_400.0
"""Maximum plausible wait in seconds: the windows of documented limits last at most a day.

A longer value is mostly in another unit, and would block an account for ever.
"""
Find = Callable[[str], str | None]
"""Function that returns a header field by its lower-case name, with repeated fields joined by
commas; None without the field, or for one that is too long to be parsed.
"""

_PREFIXES = (
    "ratelimit",
    "x-ratelimit",
    "x-rate-limit",
    "x-app-rate-limit",
    "x-ratelimit-requests",
    "anthropic-ratelimit-requests",
    "anthropic-ratelimit-tokens",
    "anthropic-ratelimit-input-tokens",
    "anthropic-ratelimit-output-tokens",
    "x-contentful-ratelimit",
    "x-ratelimit-complexity",
    "x-ratelimit-endpoint-requests",
    "x-sentry-rate-limit",
    "x-sib-ratelimit",
)
_SCOPES = ("", "-requests", "-tokens")
"""Suffixes of fields of several budgets (OpenAI)."""
_IN_BODY = tuple(
    f"{place}/{name}"
    for place in (
        "",
        "/error",
        "/error_extra",
        "/parameters",
        "/errors/0",
        "/errors/0/extensions",
        "/errors/0/extensions/error_data",
    )
    for name in ("retry_after", "retry_after_seconds", "retryAfterSeconds", "retry_in_seconds")
)
"""JSON Pointers of members that state a wait in seconds in a body. Some providers write
milliseconds in ``retryAfter``.
"""
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_IN_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")
_RETRY_AFTER = (
    "retry-after",
    "x-retry-after",
    "x-ratelimit-retry-after",
    "x-rate-limit-retry-after-seconds",
)
_PERIODS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e9, 1.0))
"""Lower bounds of numbers that are a time since 1970, each with its units per second: ns, µs, ms,
s.

A smaller number is seconds from now.
"""
_DATE = re.compile(r"[A-Z][a-z]{2,8}, [^,]+|[^,]+")
_ITEM = re.compile(r'(?s)(?>(?:"(?>(?:[^"\\]|\\.)*)(?:"|\\?\Z)|[^,"])+)')
_PARAMETER = re.compile(r'(?:^|[;,\s])(r|t|q|w|limit|remaining|reset)\s*=\s*"?(\d{1,15}(?:\.\d+)?)')
_NAMED = re.compile(r"\b(?:remaining|reset)\s*=")
_SAID = re.compile(
    r"\b(?:(?:retry|try again|available|reset) (?:after|at|in):?|take a break for) ", re.IGNORECASE
)
_MOMENT = re.compile(
    r"[a-z]{3}, \d{1,2} [a-z]{3} \d{4} \d\d:\d\d:\d\d [a-z]{3}|[\w:.+-]{1,40}", re.IGNORECASE
)
_AMOUNT = re.compile(
    r"(?:,? and |, | )?(\d{1,9}(?:\.\d{1,9})?|an?|one)[ -]?"
    r"(?:(milliseconds?|msecs?|ms)|(seconds?|secs?|s)|(minutes?|mins?|m)|(hours?|hrs?|h)|(days?|d)"
    r"|(weeks?))\b",
    re.IGNORECASE,
)
"""Regular expression of a number with its unit; each group of a unit has its seconds in ``_UNITS``.

``1 hour and 5 minutes`` has two of them.
"""
_WORD = re.compile(r"\s+[^\W\d_]")
"""Regular expression of a word after a number, which may be a unit that is not known."""
_QUOTED = re.compile(r'(?s)"((?:[^"\\]|\\.)*)(?:"|\\?\Z)')
"""Regular expression of a quoted string in a field. An unterminated string takes the rest, so that
the search stays linear.
"""
_DURATION = re.compile(
    r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m(?!s))?(?:(\d{1,7}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?"
)
_REGAINED = re.compile(r'"estimated_time_to_regain_access"\s*:\s*(\d{1,6})')
"""Regular expression of the minutes until Meta accepts requests again; 0 if no limit is used up."""
_DAY, _HOUR, _MINUTE = 86_400.0, 3600.0, 60.0
_UNITS = (0.001, 1.0, _MINUTE, _HOUR, _DAY, 7 * _DAY)
_LONGEST_TEXT = 2000
"""Maximum characters of a member or a message of a body in which a wait is looked for."""


def retry_after(find: Find) -> float | None:
    """Return the seconds to wait by ``Retry-After`` in any of its forms; None without the field."""
    for name in _IN_MILLISECONDS:
        found = _number((find(name) or "").partition(",")[0].strip())
        if found is not None:
            return min(found / 1000, LONGEST)
    return next(
        (
            found
            for name in _RETRY_AFTER
            if (found := _latest(find(name), find("date"))) is not None
        ),
        None,
    )


def told(value: object, now: str | None) -> float | None:
    """Return the seconds to wait that a body's member states, in the forms of the header fields;
    None if it states none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = _seconds(str(value).strip()[:_LONGEST_TEXT], now)
    return None if found is None else min(found, LONGEST)


def told_in(body: object, now: str | None) -> float | None:
    """Return the seconds to wait from the usual members of an error's body; None if they state
    none.
    """
    values = (*(at_pointer(body, place) for place in _IN_BODY), *_delays(body))
    return next((found for value in values if (found := told(value, now)) is not None), None)


def told_by(message: str, now: str | None) -> float | None:
    """Return the seconds to wait that a message states; None if it states none.

    It says ``retry after``, ``try again in``, ``available in``, ``reset in`` or ``take a break
    for``, and then a time, a date, a duration, or numbers with their units. A number before a word
    that is no unit states nothing: it may count anything.
    """
    text = message[:_LONGEST_TEXT]
    found = _SAID.search(text)
    if found is None:
        return None
    seconds = _amounts(text, found.end())
    if seconds is not None:
        return min(seconds, LONGEST)
    moment = _MOMENT.match(text, found.end())
    if moment is None:
        return None
    stated = moment[0].rstrip(".")
    if stated == moment[0] and _number(stated) is not None and _WORD.match(text, moment.end()):
        return None
    return told(stated, now)


def _amounts(text: str, start: int) -> float | None:
    """Return the sum of the numbers with units that begin at a place; None if there is none."""
    total = None
    while (found := _AMOUNT.match(text, start)) is not None:
        number, *units = found.groups()
        unit = next(size for name, size in zip(units, _UNITS, strict=True) if name is not None)
        count = float(number) if number[0].isdecimal() else 1.0
        total = (total or 0.0) + count * unit
        start = found.end()
    return total


def _delays(body: object) -> Iterator[object]:
    """Yield the wait durations among the error details of Google's APIs."""
    details = at_pointer(body, "/error/details")
    for one in details if isinstance(details, list) else ():
        if isinstance(one, Mapping) and one.get("@type") == _RETRY_INFO:
            yield one.get("retryDelay")


def remaining(find: Find) -> float | None:
    """Return the lowest number of remaining requests in any policy; None if no field states one."""
    counts = [left for left, _ in _policies(find) if left is not None]
    return min(counts) if counts else None


def reset(find: Find) -> float | None:
    """Return the seconds until the latest window of an exhausted limit ends; None if no field
    states a window.

    Without an exhausted limit, the latest window of a limit without a remainder counts, else the
    earliest window.
    """
    found = [(left, seconds) for left, seconds in _policies(find) if seconds is not None]
    used_up = [seconds for left, seconds in found if left is not None and left < 1]
    unstated = [seconds for left, seconds in found if left is None]
    if used_up:
        return max(used_up)
    return max(unstated) if unstated else min((seconds for _, seconds in found), default=None)


def wait(find: Find, *, is_throttled: bool) -> float | None:
    """Return the seconds to wait before a retry: from ``Retry-After``, else until the window of an
    exhausted limit ends; None if no field states a time.

    With ``is_throttled``, the limit counts as exhausted (status 429), even if no field states the
    remaining requests.
    """
    stated = retry_after(find)
    if stated is not None:
        return stated
    left = remaining(find)
    return (
        reset(find) if (left is not None and left < 1) or (left is None and is_throttled) else None
    )


def _policies(find: Find) -> Iterator[tuple[float | None, float | None]]:
    """Yield each limit's remaining requests, and the seconds until its window ends."""
    yield from _structured(find)
    minutes = [float(one) for one in _REGAINED.findall(find("x-business-use-case-usage") or "")]
    yield from ((0.0, _bounded(each * _MINUTE)) for each in minutes if each)
    for prefix in _PREFIXES:
        for scope in _SCOPES:
            lefts = _numbers(find(f"{prefix}-remaining{scope}"))
            resets = [
                *_seconds_of(find, f"{prefix}-reset{scope}"),
                *_seconds_of(find, f"{prefix}-reset-after{scope}"),
            ]
            if len(lefts) == len(resets):
                yield from zip(lefts, resets, strict=True)
            elif lefts or resets:
                yield min(lefts, default=None), max(resets, default=None)


def _structured(find: Find) -> Iterator[tuple[float | None, float | None]]:
    """Yield the limits in the field ``RateLimit``: one limit of draft 07 (``limit=``,
    ``remaining=``, ``reset=``), or policies of later drafts.
    """
    value = find("ratelimit") or ""
    bare = _QUOTED.sub("", value)
    if _NAMED.search(bare):
        given = dict(_PARAMETER.findall(bare))
        yield _number(given.get("remaining", "")), _bounded(_number(given.get("reset", "")))
        return
    windows = {
        _name(item): dict(_PARAMETER.findall(item)).get("w", "")
        for item in _items(find("ratelimit-policy"))
    }
    for item in _items(value):
        given = dict(_PARAMETER.findall(_QUOTED.sub('""', item)))
        if "r" in given or "t" in given:
            seconds = given.get("t") or windows.get(_name(item), "")
            yield _number(given.get("r", "")), _bounded(_number(seconds))


def _items(value: str | None) -> list[str]:
    return _ITEM.findall(value or "")


def _name(item: str) -> str:
    found = _QUOTED.search(item)
    return found[1] if found else item.partition(";")[0].strip()


def _numbers(value: str | None) -> list[float]:
    """Return the numbers of a field that may be repeated, without the parameters of its items."""
    parts = (part.partition(";")[0].strip() for part in (value or "").split(","))
    return [number for part in parts if (number := _number(part)) is not None]


def _seconds_of(find: Find, name: str) -> list[float]:
    return [*_moments(find(name), find("date"))]


def _latest(value: str | None, now: str | None) -> float | None:
    return max(_moments(value, now), default=None)


def _moments(value: str | None, now: str | None) -> Iterator[float]:
    """Yield the seconds from now for each value of a field: seconds, a time since 1970, a date, an
    ISO 8601 time, or a duration.
    """
    for part in _DATE.findall(value or ""):
        found = _seconds(part.partition(";")[0].strip(' "'), now)
        if found is not None:
            yield min(found, LONGEST)


def _seconds(text: str, now: str | None) -> float | None:
    number = _number(text)
    if number is not None:
        unit = next((unit for least, unit in _PERIODS if number >= least), None)
        return number if unit is None else max(0.0, number / unit - _now(now).timestamp())
    if not text[:1].isalnum():
        return None
    until = _date(text) if text[0].isalpha() else _iso_time(text)
    if until is not None:
        return max(0.0, (until - _now(now)).total_seconds())
    return _duration(text)


def _duration(text: str) -> float | None:
    """Return the seconds of a duration such as ``6m0s`` or ``20ms``; None for another string."""
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        return None
    days, hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return days * _DAY + hours * _HOUR + minutes * _MINUTE + seconds + milliseconds / 1000


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None else min(seconds, LONGEST)


def _now(date: str | None) -> datetime:
    return _date(date or "") or datetime.now(UTC)


def _number(text: str) -> float | None:
    try:
        found = float(text) if text.isascii() and "_" not in text else -1.0
    except ValueError:
        return None
    return found if isfinite(found) and found >= 0 else None


def _date(text: str) -> datetime | None:
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None


def _iso_time(text: str) -> datetime | None:
    try:
        return _in_utc(datetime.fromisoformat(text))
    except ValueError:
        return None


def _in_utc(found: datetime) -> datetime:
    return found if found.tzinfo else found.replace(tzinfo=UTC)
