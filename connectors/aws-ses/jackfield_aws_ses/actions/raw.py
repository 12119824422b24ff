"""``sendRawEmail``: a message that the caller has encoded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email.message import Message as EmailMessage
from email.parser import BytesHeaderParser
from functools import cached_property
from typing import Annotated, Any

from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.fork import at_fork
from jackfield_aws import AwsClients
from jackfield_aws_ses.address_fields import read_address_field
from jackfield_aws_ses.addresses import (
    AddressError,
    parse_mailbox,
    parse_mailboxes,
    unique_recipients,
)
from jackfield_aws_ses.addresses import Mailbox as Address
from jackfield_aws_ses.attachments import AttachmentError, parse_attachments
from jackfield_aws_ses.compose import MAX_RECIPIENTS
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.fields import (
    FILE,
    TENANT,
    AddressList,
    Mailbox,
    endpoint_id_field,
    tenant_field,
)
from jackfield_aws_ses.mime import MAX_MESSAGE_SIZE
from jackfield_aws_ses.pacing import SENDING
from jackfield_aws_ses.provider import Answer, Regional, filled, iam, one_example
from jackfield_aws_ses.sending import TAGGED, TOLD, marked, sent_by_either

_MIME = "From: noreply@example.com\r\nTo: ada@example.com\r\nSubject: Hello\r\n\r\nHello Ada\r\n"
_LISTS = {"to": "To", "cc": "Cc", "bcc": "Bcc"}
# The parser ends the header at the first malformed line, other readers go on: a Bcc field below one
# would be shown. Old syntax allows blanks before the colon.
_HIDDEN = {
    "Bcc": re.compile(rb"(?:^|\r)bcc[ \t]*:", re.IGNORECASE | re.MULTILINE),
    "Resent-Bcc": re.compile(rb"(?:^|\r)resent-bcc[ \t]*:", re.IGNORECASE | re.MULTILINE),
}
_TENANT = re.compile(rb"(?:^|\r)x-ses-tenant[ \t]*:", re.IGNORECASE | re.MULTILINE)
_TAGS = re.compile(rb"(?:^|\r)x-ses-message-tags[ \t]*:", re.IGNORECASE | re.MULTILINE)
_MARKER = re.compile(rb"jf1-[a-z2-7]")
_RECIPIENTS = re.compile(rb"(?:^|\r)(?:to|cc)[ \t]*:", re.IGNORECASE | re.MULTILINE)
# before the colon, by RFC 5322 §4.5
_OLD_BLANKS = re.compile(rb"((?:^|\r)[!-9;-~]+)[ \t]+(?=:)", re.MULTILINE)
_MAX_HEADER = 1 << 20
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n|\r\r")


@dataclass(frozen=True, slots=True, repr=False)
class Raw:
    """Encoded message and its envelope."""

    data: bytes
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    has_tags: bool = False
    """True if the message already has message tags; jackfield then adds none."""


class RawEmail(Regional):
    """Encoded message, and its envelope."""

    message: Annotated[Any, WithJsonSchema(FILE)] = Field(
        title="Message",
        sensitive=True,
        description="The whole message (RFC 5322, MIME), at most 41,943,040 bytes: text, a data: "
        "URL, or base64 in 'data'. Line feeds in "
        "text become CRLF; bytes are sent unchanged.",
    )
    sender: Mailbox | None = Field(
        None,
        title="Sender Email",
        trim=True,
        blank="absent",
        description="The sender of the envelope; by default the message's From field.",
    )
    to: AddressList | None = Field(
        None,
        title="To Address",
        trim=True,
        blank="absent",
        recipient=True,
        description=(
            "Recipients of the envelope. If 'to', 'cc' and 'bcc' are omitted, the recipients "
            "in the message's To and Cc fields."
        ),
    )
    cc: AddressList | None = Field(
        None,
        title="Cc Address",
        trim=True,
        blank="absent",
        recipient=True,
        description="Further recipients of the envelope.",
    )
    bcc: AddressList | None = Field(
        None,
        title="Bcc Address",
        trim=True,
        blank="absent",
        recipient=True,
        description=(
            "Hidden recipients, which the message must not name: a Bcc field in it is refused."
        ),
    )
    configuration_set_name: str | None = Field(
        None,
        title="Configuration Set",
        trim=True,
        blank="absent",
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="The SES configuration set to use for this message.",
    )
    tenant: str | None = tenant_field(TENANT)
    endpoint_id: str | None = endpoint_id_field()

    def rules(self) -> Iterable[Detail]:
        """Return the faults of the message and its envelope."""
        return self._outcome[1]

    @property
    def raw(self) -> Raw:
        """The message to send; only for valid inputs."""
        if self._outcome[0] is None:
            raise ValueError("the inputs are invalid")
        return self._outcome[0]

    @cached_property
    def _outcome(self) -> tuple[Raw | None, tuple[Detail, ...]]:
        try:
            data = _octets(self.message)
        except AttachmentError as error:
            return None, (
                Detail(f"/message{error.pointer.removeprefix('/message.eml')}", error.reason),
            )
        if len(data) > MAX_MESSAGE_SIZE:
            text = f"is {len(data):,} bytes; Amazon SES takes at most {MAX_MESSAGE_SIZE:,}"
            return None, (Detail("/message", text, "maxLength"),)
        return self._addressed(data)

    def _addressed(self, data: bytes) -> tuple[Raw | None, tuple[Detail, ...]]:
        header = _END_OF_HEADER.split(data, 1)[0]
        fields = BytesHeaderParser().parsebytes(_OLD_BLANKS.sub(rb"\1", header[:_MAX_HEADER]))
        own = not (self.to or self.cc or self.bcc)
        faults = list(_header_faults(header, fields, own))
        lists: list[tuple[Address, ...]] = []
        for name, field in _LISTS.items():
            try:
                lists.append(
                    _mailboxes(fields, field) if own else parse_mailboxes(getattr(self, name) or ())
                )
            except AddressError as error:
                faults.append(
                    Detail(
                        "/message" if own else f"/{name}",
                        f"'{error.given[:60]}' {error.reason}",
                        "format",
                    )
                )
        try:
            _ = self.sender and parse_mailbox(self.sender)
        except AddressError as error:
            faults.append(Detail("/sender", str(error), "format"))
        if faults:
            return None, tuple(faults)
        to, cc, bcc = unique_recipients(*lists)
        count = len(to) + len(cc) + len(bcc)
        if own and not count and ("To" in fields or "Cc" in fields):
            return None, (Detail("/message", "the message's To field names nobody: give 'bcc'"),)
        if not 1 <= count <= MAX_RECIPIENTS:
            return None, (
                Detail(
                    "/to",
                    f"{count} recipients; give 1 to {MAX_RECIPIENTS} in 'to', 'cc', 'bcc' or the "
                    "message",
                ),
            )
        return Raw(data, to, cc, bcc, has_tags=_TAGS.search(header) is not None), ()


at_fork(RawEmail.__dict__["_outcome"])


def _header_faults(header: bytes, fields: EmailMessage[str, str], own: bool) -> Iterator[Detail]:
    if "From" not in fields:
        yield Detail("/message", "has no From field: it must begin with its header")
    for name, pattern in _HIDDEN.items():
        if pattern.search(header):
            yield Detail(
                "/message",
                f"has a {name} field, which every recipient could read: give hidden recipients "
                "in 'bcc'",
            )
    if _TAGS.search(header) and _MARKER.search(header):
        yield Detail(
            "/message",
            "has a marker of jackfield among its tags, by which it finds out what became of "
            "another call: leave it out",
        )
    if _TENANT.search(header):
        yield Detail(
            "/message",
            "has an X-SES-TENANT field, by which Amazon SES chooses the tenant: name it in "
            "'tenant'",
        )
    if own and len(_RECIPIENTS.findall(header)) > sum(
        name.lower() in ("to", "cc") for name in fields
    ):
        yield Detail(
            "/message",
            "has a To or Cc field below a line that is no field, where some programs do not read "
            "it: give 'to'",
        )


def _mailboxes(fields: EmailMessage[str, str], header: str) -> tuple[Address, ...]:
    """Return the mailboxes of all header fields named ``header``. Bytes beyond ASCII are read as
    UTF-8; invalid ones are replaced.
    """
    found: list[Address] = []
    for name, text in fields.raw_items():
        if name.lower() == header.lower():
            found += read_address_field(
                str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            )
    return tuple(found)


def _octets(message: object) -> bytes:
    data = parse_attachments({"message.eml": message})[0].data
    if isinstance(message, str) and message[:5].lower() != "data:":
        data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return data


class RawSent(Answer):
    """Proof that Amazon SES accepted the message."""

    message_id: str = Field(
        title="Message ID",
        description="The ID that Amazon SES assigned to the message.",
        reference=True,
        schema={"minLength": 1},
    )


def _recipients(mail: RawEmail) -> float:
    return float(len(mail.raw.to) + len(mail.raw.cc) + len(mail.raw.bcc))


@connector.action(
    "sendRawEmail",
    effect="write",
    marker=TAGGED,
    evidence=TOLD,
    permissions=iam("SendEmail", "SendRawEmail"),
    budget=SENDING,
    cost=_recipients,
    examples=one_example(
        "sendRawEmail",
        "A message with its header",
        {"message": _MIME},
        {"MessageId": "0102018f6b1c2d3e-4f5a6b7c-8d9e-4f0a-b1c2-d3e4f5a6b7c8-000000"},
    ),
)
def send_raw_email(mail: RawEmail, aws: AwsClients) -> RawSent:
    """Send an already encoded message to the envelope's recipients."""
    raw = mail.raw
    lists = {"ToAddresses": raw.to, "CcAddresses": raw.cc, "BccAddresses": raw.bcc}
    tags = () if raw.has_tags else marked(())
    parameters = filled(
        {
            "EmailTags": [{"Name": name, "Value": value} for name, value in tags] or None,
            "FromEmailAddress": parse_mailbox(mail.sender).header if mail.sender else None,
            "Destination": {
                name: [mailbox.header for mailbox in found]
                for name, found in lists.items()
                if found
            },
            "Content": {"Raw": {"Data": raw.data}},
            "ConfigurationSetName": mail.configuration_set_name,
            "TenantName": mail.tenant,
            "EndpointId": mail.endpoint_id,
        }
    )
    of_version_1 = {
        "Source": parameters.get("FromEmailAddress"),
        "Destinations": [mailbox.address for mailbox in (*raw.to, *raw.cc, *raw.bcc)],
        "RawMessage": {"Data": raw.data},
        "Tags": parameters.get("EmailTags"),
        "ConfigurationSetName": mail.configuration_set_name,
    }
    return RawSent(
        message_id=sent_by_either(aws, mail.aws_region, parameters, lambda: filled(of_version_1))
    )
