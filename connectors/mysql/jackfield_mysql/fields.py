"""Inputs that several actions share."""

from __future__ import annotations

from typing import Any

from jackfield.connector import Field

_NAME = {"minLength": 1, "maxLength": 64, "pattern": "^[^\\u0000]+$"}


def table_field() -> Any:
    """Declare the input for a table of the connection's database."""
    return Field(
        title="Table",
        description="The table's name, in the connection's database.",
        options="tables",
        examples=["orders"],
        schema=_NAME,
    )
