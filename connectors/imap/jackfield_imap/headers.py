"""Decoded mail headers: encoded words (RFC 2047) are decoded, and invalid bytes become replacement
characters.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

_LONGEST = 10_000
"""Maximum characters that are read of a header."""
_MOST_ADDRESSES = 500


def text_of(message: Message, name: str) -> str:
    """Return a header decoded; an empty string if it is missing."""
    return decoded(raw_of(message, name)).strip()


def raw_of(message: Message, name: str) -> str:
    """Return a header without decoding it and without line breaks. Bytes outside ASCII are read as
    UTF-8.
    """
    found = message.get(name)
    text = "" if found is None else str(found)[:_LONGEST]
    with suppress(UnicodeEncodeError):  # it has other characters already
        text = text.encode("ascii", "surrogateescape").decode("utf-8", "replace")
    return whole(text.replace("\r", "").replace("\n", ""))


def whole(text: str) -> str:
    """Replace halves of surrogate pairs, which some charsets can encode."""
    return text.encode("utf-8", "replace").decode()


def decoded(text: str) -> str:
    """Decode the encoded words of a header."""
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(
        part if isinstance(part, str) else read(part, charset) for part, charset in parts
    )


def read(content: bytes, charset: str | None) -> str:
    """Decode bytes in a charset, or in UTF-8 if the charset is unknown."""
    try:
        return whole(content.decode(charset or "utf-8", "replace"))
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def addresses_of(message: Message, name: str) -> tuple[str, ...]:
    """Return a header's addresses, with names where it has them: ``Ada <ada@example.com>``."""
    found = getaddresses([raw_of(message, name)])[:_MOST_ADDRESSES]
    return tuple(
        f"{decoded(name)} <{address}>" if name else address for name, address in found if address
    )


def date_of(message: Message) -> str | None:
    """Return the time of a message's ``Date`` header in RFC 3339, UTC; None if it is missing or
    invalid.
    """
    try:
        return moment(parsedate_to_datetime(raw_of(message, "Date")))
    except (TypeError, ValueError, OverflowError):
        return None


def moment(value: datetime) -> str:
    """Format a time in RFC 3339, UTC."""
    known = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return known.strftime("%Y-%m-%dT%H:%M:%SZ")
