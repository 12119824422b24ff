"""Values as JSON: texts, or base64 where they are no UTF-8."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from jackfield.connector import Detail, Field, InvalidInput, pointer

Encoding = Literal["text", "base64"]
LONGEST = 8 * 1024 * 1024
"""Characters of a value. The server's own limit is 512 MiB ("Redis strings")."""
TEXT: dict[str, Any] = {"maxLength": LONGEST}
NAME = {"minLength": 1, "maxLength": 65_536}
FIELDS: dict[str, Any] = {
    "minProperties": 1, "maxProperties": 1000, "propertyNames": {"maxLength": 65_536},
    "additionalProperties": {"type": "string", "maxLength": LONGEST},
}  # fmt: skip
"""Limits of values by field."""


def encoding_field() -> Any:
    """Declare how the inputs' values are written."""
    return Field(
        "text", title="Encoding", blank="absent", description="'text' for UTF-8; 'base64' for bytes, which are written as base64 then."
    )


def encoding_output() -> Any:
    """Declare how the output's values are written."""
    return Field(title="Encoding", description="'text'; or 'base64' if any of them is no UTF-8, and all of them are written as base64.")


def key_field() -> Any:
    """Declare the key."""
    return Field(title="Key", description="The key's name.", examples=["cart:7"], secret=False, schema=NAME)


def expiry_field(default: Any, description: str, *, blank: Literal["absent"] | None = None) -> Any:
    """Declare after how many seconds a key is deleted."""
    return Field(default, title="Expire Seconds", description=description, blank=blank, schema={"minimum": 1, "maximum": 2**31})


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


def pairs_of(fields: Mapping[str, str], encoding: Encoding) -> list[bytes]:
    """Return names and values of fields in turn, as commands take them.

    :raises InvalidInput: as ``encoded`` does.
    """
    pairs = ((encoded(name, "text", "/fields"), encoded(value, encoding, pointer("fields", name))) for name, value in fields.items())
    return [part for pair in pairs for part in pair]


def fields_of(pairs: Sequence[bytes]) -> tuple[dict[str, str], Encoding]:
    """Return the fields of an answer that has names and values in turn, and how their values are written. A name that is no UTF-8 has
    replacement characters."""
    values, encoding = decoded(pairs[1::2])
    return dict(zip((name.decode("utf-8", "replace") for name in pairs[::2]), texts(values), strict=True)), encoding


def texts(values: Iterable[str | None]) -> tuple[str, ...]:
    """Return values of which none is missing."""
    return tuple(value or "" for value in values)
