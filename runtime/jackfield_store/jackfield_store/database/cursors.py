"""Cursors of lists that are ordered by a number and then by texts: ``1795441224.3~ID`` marks the
end of a page.
"""

from __future__ import annotations

from typing import Any

from jackfield.kernel.errors import InvalidInvocation


def cursor_after(last: Any | None, *columns: str) -> str | None:
    """Return the cursor after a row; None if no row follows."""
    return None if last is None else "~".join(str(getattr(last, name)) for name in columns)


def place_after(cursor: str, *names: str) -> dict[str, Any]:
    """Read a cursor as parameters of SQL: the number, then the texts.

    :raises InvalidInvocation: if it did not come from a list.
    """
    number, *texts = cursor.split("~", len(names) - 1)
    try:
        return {names[0]: float(number), **dict(zip(names[1:], texts, strict=True))}
    except ValueError:
        raise invalid_cursor() from None


def invalid_cursor() -> InvalidInvocation:
    """Return the error for a cursor that did not come from a list."""
    return InvalidInvocation("invalid cursor", hint="Start again without a cursor.")
