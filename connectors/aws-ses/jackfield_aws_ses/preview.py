"""Preview of a message: the output of a dry run of ``sendEmail`` with ``preview: true``."""

from __future__ import annotations

from typing import Literal

from jackfield.connector import Field, Output
from jackfield_aws_ses.content_checks import check_content
from jackfield_aws_ses.content_ids import linked_ids
from jackfield_aws_ses.finding import Finding
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.mime import Message, write_message
from jackfield_aws_ses.prices import estimate
from jackfield_aws_ses.sending import is_simple


class MessageCost(Output):
    """Estimated cost of one message, in the plan without a monthly fee."""

    total: float = Field(
        description="Cost of the message to all its recipients, with its attachments."
    )
    currency: str = Field(description="ISO 4217 code of the currency.")
    prices_as_of: str = Field(description="Date of the price list.", schema={"format": "date"})


class PreviewFile(Output):
    """One attachment of the message."""

    name: str = Field(description="The file's name, as recipients see it.")
    content_type: str = Field(description="The media type.")
    size_bytes: int = Field(description="Size of the file.")
    disposition: Literal["attachment", "inline"] = Field(
        description="'inline' if mail clients show the file within the message."
    )
    content_id: str | None = Field(None, description="The name by which the HTML shows the file.")
    shown: bool = Field(description="True if the HTML shows the file by its content ID.")


class Preview(Output):
    """Preview of a message to be sent. Nothing was sent."""

    mime: str = Field(
        description="The encoded message (RFC 5322), in ASCII with CRLF. Recipients of 'bcc' are "
        "never in it; Amazon SES adds "
        "Date and Message-ID."
    )
    size_bytes: int = Field(
        description="Size of the encoded message; Amazon SES takes at most 41,943,040."
    )
    content: Literal["Simple", "Raw"] = Field(
        description="'Raw': the message is sent exactly as shown here; over SMTP, this is always "
        "the case. 'Simple': "
        "over the API, Amazon SES encodes the message itself, so line breaks and boundaries may "
        "differ."
    )
    to: list[str] = Field(description="Recipients on the To: line, each once.")
    cc: list[str] = Field(description="Recipients on the Cc: line that are not on the To: line.")
    bcc: list[str] = Field(description="Hidden recipients.")
    recipients: int = Field(
        description="Number of recipients, each of which is billed and counts against the quota."
    )
    attachments: list[PreviewFile] | None = Field(
        None, description="The attachments, in their order, if there are any."
    )
    method: str | None = Field(
        None, description="Method of the calendar invitation, if there is one."
    )
    estimated_cost: MessageCost = Field(description="Estimated cost of this message.")
    findings: list[Finding] | None = Field(
        None,
        description="What receivers may treat as spam, cut off or not show, with a fix. Absent if "
        "there is nothing. Findings never "
        "prevent sending.",
    )


def preview(email: Email) -> Preview:
    """Encode the message, estimate its cost and check its content."""
    composed, message = email.composed, email.composed.message
    encoded = write_message(message)
    count = len(message.to) + len(message.cc) + len(composed.bcc)
    files = sum(item.size for item in message.attachments)
    cost = estimate(count, attachment_bytes=files * count, region=email.aws_region)
    return Preview(
        mime=encoded.decode("ascii"),
        size_bytes=len(encoded),
        content="Simple" if is_simple(message) else "Raw",
        to=[mailbox.header for mailbox in message.to],
        cc=[mailbox.header for mailbox in message.cc],
        bcc=[mailbox.header for mailbox in composed.bcc],
        recipients=count,
        attachments=_files(message) or None,
        method=message.calendar.method if message.calendar else None,
        estimated_cost=MessageCost(
            total=float(cost.total), currency=cost.currency, prices_as_of=cost.as_of
        ),
        findings=check_content(composed, len(encoded), email.identity_arn) or None,
    )


def _files(message: Message) -> list[PreviewFile]:
    linked = linked_ids(message.html)
    return [
        PreviewFile(
            name=item.name,
            content_type=item.content_type,
            size_bytes=item.size,
            disposition="inline" if item.inline else "attachment",
            content_id=item.content_id,
            shown=item.content_id in linked,
        )
        for item in message.attachments
    ]
