"""``sendEmail``: one message, over the API or SMTP."""

from __future__ import annotations

from jackfield.connector import Field, Output
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.examples import example
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.pacing import SENDING, recipients
from jackfield_aws_ses.preview import preview
from jackfield_aws_ses.sending import TAGGED, TOLD, Transport, send

SEND_EMAIL = (
    example(
        "A text to one recipient",
        "sendEmail",
        {
            "awsRegion": "eu-west-1",
            "to": ["ada@example.com"],
            "sender": "noreply@example.com",
            "subject": "Hello",
            "text": "Hello Ada",
        },
        {"MessageId": "0102018f6b1c2d3e-4f5a6b7c-8d9e-4f0a-b1c2-d3e4f5a6b7c8-000000"},
    ),
)
_RECIPIENT = {"anyOf": [{"required": ["to"]}, {"required": ["cc"]}, {"required": ["bcc"]}]}
_BODY = {"anyOf": [{"required": ["text"]}, {"required": ["html"]}]}


class Sent(Output):
    """Proof that SES accepted the message."""

    message_id: str = Field(
        alias="MessageId",
        title="Message ID",
        description="The ID that SES assigned to the message. The Message-ID header continues "
        "with '@email.amazonses.com' in us-east-1 "
        "and with '@<region>.amazonses.com' elsewhere.",
        reference=True,
        schema={"minLength": 1},
    )


@connector.action(
    "sendEmail",
    effect="write",
    marker=TAGGED,
    evidence=TOLD,
    permissions={"aws:iam": ["ses:SendEmail", "ses:SendRawEmail"]},
    budget=SENDING,
    cost=recipients,
    examples=SEND_EMAIL,
    preview=preview,
    schema={"allOf": [_RECIPIENT, _BODY]},
    keywords=(
        "send a mail",
        "email with an attachment",
        "email a customer",
        "message",
    ),
)
def send_email(email: Email, client: AwsClients | Transport) -> Sent:
    """Send an email through Amazon SES."""
    return Sent(message_id=send(email, client))
