"""What the fake remembers: requests, accepted messages, sessions; and their JSON forms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .mime import parse_content, parse_message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage

    from .call import Call

_HIDDEN = ("authorization", "x-amz-security-token")


@dataclass(frozen=True)
class Attachment:
    """One attachment as it arrived. `size` counts decoded bytes; `data` is empty where bytes are not kept."""

    name: str
    content_type: str
    size: int
    data: bytes = field(default=b"", repr=False)
    disposition: str = "ATTACHMENT"
    content_id: str | None = None

    @cached_property
    def sha256(self) -> str:
        """Hex digest of `data`."""
        return hashlib.sha256(self.data).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return the form that state shows."""
        return {
            "name": self.name,
            "contentType": self.content_type,
            "size": self.size,
            "sha256": self.sha256,
            "disposition": self.disposition,
            "contentId": self.content_id,
        }


@dataclass(frozen=True)
class Content:
    """What a reader of the message sees. `charsets` holds the Charset members that came ("subject", "text", "html")."""

    subject: str = ""
    text: str | None = None
    html: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    charsets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """One send that was accepted: envelope as asked for, content as it came.

    `simple` is set for kind "simple", `raw` for kind "raw" (empty where bytes are not kept). `size` is the encoded size in bytes, an
    estimate of SES's own encoding for "simple". Version 1's SendRawEmail has one list of destinations: it stands in `to`.
    """

    message_id: str
    service: str
    operation: str
    region: str
    access_key_id: str
    session_name: str | None
    source: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    configuration_set: str | None
    tags: Mapping[str, str]
    feedback_address: str | None
    identity_arn: str | None
    kind: str
    size: int
    connection: int
    at: float
    simple: Content | None = None
    raw: bytes = field(default=b"", repr=False)

    @property
    def recipients(self) -> tuple[str, ...]:
        """To, cc and bcc together."""
        return self.to + self.cc + self.bcc

    @cached_property
    def message(self) -> EmailMessage | None:
        """The parsed raw message; None for "simple" or without bytes. Python 3.11's parser has its faults: judge `raw` where it matters."""
        return parse_message(self.raw) if self.raw else None

    @cached_property
    def content(self) -> Content:
        """Subject, texts, headers and attachments, read from the raw message where there is one."""
        if self.simple is not None or self.message is None:
            return self.simple or Content()
        parsed = parse_content(self.message)
        attachments = tuple(Attachment(*part) for part in parsed.attachments)
        return Content(parsed.subject, parsed.text, parsed.html, parsed.headers, attachments)

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return self.content.subject

    @property
    def text(self) -> str | None:
        """The plain text, decoded."""
        return self.content.text

    @property
    def html(self) -> str | None:
        """The HTML text, decoded."""
        return self.content.html

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Custom headers of "simple"; every header of the message for "raw"."""
        return self.content.headers

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attachments, decoded."""
        return self.content.attachments

    def as_json(self) -> dict[str, Any]:
        """Return the form that state shows."""
        return {
            "messageId": self.message_id,
            "service": self.service,
            "operation": self.operation,
            "region": self.region,
            "accessKeyId": self.access_key_id,
            "sessionName": self.session_name,
            "source": self.source,
            "to": self.to,
            "cc": self.cc,
            "bcc": self.bcc,
            "replyTo": self.reply_to,
            "configurationSet": self.configuration_set,
            "tags": dict(self.tags),
            "feedbackAddress": self.feedback_address,
            "identityArn": self.identity_arn,
            "kind": self.kind,
            "size": self.size,
            "at": self.at,
            **self._content_json(),
        }

    def _content_json(self) -> dict[str, Any]:
        content = self.content
        shown: dict[str, Any] = {
            "headers": content.headers,
            "subject": content.subject,
            "text": content.text,
            "html": content.html,
            "attachments": [attachment.as_json() for attachment in content.attachments],
        }
        return {**shown, "sha256": hashlib.sha256(self.raw).hexdigest()} if self.raw else shown


@dataclass(frozen=True)
class Request:
    """One request that was read whole. `parameters` leaves message content out; `at` is the fake's clock."""

    service: str
    operation: str
    region: str
    parameters: Mapping[str, Any]
    headers: Mapping[str, str] = field(repr=False)
    connection: int
    at: float
    access_key_id: str = ""

    @classmethod
    def of(cls, call: Call, at: float) -> Request:
        """Return the record of a call."""
        return cls(
            service=call.service,
            operation=call.operation,
            region=call.region,
            parameters=call.parameters,
            headers=call.http.headers,
            connection=call.connection,
            at=at,
            access_key_id=call.access_key_id,
        )

    @property
    def name(self) -> str:
        """`sesv2:SendEmail`."""
        return f"{self.service}:{self.operation}"

    def as_json(self) -> dict[str, Any]:
        """Return the form that state shows: signature and session token hidden."""
        return {
            "service": self.service,
            "operation": self.operation,
            "region": self.region,
            "parameters": self.parameters,
            "headers": {name: "***" if name in _HIDDEN else value for name, value in self.headers.items()},
            "connection": self.connection,
            "at": self.at,
            "accessKeyId": self.access_key_id,
        }


@dataclass(frozen=True, kw_only=True)
class Session:
    """One assumed role. `policy` is the text that came with AssumeRole; times are seconds of the fake's clock."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    arn: str
    role_arn: str
    session_name: str
    external_id: str | None
    duration_seconds: int
    policy: str | None
    region: str
    made_by: str
    expires_at: float

    def as_json(self) -> dict[str, Any]:
        """Return the form that state shows: no secret, no token."""
        return {
            "accessKeyId": self.access_key_id,
            "arn": self.arn,
            "roleArn": self.role_arn,
            "sessionName": self.session_name,
            "externalId": self.external_id,
            "durationSeconds": self.duration_seconds,
            "policy": self.policy,
            "region": self.region,
            "expiresAt": self.expires_at,
        }
