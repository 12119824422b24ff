"""Names of connections derived from any text."""

from __future__ import annotations

_MAX_NAME = 100


def connection_name(name: str) -> str:
    """Return a valid connection name for any name: other characters become hyphens.

    :raises ValueError: if only punctuation remains.
    """
    letters = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else " "
        for letter in name
    )
    found = "-".join(letters.split())[:_MAX_NAME]
    if not any(letter.isalnum() for letter in found):
        raise ValueError(
            "its name has no letter and no digit of ASCII, and a connection's name needs one"
        )
    return found
