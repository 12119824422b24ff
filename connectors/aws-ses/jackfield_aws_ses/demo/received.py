"""A message as AWS received it: read from the request of SESv2 ``SendEmail``, Simple or Raw content."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from typing import Any

__all__ = ["Part", "SentMessage", "read_request"]


@dataclass(frozen=True, slots=True)
class Part:
    """A body or an attachment: its media type without parameters, its size in bytes once decoded, an attachment's name."""

    content_type: str
    size: int
    name: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The part for showing."""
        named = {"name": self.name} if self.name is not None else {}
        return {**named, "contentType": self.content_type, "bytes": self.size}


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that AWS accepted. ``to``, ``cc`` and ``bcc`` are the envelope; names and subject have no RFC 2047 words any more.

    ``form`` is the kind of content, ``Simple`` or ``Raw``; ``request`` the JSON that arrived.
    """

    message_id: str
    form: str
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Part, ...]
    request: Mapping[str, Any] = field(repr=False)

    @property
    def bodies(self) -> tuple[Part, ...]:
        """The parts that a reader sees as the message itself."""
        found = (("text/plain", self.text), ("text/html", self.html))
        return tuple(Part(kind, len(text.encode("utf-8", "replace"))) for kind, text in found if text is not None)

    def to_json(self) -> dict[str, Any]:
        """The message for showing, without its texts and the attachments' bytes."""
        members: dict[str, Any] = {
            "MessageId": self.message_id,
            "form": self.form,
            "from": self.sender,
            "to": list(self.to),
            "cc": list(self.cc),
            "bcc": list(self.bcc),
            "replyTo": list(self.reply_to),
            "subject": self.subject,
            "parts": [part.to_json() for part in self.bodies],
            "attachments": [part.to_json() for part in self.attachments],
        }
        return {name: value for name, value in members.items() if value != []}


@dataclass(frozen=True, slots=True)
class _Content:
    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Part, ...]


def read_request(request: Mapping[str, Any], message_id: str) -> SentMessage:
    """The message in a ``SendEmail`` request that AWS answered with ``message_id``."""
    content = request.get("Content") or {}
    raw = content.get("Raw")
    read = _read_raw(base64.b64decode(raw["Data"])) if raw else _read_simple(content.get("Simple") or {})
    destination = request.get("Destination") or {}
    return SentMessage(
        message_id=message_id,
        form="Raw" if raw else "Simple",
        sender=_plain(request.get("FromEmailAddress", "")),
        to=_plain_all(destination.get("ToAddresses")),
        cc=_plain_all(destination.get("CcAddresses")),
        bcc=_plain_all(destination.get("BccAddresses")),
        reply_to=_plain_all(request.get("ReplyToAddresses")),
        subject=read.subject,
        text=read.text,
        html=read.html,
        attachments=read.attachments,
        request=request,
    )


def _read_simple(simple: Mapping[str, Any]) -> _Content:
    body = simple.get("Body") or {}
    attachments = tuple(
        Part(
            item.get("ContentType", "application/octet-stream").partition(";")[0],
            len(base64.b64decode(item.get("RawContent", ""))),
            item.get("FileName", ""),
        )
        for item in simple.get("Attachments") or ()
    )
    return _Content((simple.get("Subject") or {}).get("Data", ""), _data(body, "Text"), _data(body, "Html"), attachments)


def _data(body: Mapping[str, Any], name: str) -> str | None:
    found: str | None = (body.get(name) or {}).get("Data")
    return found


def _read_raw(octets: bytes) -> _Content:
    message = BytesParser().parsebytes(octets)
    bodies: dict[str, str] = {}
    attachments: list[Part] = []
    for part in message.walk():
        if part.is_multipart():
            continue
        name, content = part.get_filename(), part.get_payload(decode=True)
        octets = content if isinstance(content, bytes) else b""
        if name is not None or part.get_content_disposition() == "attachment":
            attachments.append(Part(part.get_content_type(), len(octets), _plain(name or "")))
        else:
            bodies.setdefault(part.get_content_type(), _decoded(octets, part))
    return _Content(_plain(message.get("Subject", "")), bodies.get("text/plain"), bodies.get("text/html"), tuple(attachments))


def _decoded(octets: bytes, part: Message) -> str:
    try:
        return octets.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset that Python does not know
        return octets.decode("utf-8", "replace")


def _plain_all(values: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(_plain(value) for value in values or ())


def _plain(value: object) -> str:
    """A header's value without RFC 2047 words, which the parsers of the ``email`` package join with blanks of their own."""
    text = str(value)
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeError):
        return text
