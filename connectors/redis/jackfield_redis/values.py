"""Keys and fields of hashes and streams, as inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from jackfield.connector import Field, pointer
from jackfield.connector.binary import Encoding, decoded, encoded

LONGEST = 8 * 1024 * 1024
"""Maximum characters of a value. The server's own limit is 512 MiB ("Redis strings")."""
TEXT: dict[str, Any] = {"maxLength": LONGEST}
NAME = {"minLength": 1, "maxLength": 65_536}
FIELDS: dict[str, Any] = {
    "minProperties": 1,
    "maxProperties": 1000,
    "propertyNames": {"maxLength": 65_536},
    "additionalProperties": {"type": "string", "maxLength": LONGEST},
}
"""Schema of fields by name: limits of their number, names and values."""


def key_field() -> Any:
    """Declare the input for a key."""
    return Field(
        title="Key", description="The key's name.", examples=["cart:7"], secret=False, schema=NAME
    )


def expiry_field(default: Any, description: str, *, blank: Literal["absent"] | None = None) -> Any:
    """Declare the input for the seconds after which a key is deleted."""
    return Field(
        default,
        title="Expire Seconds",
        description=description,
        blank=blank,
        schema={"minimum": 1, "maximum": 2**31},
    )


def pairs_of(fields: Mapping[str, str], encoding: Encoding) -> list[bytes]:
    """Return alternating names and values of fields, as commands expect them.

    :raises InvalidInput: as ``encoded`` does.
    """
    pairs = (
        (encoded(name, "text", "/fields"), encoded(value, encoding, pointer("fields", name)))
        for name, value in fields.items()
    )
    return [part for pair in pairs for part in pair]


def fields_of(pairs: Sequence[bytes]) -> tuple[dict[str, str], Encoding]:
    """Return the fields in an answer's alternating names and values, and the encoding of the
    values. Invalid UTF-8 in a name becomes replacement characters.
    """
    values, encoding = decoded(pairs[1::2])
    return dict(
        zip((name.decode("utf-8", "replace") for name in pairs[::2]), texts(values), strict=True)
    ), encoding


def texts(values: Iterable[str | None]) -> tuple[str, ...]:
    """Return the values with an empty string for each None."""
    return tuple(value or "" for value in values)
