"""Bytes as JSON: texts, or base64 where they are no UTF-8."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Literal

from jackfield.connector.models import Field
from jackfield.kernel.errors import Detail, InvalidInput

Encoding = Literal["text", "base64"]


def encoding_field() -> Any:
    """Declare how the inputs' values are written."""
    return Field(
        "text", title="Encoding", blank="absent", description="'text' for UTF-8; 'base64' for bytes, which are written as base64 then."
    )


def encoding_output() -> Any:
    """Declare how the output's values are written."""
    return Field(title="Encoding", description="'text'; or 'base64' if any of them is no UTF-8, and all of them are written as base64.")


def encoded(value: str, encoding: Encoding, path: str) -> bytes:
    """Return a value's bytes. ``path`` points at it.

    :raises InvalidInput: if it is no base64, or no text.
    """
    try:
        return value.encode() if encoding == "text" else base64.b64decode(value, validate=True)
    except UnicodeEncodeError:
        said = "has half of a surrogate pair, which is no character"
    except (binascii.Error, ValueError):
        said = "is not base64"
    raise InvalidInput("a value cannot be sent", details=[Detail(path, said)], hint="Correct the value.") from None


def decoded(values: Sequence[bytes | None]) -> tuple[list[str | None], Encoding]:
    """Return the texts of an answer's values, and how they are written."""
    try:
        return [None if value is None else value.decode() for value in values], "text"
    except UnicodeDecodeError:
        return [None if value is None else base64.b64encode(value).decode() for value in values], "base64"
