"""Headers of mail as text: encoded words (RFC 2047) are decoded, and invalid ones become replacement characters."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

_LONGEST = 10_000
"""Characters of a header that are read."""
_MOST_ADDRESSES = 500


def text_of(message: Message, name: str) -> str:
    """Return a header's text; empty if there is none."""
    return decoded(raw_of(message, name)).strip()


def raw_of(message: Message, name: str) -> str:
    """Return a header as it came, without line breaks; bytes that are no ASCII are read as UTF-8."""
    found = message.get(name)
    text = "" if found is None else str(found)[:_LONGEST]
    with suppress(UnicodeEncodeError):  # it has other characters already
        text = text.encode("ascii", "surrogateescape").decode("utf-8", "replace")
    return whole(text.replace("\r", "").replace("\n", ""))


def whole(text: str) -> str:
    """Return a text without halves of surrogate pairs, which some charsets can write."""
    return text.encode("utf-8", "replace").decode()


def decoded(text: str) -> str:
    """Decode a text's encoded words."""
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(part if isinstance(part, str) else read(part, charset) for part, charset in parts)


def read(content: bytes, charset: str | None) -> str:
    """Return the text of bytes in a charset; in UTF-8 if there is none of that name."""
    try:
        return whole(content.decode(charset or "utf-8", "replace"))
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def addresses_of(message: Message, name: str) -> tuple[str, ...]:
    """Return the addresses of a header, with their names: ``Ada <ada@example.com>``."""
    found = getaddresses([raw_of(message, name)])[:_MOST_ADDRESSES]
    return tuple(f"{decoded(name)} <{address}>" if name else address for name, address in found if address)


def date_of(message: Message) -> str | None:
    """Return when a message says that it was written, in RFC 3339, UTC; None if it does not say so."""
    try:
        return moment(parsedate_to_datetime(raw_of(message, "Date")))
    except (TypeError, ValueError, OverflowError):
        return None


def moment(value: datetime) -> str:
    """Return a time in RFC 3339, UTC."""
    known = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return known.strftime("%Y-%m-%dT%H:%M:%SZ")
