"""Dates, times and durations (RFC 3339)."""

from __future__ import annotations

import re
from calendar import isleap

__all__ = ["is_date", "is_date_time", "is_duration", "is_time"]

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")
_DURATION_TIME = r"T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DURATION_DATE = r"(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
_DURATION = re.compile(rf"P(?:{_DURATION_DATE}(?:{_DURATION_TIME})?|{_DURATION_TIME}|[0-9]+W)")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE_LENGTH = len("2026-01-31")


def is_date(text: str) -> bool:
    """``2026-01-31`` (RFC 3339 §5.6, full-date)."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    return 1 <= month <= len(_DAYS) and 1 <= day <= _DAYS[month - 1] + (month == 2 and isleap(year))  # noqa: PLR2004 (February)


def is_time(text: str) -> bool:
    """``08:30:00Z``, ``08:30:00.5+02:00``; a leap second only where it is 23:59:60 in UTC (RFC 3339 §5.7)."""
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    hour, minute, second = map(int, match.groups()[:3])
    ahead, behind = int(match[5] or 0), int(match[6] or 0)
    if hour > 23 or minute > 59 or second > 60 or ahead > 23 or behind > 59:  # noqa: PLR2004 (a clock's limits)
        return False
    offset = (ahead * 60 + behind) * (-1 if match[4] == "-" else 1)
    return second < 60 or (hour * 60 + minute - offset) % 1440 == 1439  # noqa: PLR2004 (the last minute of the day)


def is_date_time(text: str) -> bool:
    """``2026-01-31T08:30:00Z`` (RFC 3339 §5.6)."""
    return text[_DATE_LENGTH : _DATE_LENGTH + 1] in ("T", "t") and is_date(text[:_DATE_LENGTH]) and is_time(text[_DATE_LENGTH + 1 :])


def is_duration(text: str) -> bool:
    """``P1DT12H``, ``P2W`` (RFC 3339 appendix A)."""
    return _DURATION.fullmatch(text) is not None
