"""Rows that a statement returns: bounded while they arrive, and as JSON values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from jackfield.kernel.dataclass import dataclass, field

MOST_ROWS = 10_000
"""Rows that one call returns at most."""
MOST_BYTES = 4 * 1024 * 1024
"""Bytes of values, as the server sends them, that one call returns at most."""
MOST_VALUES = 500_000
"""Maximum number of values that one call returns, including NULL, which has no bytes: each takes memory and time."""
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Rows:
    """Outcome of a statement: the names of its columns, its rows as JSON values, and how many rows it found or changed."""

    columns: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    affected: int = 0
    truncated: bool = False


@dataclass(slots=True)
class Collected(Generic[R]):
    """Rows as they arrive, up to the limits; ``full`` is set at the first row that does not fit."""

    most: int
    rows: list[R] = field(default_factory=list)
    size: int = 0
    values: int = 0
    full: bool = False

    def add(self, row: R, size: int, values: int) -> None:
        """Keep a row of so many values, which have ``size`` bytes, unless a limit is reached."""
        if self.full:
            return
        self.size += size
        self.values += values
        self.full = len(self.rows) >= self.most or self.size > MOST_BYTES or self.values > MOST_VALUES
        if not self.full:
            self.rows.append(row)


def unique_names(names: Sequence[str]) -> list[str]:
    """Number names that come again: each column is a member of the row."""
    found: dict[str, int] = {}
    for name in names:
        taken, number = name, found.get(name, 1)
        while taken in found:
            number += 1
            taken = f"{name}_{number}"
        found[name] = number  # where the next one of this name goes on: the columns may all have one name
        found.setdefault(taken, 1)
    return [*found]


def json_of(text: str) -> Any:
    """Parse a column's JSON; values that JSON or Python cannot hold (NaN, too deep, a number of too many digits) stay text."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
