"""Inputs that several actions share."""

from __future__ import annotations

from typing import Any

from jackfield.connector import Field

_NAME = {"minLength": 1, "maxLength": 63, "pattern": "^[^\\u0000]+$"}


def schema_field() -> Any:
    """Declare the input for a table's schema."""
    return Field(
        "public",
        alias="schema",
        title="Schema",
        description="The table's schema.",
        options="schemas",
        blank="absent",
        schema=_NAME,
    )


def table_field(
    description: str = "The table's name, as it is stored: capital letters count.",
) -> Any:
    """Declare the input for a table's name."""
    return Field(
        title="Table", description=description, options="tables", examples=["orders"], schema=_NAME
    )


def column_field(title: str, description: str) -> Any:
    """Declare the input for a column's name."""
    return Field(
        title=title, description=description, options="columns", examples=["id"], schema=_NAME
    )
