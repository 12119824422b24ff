"""Durations as Go writes them: ``1m30s``, ``500ms``."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?<![0-9.])([0-9]{1,20}(?:\.[0-9]{0,20})?)(ms|us|ns|[hms])")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def seconds_of(text: str) -> float:
    """Return a duration in seconds.

    :raises ValueError: for an invalid text; the message states the valid form.
    """
    plain = text.replace("µs", "us")
    parts = _DURATION.findall(plain)
    if plain != "0" and (not parts or "".join(number + unit for number, unit in parts) != plain):
        raise ValueError(f"must be a duration such as 5s or 1m30s, not '{text[:40]}'")
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))
