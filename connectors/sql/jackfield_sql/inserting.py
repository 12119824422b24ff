"""Rows to insert, as the columns, lines and parameters of one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jackfield.connector import Detail
from jackfield_sql.statements import MOST_VALUES

ROWS: dict[str, Any] = {"minItems": 1, "maxItems": 1000, "items": {"type": "object", "minProperties": 1, "maxProperties": 1600}}
"""Schema of the rows."""


def columns_of(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the columns that any row has, in the order of their first row."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def too_many(rows: Sequence[Mapping[str, Any]]) -> Iterable[Detail]:
    """Yield the fault of more values than one statement takes."""
    if len(columns_of(rows)) * len(rows) > MOST_VALUES:
        yield Detail("/rows", f"has more than {MOST_VALUES:,} values: send fewer rows at a time")


def lines_of(rows: Sequence[Mapping[str, Any]], placeholder: Callable[[int], str]) -> tuple[str, list[Any]]:
    """Return the lines of VALUES and their parameters; ``placeholder`` writes the placeholder of a number, from 1. Columns that a row lacks
    get their default."""
    values: list[Any] = []
    names = columns_of(rows)

    def place(row: Mapping[str, Any], name: str) -> str:
        if name not in row:
            return "DEFAULT"
        values.append(row[name])
        return placeholder(len(values))

    lines = [f"({', '.join(place(row, name) for name in names)})" for row in rows]
    return ", ".join(lines), values
