"""Conversion of a composed message to its SMTP form: the envelope's addresses, and the octets after DATA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jackfield_aws_ses.addresses import Mailbox
from jackfield_aws_ses.compose import Composed
from jackfield_aws_ses.headers import fold
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.mime import write_message

__all__ = ["Envelope", "enveloped"]


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """SMTP form of a message. ``content`` is ready to send except for its final dot; ``size`` is its length before dot-stuffing (RFC
    1870)."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    size: int


def enveloped(email: Email, composed: Composed) -> Envelope:
    """Build the envelope of a message. Bounces go to the envelope's sender, so the return path is used there (SES: feedback forwarding)."""
    message = composed.message
    source = composed.return_path or message.sender
    content = b"".join(_orders(email, composed, source)) + write_message(message)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    recipients = tuple(mailbox.address for mailbox in (*message.to, *message.cc, *composed.bcc))
    return Envelope(source.address, recipients, _stuffed(content), len(content))


def _orders(email: Email, composed: Composed, source: Mailbox) -> Iterator[bytes]:
    """Yield the fields that control Amazon SES; it removes them before delivery."""
    if email.configuration_set_name:
        yield fold("X-SES-CONFIGURATION-SET", (email.configuration_set_name,))
    if composed.tags:
        *first, last = (f"{name}={value}" for name, value in composed.tags)
        yield fold("X-SES-MESSAGE-TAGS", (*(f"{tag}," for tag in first), last))
    if email.identity_arn:
        yield fold("X-SES-FROM-ARN", (email.identity_arn,))
        if source.domain == composed.message.sender.domain:  # this identity does not cover another domain's return path
            yield fold("X-SES-SOURCE-ARN", (email.identity_arn,))
            yield fold("X-SES-RETURN-PATH-ARN", (email.identity_arn,))


def _stuffed(content: bytes) -> bytes:
    """Double the dot at the start of lines (RFC 5321 §4.5.2); the first line is always a header field."""
    return content.replace(b"\r\n.", b"\r\n..") if b"\r\n." in content else content
