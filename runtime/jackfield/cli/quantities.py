"""Parsers of counts, ports, rates and durations, shared by all commands.

Python's ``int`` and ``float`` also accept ``nan``, ``inf``, ``1_000`` and digits of other scripts,
which no option should accept.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

DAY = 86_400.0
MOST_AT_ONCE = 1000
"""Maximum number of queued invocations that one process runs at once."""
_COUNT = re.compile(r"[0-9]{1,18}\Z")
_NUMBER = re.compile(r"(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:e-?[0-9]{1,2})?\Z")
_HIGHEST_PORT = 65_535
_FASTEST = 1_000_000


def count(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from ``least`` to ``most``."""

    def parse(text: str) -> int:
        if not _COUNT.match(text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {least:,} to {most:,}, not '{text[:80]}'"
            )
        return int(text)

    return parse


def duration(most: float, *, zero: bool = True) -> Callable[[str], float]:
    """Return a parser of durations of at most ``most`` seconds, in the forms of
    ``jackfield.kernel.clock.seconds``.
    """

    def parse(text: str) -> float:
        from jackfield.kernel.clock import seconds, unclear

        span = seconds(text)
        if span is None or span > most or (span == 0 and not zero):
            least = "at least 0" if zero else "above 0"
            wanted = (
                f"must be a duration such as 5, 5s or 2m, {least} and at most {most:g}s, not "
                f"'{text[:80]}'"
            )
            raise argparse.ArgumentTypeError(wanted + unclear(text))
        return span

    return parse


def port(text: str) -> int:
    """Parse a port; 0 means any free one."""
    return count(0, _HIGHEST_PORT)(text)


def rate(text: str) -> float:
    """Parse a rate in requests per second; 0 means no limit."""
    if not _NUMBER.match(text) or float(text) > _FASTEST:
        raise argparse.ArgumentTypeError(
            f"must be a number of requests per second from 0 to {_FASTEST:,}, not '{text[:80]}'"
        )
    return float(text)
