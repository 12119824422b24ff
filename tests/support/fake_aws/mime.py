"""Reading raw messages: the header block quickly, the whole message by the standard library."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage, Message

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class Parsed:
    """A raw message's content; `attachments` are (name, type, size, bytes, disposition, content id)."""

    subject: str
    text: str | None
    html: str | None
    headers: tuple[tuple[str, str], ...]
    attachments: tuple[tuple[str, str, int, bytes, str, str | None], ...]


def header_block(raw: bytes) -> list[tuple[str, str]]:
    """Names (in lower case) and unfolded values of the message's own headers, undecoded."""
    end = _END.search(raw)
    block = _FOLD.sub("", (raw[: end.start()] if end else raw[:65_536]).decode("utf-8", "replace"))
    pairs = (line.partition(":") for line in block.splitlines())
    return [(name.strip().lower(), value.strip()) for name, colon, value in pairs if colon]


def parse_message(raw: bytes) -> EmailMessage:
    """Return the message as the standard library reads it."""
    return email.message_from_bytes(raw, EmailMessage, policy=email.policy.default)


def parse_content(message: EmailMessage) -> Parsed:
    """Subject, first plain and HTML text, headers, attachments."""
    texts: dict[str, str] = {}
    attachments: list[tuple[str, str, int, bytes, str, str | None]] = []
    for part in message.walk():
        if part.is_multipart() and part.get_content_type() != "message/rfc822":
            continue
        kind = part.get_content_type()
        if part.get_content_disposition() is None and part.get_filename() is None and kind.startswith("text/"):
            texts.setdefault(kind, _text(part))
        else:
            attachments.append(_attachment(part, kind))
    headers = tuple((name, str(value)) for name, value in message.items())
    return Parsed(str(message.get("Subject", "")), texts.get("text/plain"), texts.get("text/html"), headers, tuple(attachments))


def _payload(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _text(part: Message) -> str:
    try:
        return _payload(part).decode(part.get_content_charset() or "ascii", "replace")
    except LookupError:
        return _payload(part).decode("latin-1")


def _attachment(part: Message, kind: str) -> tuple[str, str, int, bytes, str, str | None]:
    data = _payload(part)
    content_id = part.get("Content-ID")
    disposition = (part.get_content_disposition() or "attachment").upper()
    return part.get_filename() or "", kind, len(data), data, disposition, str(content_id).strip("<> ") if content_id else None
