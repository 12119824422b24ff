"""Parts of an INSERT statement: columns, VALUES lists and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jackfield.connector import Detail
from jackfield_sql.statements import MOST_VALUES

ROWS: dict[str, Any] = {
    "minItems": 1,
    "maxItems": 1000,
    "items": {"type": "object", "minProperties": 1, "maxProperties": 1600},
}
"""Schema of the rows."""


def columns_of(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the columns of all rows, ordered by first appearance."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def too_many(rows: Sequence[Mapping[str, Any]]) -> Iterable[Detail]:
    """Yield a fault if the rows have more values than one statement allows."""
    if len(columns_of(rows)) * len(rows) > MOST_VALUES:
        yield Detail("/rows", f"has more than {MOST_VALUES:,} values: send fewer rows at a time")


def lines_of(
    rows: Sequence[Mapping[str, Any]], placeholder: Callable[[int], str]
) -> tuple[str, list[Any]]:
    """Return the VALUES lists and their parameters; ``placeholder`` formats the placeholder of a
    number, from 1. Columns missing in a row get their default.
    """
    values: list[Any] = []
    names = columns_of(rows)

    def place(row: Mapping[str, Any], name: str) -> str:
        if name not in row:
            return "DEFAULT"
        values.append(row[name])
        return placeholder(len(values))

    lines = [f"({', '.join(place(row, name) for name in names)})" for row in rows]
    return ", ".join(lines), values
