"""Points in time and durations as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from jackfield.errors import InvalidInvocation

__all__ = ["moment", "seconds"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SPAN = re.compile(r"(\d{1,9})([smhdw])\Z")
_LONGEST = 100 * 365 * 86_400.0


def seconds(text: str) -> float | None:
    """Parse a duration such as ``30d``, ``12h`` or ``90m`` into seconds; None if it is not one or exceeds 100 years."""
    found = _SPAN.match(text.strip().lower())
    span = int(found[1]) * _UNITS[found[2]] if found else None
    return span if span is not None and span <= _LONGEST else None


def moment(text: str, now: float, direction: int, name: str) -> float:
    """Parse a point in time into seconds since 1970.

    ``text`` is a duration, counted from ``now`` on (``direction`` 1) or back (-1), or an RFC 3339 date, with or without a time. Without a
    zone it is in UTC; without a time it is the start of the day. Error messages call the text ``name``.

    :raises InvalidInvocation: if the text is neither.
    """
    span = seconds(text)
    if span is not None:
        return now + direction * span
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        hint = "Write a span such as 30d, 12h or 90m, or a date such as 2031-01-31 or 2031-01-31T12:00:00Z."
        raise InvalidInvocation(f"{name} '{text[:80]}' is neither a duration nor a date", hint=hint) from None
