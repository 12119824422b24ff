"""Size of a value, in the steps that a schema of cost 1 takes to judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jackfield.schema.json_types import Json

MAX_STEPS: Final = 1 << 23
"""Limit of the steps for a whole value: its parts times the schema's cost. A step takes 5 to 40 ns, during which no other thread runs."""
FREE: Final = 32
"""Cost up to which every value is judged: an invocation has at most 250,000 values, so that they take at most ``MAX_STEPS``."""
CHARACTERS: Final = 16
"""Characters of a text that count as one step."""
DIGITS: Final = 53
"""Bits of an integer that count as one step."""
SMALL_NUMBER: Final = 1e-22
LARGE_NUMBER: Final = 1e22
"""Fractions beyond these are compared and divided digit by digit, and count as ``_OF_LONG`` steps more."""
_OF_LONG = 16
MAX_COMPARED: Final = 1 << 17
"""Limit of the comparisons of a value's slow numbers with numbers of ``enum`` and ``const``. One comparison takes 1 to 4 µs."""
MAX_LARGE: Final = 64
"""Limit of a value's integers beyond 64 bits where items must be unique: the engine compares each with each."""
_LARGE = 1 << 63


def slow_numbers(value: Json) -> tuple[int, int]:
    """Count the numbers that the engine compares digit by digit: integers beyond 64 bits, and those with a fraction or an exponent."""
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
    """Count the parts of a value and the steps that its texts take; stop soon after ``limit``."""
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
