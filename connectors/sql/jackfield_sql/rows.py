"""Rows that a statement returns: limited while they arrive, and converted to JSON values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from jackfield.kernel.dataclass import dataclass, field

MOST_ROWS = 10_000
"""Maximum number of rows that one call returns."""
MOST_BYTES = 4 * 1024 * 1024
"""Maximum bytes of values, as the server sends them, that one call returns."""
MOST_VALUES = 500_000
"""Maximum number of values that one call returns, including NULL, which has no bytes but costs
memory and time.
"""
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Rows:
    """Outcome of a statement: column names, rows as JSON values, and the number of rows that it
    returned or changed.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    affected: int = 0
    truncated: bool = False


@dataclass(slots=True)
class Collected(Generic[R]):
    """Collector of rows as they arrive, up to the limits. ``full`` is set at the first row that
    exceeds a limit.
    """

    most: int
    rows: list[R] = field(default_factory=list)
    size: int = 0
    values: int = 0
    full: bool = False

    def add(self, row: R, size: int, values: int) -> None:
        """Append a row unless it exceeds a limit. ``size`` is its bytes, ``values`` its number of
        values.
        """
        if self.full:
            return
        self.size += size
        self.values += values
        self.full = (
            len(self.rows) >= self.most or self.size > MOST_BYTES or self.values > MOST_VALUES
        )
        if not self.full:
            self.rows.append(row)


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names with numbers appended to repeated ones, so that each column becomes a member
    of the row.
    """
    found: dict[str, int] = {}
    for name in names:
        taken, number = name, found.get(name, 1)
        while taken in found:
            number += 1
            taken = f"{name}_{number}"
        # where the next one of this name goes on: the columns may all have one name
        found[name] = number
        found.setdefault(taken, 1)
    return [*found]


def json_of(text: str) -> Any:
    """Parse a column's JSON; return the text itself if JSON or Python cannot represent it (NaN, too
    deep, too many digits).
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
