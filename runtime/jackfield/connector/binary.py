"""JSON form of bytes: strings of UTF-8, or base64 for other bytes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Literal

from jackfield.connector.models import Field
from jackfield.kernel.errors import Detail, InvalidInput

Encoding = Literal["text", "base64"]


def encoding_field() -> Any:
    """Return the field for the encoding of the inputs' values."""
    return Field(
        "text",
        title="Encoding",
        blank="absent",
        description="'text' for UTF-8; 'base64' for bytes, which are written as base64 then.",
    )


def encoding_output() -> Any:
    """Return the field for the encoding of the output's values."""
    return Field(
        title="Encoding",
        description=(
            "'text'; or 'base64' if any of them is no UTF-8, and all of them are written as base64."
        ),
    )


def encoded(value: str, encoding: Encoding, path: str) -> bytes:
    """Return a value's bytes. ``path`` points at the value.

    :raises InvalidInput: if the value is not base64, or not valid Unicode.
    """
    try:
        return value.encode() if encoding == "text" else base64.b64decode(value, validate=True)
    except UnicodeEncodeError:
        said = "has half of a surrogate pair, which is no character"
    except (binascii.Error, ValueError):
        said = "is not base64"
    raise InvalidInput(
        "a value cannot be sent", details=[Detail(path, said)], hint="Correct the value."
    ) from None


def decoded(values: Sequence[bytes | None]) -> tuple[list[str | None], Encoding]:
    """Return the strings of an answer's values, and their encoding: base64 for all if any of them
    is not UTF-8.
    """
    try:
        return [None if value is None else value.decode() for value in values], "text"
    except UnicodeDecodeError:
        return [
            None if value is None else base64.b64encode(value).decode() for value in values
        ], "base64"
