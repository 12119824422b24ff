"""Preview of a message: the output of a dry run of ``sendEmail`` with ``preview: true``."""

from __future__ import annotations

from typing import Literal

from jackfield.connector import Field, Output
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.mime import write_message
from jackfield_aws_ses.prices import estimate
from jackfield_aws_ses.sending import is_simple


class MessageCost(Output):
    """Estimated cost of one message, in the plan without a monthly fee."""

    total: float = Field(description="Cost of the message to all its recipients, with its attachments.")
    currency: str = Field(description="ISO 4217 code of the currency.")
    prices_as_of: str = Field(description="Date of the price list.", schema={"format": "date"})


class Preview(Output):
    """Message as it would be sent. Nothing was sent."""

    mime: str = Field(
        description="The encoded message (RFC 5322), in ASCII with CRLF. Recipients of 'bcc' are never in it; Amazon SES adds "
        "Date and Message-ID."
    )
    size_bytes: int = Field(description="Size of the encoded message; Amazon SES takes at most 41,943,040.")
    content: Literal["Simple", "Raw"] = Field(
        description="'Raw': the message is sent exactly as shown here; over SMTP, this is always the case. 'Simple': "
        "over the API, Amazon SES encodes the message itself, so line breaks and boundaries may differ."
    )
    to: list[str] = Field(description="Recipients on the To: line, each once.")
    cc: list[str] = Field(description="Recipients on the Cc: line that are not on the To: line.")
    bcc: list[str] = Field(description="Hidden recipients.")
    recipients: int = Field(description="Number of recipients, each of which is billed and counts against the quota.")
    estimated_cost: MessageCost = Field(description="Estimated cost of this message.")


def preview(email: Email) -> Preview:
    """Encode the message and estimate its cost."""
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
        estimated_cost=MessageCost(total=float(cost.total), currency=cost.currency, prices_as_of=cost.as_of),
    )
