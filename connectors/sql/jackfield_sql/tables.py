"""Outputs that describe a table's columns, and errors about tables and their pages."""

from __future__ import annotations

from jackfield.connector import Detail, Field, InvalidInput, NotFound, Output, Sent


class TableColumn(Output):
    """Column of a table."""

    name: str = Field(title="Name", description="Its name.")
    type: str = Field(title="Type", description="Its type, such as numeric(10,2).")
    nullable: bool = Field(title="Nullable", description="True if it may be null.")
    default: str | None = Field(None, title="Default", description="The expression of its default.")
    key: bool = Field(title="Key", description="True if it is of the primary key.")


class TableDescription(Output):
    """Columns of a table."""

    columns: tuple[TableColumn, ...] = Field(
        title="Columns", description="The columns, in their order."
    )


def no_table(message: str) -> NotFound:
    """Return the error for a table that does not exist or that the user may not see."""
    fault = Detail("/table", "does not exist, or the user may not see it")
    return NotFound(message, details=[fault], hint="Call listTables.", sent=Sent.REFUSED)


def bad_token() -> InvalidInput:
    """Return the error for an invalid page token."""
    text = "is no token of this list"
    return InvalidInput(
        "the page token cannot be read",
        details=[Detail("/nextToken", text)],
        hint="Begin without one.",
    )
