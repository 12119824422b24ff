"""JSON, texts and times of database rows, which may have been changed outside of jackfield."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_DEEPEST = 128
"""Maximum nesting: jackfield stores at most 100 levels, and encoders refuse 254."""
LATEST = 253_402_300_799.0
"""Time of the last second of the year 9999, after which no date can be formatted."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def parsed(text: str) -> Any:
    """Parse a column of JSON.

    :raises ValueError: if the text is not JSON, or nested too deeply.
    :raises TypeError: if the column is not text.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("[") + text.count("{") > _DEEPEST and _is_deeper(found, _DEEPEST):
        raise ValueError("nested too deeply")
    return found


def parsed_object(text: str) -> dict[str, Any]:
    """Parse a column that holds a JSON object.

    :raises ValueError: as ``parsed`` does.
    :raises TypeError: if the JSON is not an object.
    """
    found = parsed(text)
    if not isinstance(found, dict):
        raise TypeError("not an object")
    return found


def possible_time(value: object) -> float:
    """Return seconds since 1970 if they are a time that can be formatted.

    :raises ValueError: if they are not such a time.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 <= value <= LATEST
    ):
        raise ValueError("not a time")
    return float(value)


def problem_of_times(*times: object) -> dict[str, str]:
    """Return the member ``problem`` of a row with an invalid time; an empty object if all times are
    valid. ``iso`` writes placeholders for invalid times.
    """
    try:
        for at in times:
            possible_time(0.0 if at is None else at)
    except ValueError:
        return {"problem": "its row in the database was changed: a time of it is none"}
    return {}


def nearest_time(value: object) -> float:
    """Return a valid substitute for a damaged time: ``LATEST`` for a positive number, else 0. The
    order of a list stays usable.
    """
    return LATEST if isinstance(value, int | float) and value > 0 else 0.0


def _is_deeper(value: object, levels: int) -> bool:
    members = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    return any(levels == 0 or _is_deeper(member, levels - 1) for member in members)


def is_storable(*texts: str) -> bool:
    """Return whether a database's text can hold these texts. JSON can hold NUL and lone surrogates,
    database text cannot.
    """
    return not any(_UNSTORABLE.search(text) for text in texts)


def like_literal(text: str) -> str:
    """Return a pattern of ``LIKE … ESCAPE '!'`` that matches only this text."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
