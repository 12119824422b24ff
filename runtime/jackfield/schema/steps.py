"""Size of a value, in the steps that a schema of cost 1 takes to judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jackfield.schema.json_types import Json

MAX_STEPS: Final = 1 << 24
"""Limit of the steps for a whole value: its parts times the schema's cost. A step takes 5 to 60 ns."""
FREE: Final = 64
"""Cost up to which every value is judged: an invocation has at most 250,000 values, so that they take at most ``MAX_STEPS``."""
CHARACTERS: Final = 16
"""Characters of a text that count as one step."""


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
            elif kind is list:
                below += part
            elif kind is dict:
                below += part.values()
                steps += sum(map(len, part)) // CHARACTERS
        steps += len(below)
        level = below
    return steps
