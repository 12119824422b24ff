"""Rows that a statement returns: bounded while they arrive, and as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from jackfield.kernel.dataclass import dataclass, field

MOST_ROWS = 10_000
"""Rows that one call returns at most."""
MOST_BYTES = 4 * 1024 * 1024
"""Bytes of values, as the server sends them, that one call returns at most."""
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
    """Rows as they arrive, up to the limits; ``full`` is set once there is one that does not fit."""

    most: int
    rows: list[R] = field(default_factory=list)
    size: int = 0
    full: bool = False

    def add(self, row: R, size: int) -> None:
        """Keep a row whose values have ``size`` bytes, unless a limit is reached."""
        if self.full:
            return
        self.size += size
        self.full = len(self.rows) >= self.most or self.size > MOST_BYTES
        if not self.full:
            self.rows.append(row)


def unique_names(names: Sequence[str]) -> list[str]:
    """Number names that come again: each column is a member of the row."""
    found: list[str] = []
    for name in names:
        taken, number = name, 2
        while taken in found:
            taken, number = f"{name}_{number}", number + 1
        found.append(taken)
    return found
