"""Fields of ``sendEmail``. Titles and comments come from the reference document; see
docs/compatibility.md.
"""

from typing import Annotated, Literal

from pydantic import WithJsonSchema

from jackfield.connector import Field, Inputs
from jackfield_aws_ses.calendars import METHODS
from jackfield_aws_ses.fields import (
    TENANT,
    VERIFIED,
    AddressList,
    Attachments,
    Headers,
    Mailbox,
    Region,
    Tags,
    endpoint_id_field,
    region_field,
    tenant_field,
)


class Invitation(Inputs):
    """Calendar invitation in a message."""

    text: str = Field(
        title="iCalendar",
        multiline=True,
        schema={"minLength": 1},
        description="The iCalendar text (RFC 5545), from BEGIN:VCALENDAR to END:VCALENDAR.",
    )
    method: Literal[METHODS] | None = Field(  # type: ignore[valid-type]
        None,
        title="Method",
        blank="absent",
        description="By default the METHOD in the text; it is added to a text without one.",
    )


class EmailFields(Inputs):
    """Message and its recipients before the checks that a schema cannot express."""

    # None only if the connection waives it.
    aws_region: Region | None = region_field()
    to: AddressList | None = Field(
        None,
        title="To Address",
        trim=True,
        blank="absent",
        recipient=True,
        description=(
            "The destination for this email. The recipients to place on the To: line of the "
            "message."
        ),
    )
    sender: Mailbox = Field(
        title="Sender Email",
        description=f"The email address that is sending the email. {VERIFIED}",
        from_connection="sender",
        options="identities",
        blank="absent",
        trim=True,
    )
    subject: str = Field(
        title="Subject",
        sensitive=True,
        schema={"minLength": 1},
        description=(
            "The subject of the message: A short summary of the content, which will appear "
            "in the recipient's inbox."
        ),
    )
    text: str | None = Field(
        None,
        title="Text",
        sensitive=True,
        multiline=True,
        blank="absent",
        description="The content of the message, in text format. Use this for text-based email "
        "clients, or clients on high-latency "
        "networks (such as mobile devices).",
    )
    html: str | None = Field(
        None,
        title="Html",
        sensitive=True,
        multiline=True,
        language="html",
        blank="absent",
        description="The content of the message, in HTML format. Use this for email clients that "
        "can process HTML. You can include "
        "clickable links, formatted text, and much more in an HTML message.",
    )
    attachments: Attachments | None = Field(
        None,
        title="Attachments",
        sensitive=True,
        blank="absent",
        description="Specify a file name as the key (i.e. 'my-file.pdf'), and the file as the value",
    )
    cc: AddressList | None = Field(
        None,
        title="Cc Address",
        trim=True,
        blank="absent",
        recipient=True,
        description=(
            "The destination for this email. The recipients to place on the CC: line of the "
            "message."
        ),
    )
    bcc: AddressList | None = Field(
        None,
        title="Bcc Address",
        trim=True,
        blank="absent",
        recipient=True,
        description=(
            "The destination for this email. The recipients to place on the BCC: line of the "
            "message."
        ),
    )
    reply_to: AddressList | None = Field(
        None,
        title="Reply To",
        trim=True,
        blank="absent",
        description="The reply-to email address(es) for the message. If the recipient replies to "
        "the message, each reply-to address will "
        f"receive the reply. {VERIFIED}",
    )
    calendar: Invitation | None = Field(
        None,
        title="Calendar Invitation",
        sensitive=True,
        description=(
            "An invitation that mail clients show with buttons to accept or decline: a "
            "text/calendar alternative of the message."
        ),
    )
    configuration_set_name: str | None = Field(
        None,
        title="Configuration Set",
        trim=True,
        blank="absent",
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="The SES configuration set for this message.",
    )
    tags: Tags | None = Field(
        None,
        title="Tags",
        blank="absent",
        description="Names and values that SES attaches to this message's events.",
    )
    headers: Headers | None = Field(
        None,
        title="Headers",
        sensitive=True,
        blank="absent",
        description="Additional headers for the message, such as X-Campaign.",
    )
    return_path: Annotated[str, WithJsonSchema({"type": "string", "format": "mailbox"})] | None = (
        Field(
            None,
            title="Return Path",
            trim=True,
            blank="absent",
            description=f"The email address that receives bounces and complaints. {VERIFIED}",
        )
    )
    identity_arn: str | None = Field(
        None,
        title="Identity ARN",
        trim=True,
        blank="absent",
        schema={"pattern": "^arn:[a-z-]+:ses:[a-z0-9-]+:[0-9]{12}:identity/[^\\s]+$"},
        expects=(
            "the ARN of an SES identity, such as "
            "arn:aws:ses:eu-west-1:123456789012:identity/example.com"
        ),
        description=(
            "The ARN of the sender's identity, if another account owns it and authorizes "
            "this one to send (sending authorization)."
        ),
    )
    list_unsubscribe: str | None = Field(
        None,
        title="List-Unsubscribe",
        trim=True,
        blank="absent",
        sensitive=True,
        description=(
            "The unsubscribe address: an https URL (one click, RFC 8058), a mailto: address, "
            "or '<…>, <…>' with one of each."
        ),
    )
    tenant: str | None = tenant_field(TENANT)
    endpoint_id: str | None = endpoint_id_field()
    preview: bool = Field(
        False,
        title="Preview",
        blank="absent",
        description="In a dry run: return the encoded message, its size, its recipients and its "
        "estimated cost. Without 'dryRun' it is "
        "refused.",
    )
