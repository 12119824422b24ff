"""Messages accepted by SES: the requested envelope, and the decoded content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from functools import cached_property

_CHARSETS = frozenset(
    {
        "utf-8",
        "us-ascii",
        "iso-8859-1",
        "iso-8859-15",
        "windows-1252",
        "iso-2022-jp",
        "shift_jis",
        "gb18030",
        "big5",
    }
)
"""Charsets whose bodies are decoded: some of Python's other codecs may take quadratic time."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment, decoded."""

    name: str
    content_type: str
    data: bytes = field(repr=False)
    disposition: str = "ATTACHMENT"
    content_id: str | None = None

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.data)

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Content:
    """Content of a message: subject, texts, headers (for simple content the additional ones, for
    raw content all) and attachments.

    ``charsets`` are the charsets given for ``subject``, ``text`` and ``html``.
    """

    subject: str = ""
    text: str | None = None
    html: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    charsets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """Accepted message. ``at`` is a time of the ledger's clock; ``simple`` is set for kind
    "simple", ``raw`` for kind "raw".

    ``size`` is the encoded size in bytes; for simple content it estimates SES's own encoding.
    SendRawEmail of version 1 has one list of destinations, stored in ``to``.
    """

    message_id: str
    at: float
    service: str
    region: str
    access_key_id: str
    session_name: str | None
    source: str
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    configuration_set: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    feedback_address: str | None = None
    identity_arn: str | None = None
    tenant: str | None = None
    template: str | None = None
    size: int
    simple: Content | None = None
    raw: bytes = field(default=b"", repr=False)

    @property
    def kind(self) -> str:
        """Kind of content: ``simple`` or ``raw``."""
        return "raw" if self.simple is None else "simple"

    @property
    def recipients(self) -> tuple[str, ...]:
        """To, cc and bcc together."""
        return self.to + self.cc + self.bcc

    @cached_property
    def content(self) -> Content:
        """Content of the message, parsed from the raw message if there is one."""
        return self.simple or _parse_content(self.raw)

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return self.content.subject

    @property
    def text(self) -> str | None:
        """Plain text, decoded; None if the message has none."""
        return self.content.text

    @property
    def html(self) -> str | None:
        """HTML text, decoded; None if the message has none."""
        return self.content.html

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of the content."""
        return self.content.headers

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attachments, decoded."""
        return self.content.attachments


def decoded(value: object) -> str:
    """Decode a header's RFC 2047 words; the parsers of ``email`` would insert blanks between
    them.
    """
    text = str(value)
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeError):
        return text


def _parse_content(raw: bytes) -> Content:
    message = message_from_bytes(raw)
    texts: dict[str, str] = {}
    attachments: list[Attachment] = []
    for part in message.walk():
        if part.is_multipart():
            continue
        kind, named = part.get_content_type(), part.get_filename()
        if named is None and part.get_content_disposition() is None and kind.startswith("text/"):
            texts.setdefault(kind, _text(part))
        else:
            disposition = (part.get_content_disposition() or "attachment").upper()
            about = part.get("Content-ID")
            attachments.append(
                Attachment(
                    decoded(named or ""),
                    kind,
                    _octets(part),
                    disposition,
                    str(about).strip("<> ") if about else None,
                )
            )
    headers = tuple((name, decoded(value)) for name, value in message.items())
    return Content(
        decoded(message.get("Subject", "")),
        texts.get("text/plain"),
        texts.get("text/html"),
        headers,
        tuple(attachments),
    )


def _octets(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _text(part: Message) -> str:
    charset = part.get_content_charset("utf-8")
    return _octets(part).decode(charset if charset in _CHARSETS else "utf-8", "replace")
