"""Idempotency keys that are made of the time.

Attempts that follow one another at once have one such key, and the provider takes them for one
write. A later attempt has another key, and is a second write: no run that repeats at once can be
judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from jackfield_market.testing.proving.ledger import Entry
from jackfield_market.testing.proving.verdicts import Cell

_DATE = re.compile(r"(20\d\d)-?([01]\d)-?([0-3]\d)[T _-]?([0-2]\d):?([0-5]\d)(?::?([0-5]\d))?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_APART = 5.0
"""Maximum difference in seconds between the ages of two runs' keys when they arrive."""
_STEPS = 2.0
"""Steps of a clock after which its number has certainly changed."""
_ADVICE = (
    "Its key is a number of the clock, and the repetition came before that would change: a later "
    "one would be sent twice. Make the key of what is sent, or give the situation taken-silent."
)


def by_clock(cells: Sequence[Cell], firsts: Sequence[Entry]) -> Iterator[Cell]:
    """Yield cells, with the verdict "not judged" if only a key that is made of the time held the
    attempts of a write together.

    A key that was the same after its clock had moved on is made once, and is no such key.
    """
    for cell in cells:
        same = [one for one in cells if one.write == cell.write]
        rate = None if cell.is_wrong else _rate(firsts[cell.write], same)
        gaps = [gap for one in same for gap in _gaps(one.entries)]
        is_made_once = rate is None or any(gap * rate >= _STEPS for gap in gaps)
        if is_made_once or not [*_gaps(cell.entries)]:
            yield cell
        else:
            yield replace(cell, verdict="not judged", advice=_ADVICE)


def _gaps(entries: Iterable[Entry]) -> Iterator[float]:
    """Yield the seconds between the first request with a key and each later one with that key."""
    firsts: dict[str, float] = {}
    for entry in entries:
        if entry.key in firsts:
            yield entry.moment - firsts[entry.key]
        elif entry.key is not None:
            firsts[entry.key] = entry.moment


def _rate(first: Entry, cells: Iterable[Cell]) -> float | None:
    """Return how fast the number in a write's keys grows, per second; None if they have none that
    follows the clock.

    All that differs between the runs' keys has to follow it: a random part is made once, or
    distinguishes the attempts.
    """
    keys = [first, *(cell.entries[0] for cell in cells if cell.entries)]
    known = [(_parts(one.key), one.moment) for one in keys if one.key is not None]
    if len({shape for (shape, _), _ in known}) != 1:
        return None
    (_, numbers), began = known[0]
    rates = []
    for place, number in enumerate(numbers):
        later = [(others[place], moment - began) for (_, others), moment in known]
        if any(one != number for one, _ in later):
            rate = number / began
            if any(abs(one - number - rate * past) > 1 + rate * _APART for one, past in later):
                return None
            rates.append(rate)
    return max(rates, default=None)


def _parts(key: str) -> tuple[str, list[float]]:
    """Return a key without its numbers, and its numbers; a date is the number of its seconds."""
    text = _DATE.sub(lambda found: _seconds(*found.groups("0")), key)
    return _NUMBER.sub("#", text), [float(one) for one in _NUMBER.findall(text)]


def _seconds(*parts: str) -> str:
    try:
        moment = datetime(*map(int, parts), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return "".join(parts)
    return str(int(moment.timestamp()))
