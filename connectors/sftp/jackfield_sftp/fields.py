"""Inputs that several actions share."""

from __future__ import annotations

from typing import Any

from jackfield.connector import Detail, Field, InvalidInput

_PATH = {"minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]+$"}


def path_field(
    title: str = "Path",
    description: str = "The path: from the user's folder, or from the root with a slash.",
) -> Any:
    """Declare the input for a path."""
    return Field(title=title, description=description, examples=["inbox/orders.csv"], schema=_PATH)


def checked(path: str, pointer: str) -> str:
    """Return a path that can be encoded for the server.

    :raises InvalidInput: if it cannot be encoded.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        text = "has half of a surrogate pair, which is no character"
        raise InvalidInput(
            "a path cannot be sent", details=[Detail(pointer, text)], hint="Correct the path."
        ) from None
    return path
