"""Size of a value, in the steps that a schema of cost 1 takes to judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jackfield.schema.json_types import Json

MAX_STEPS: Final = 1 << 23
"""Maximum steps for a whole value: its parts times the schema's cost. A step takes 5 to 40 ns,
during which no other thread runs.
"""
FREE: Final = 32
"""Maximum cost of a schema for which every value is judged. An invocation has at most 250,000
values, so that they take at most ``MAX_STEPS``.
"""
CHARACTERS: Final = 16
"""Number of characters of a string that count as one step."""
DIGITS: Final = 53
"""Number of bits of an integer that count as one step."""
SMALL_NUMBER: Final = 1e-22
LARGE_NUMBER: Final = 1e22
"""Minimum size of a fraction that is compared and divided digit by digit, which counts as
``_OF_LONG`` more steps.
"""
_OF_LONG = 16
MAX_COMPARED: Final = 1 << 17
"""Maximum number of comparisons of a value's slow numbers with numbers of ``enum`` and ``const``.
One comparison takes 1 to 4 µs.
"""
MAX_LARGE: Final = 64
"""Maximum number of a value's integers beyond 64 bits if items must be unique, since the engine
compares each with each.
"""
_LARGE = 1 << 63


def slow_numbers(value: Json) -> tuple[int, int]:
    """Return the numbers of values that the engine compares digit by digit: integers beyond 64
    bits, and numbers with a fraction or an exponent.
    """
    large = fractions = 0
    level = [value]
    while level:
        below: list[Json] = []
        for part in level:
            kind = type(part)
            if kind is list:
                below += part
            elif kind is dict:
                below += part.values()
            elif kind is int:
                large += not -_LARGE <= part < _LARGE
            elif kind is float:
                fractions += 1
        level = below
    return large, fractions


def steps_of(value: Json, limit: int) -> int:
    """Return the number of a value's parts plus the steps for its strings; stop soon after
    ``limit``.
    """
    steps = 1
    level = [value]
    while level and steps <= limit:
        below: list[Json] = []
        for part in level:
            kind = type(part)
            if kind is str:
                steps += len(part) // CHARACTERS
            elif kind is int:
                steps += part.bit_length() // DIGITS
            elif kind is float:
                steps += _OF_LONG if part and not SMALL_NUMBER < abs(part) < LARGE_NUMBER else 0
            elif kind is list:
                below += part
            elif kind is dict:
                below += part.values()
                steps += sum(map(len, part)) // CHARACTERS
        steps += len(below)
        level = below
    return steps
