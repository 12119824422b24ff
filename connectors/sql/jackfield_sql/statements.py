"""Inputs and outputs of statements."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from jackfield.connector import Detail, Field, InvalidInput, Output
from jackfield_sql.rows import MOST_ROWS, Rows

MOST_VALUES = 65_535
"""Maximum number of a statement's parameters: the limit of PostgreSQL ("PostgreSQL Limits") and of
MySQL (error 1390).
"""


def sql_field(example: str, description: str) -> Any:
    """Declare the input for the caller's own SQL statement."""
    limits = {"minLength": 1, "maxLength": 1_000_000}
    return Field(
        title="SQL",
        multiline=True,
        language="sql",
        examples=[example],
        schema=limits,
        description=description,
    )


def parameters_field(description: str) -> Any:
    """Declare the input for the values of a statement's placeholders."""
    return Field((), title="Parameters", schema={"maxItems": MOST_VALUES}, description=description)


def max_rows_field() -> Any:
    """Declare the input for the maximum number of rows to return."""
    limits = {"minimum": 1, "maximum": MOST_ROWS}
    return Field(
        1000, title="Max Rows", description="Rows to return at most.", blank="absent", schema=limits
    )


def rows_output(description: str) -> Any:
    """Declare the output of a statement's rows."""
    return Field(title="Rows", description=description)


class FoundRows(Output):
    """Rows that a statement returned."""

    rows: tuple[dict[str, Any], ...] = rows_output("The rows, by column.")
    columns: tuple[str, ...] = Field(
        title="Columns",
        description="Names of the columns, in their order. One that comes again is numbered.",
    )
    truncated: bool = Field(
        title="Truncated",
        description="True if there are more rows than were asked for, or than 4 MiB hold.",
    )


def found(rows: Rows) -> dict[str, Any]:
    """Return rows as the members of ``FoundRows``."""
    return {
        "rows": tuple(dict(row) for row in rows.rows),
        "columns": rows.columns,
        "truncated": rows.truncated,
    }


class Unfit(ValueError):
    """Error of a parameter that cannot be sent. Its message continues a pointer: "…/parameters/0 is
    not base64".
    """


def bytes_of(value: Any) -> bytes:
    """Decode base64.

    :raises Unfit: if ``value`` is not base64.
    """
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Unfit("is not base64, as bytes are written") from None


def sendable(text: str) -> bytes:
    """Encode a text as UTF-8.

    :raises Unfit: if the text has half of a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Unfit("has half of a surrogate pair, which is no character") from None


def check_statement(statement: str) -> None:
    """Check that a statement has only characters that a server accepts.

    :raises InvalidInput: if it has NUL or half of a surrogate pair.
    """
    if "\0" in statement:
        raise InvalidInput(
            "the statement has a NUL character",
            details=[Detail("/sql", "has a NUL character")],
            hint="Remove it.",
        )
    try:
        statement.encode()
    except UnicodeEncodeError:
        raise InvalidInput(
            "the statement has half of a surrogate pair",
            details=[Detail("/sql", "is no text")],
            hint="Correct it.",
        ) from None


def bad_parameter(place: int, unfit: Unfit) -> InvalidInput:
    """Return the error for a parameter that cannot be sent. ``place`` counts from 0."""
    return InvalidInput(
        "a parameter cannot be sent",
        details=[Detail(f"/parameters/{place}", str(unfit))],
        hint="Change the parameter.",
    )
