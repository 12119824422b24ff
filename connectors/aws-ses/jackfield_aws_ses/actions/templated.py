"""``sendTemplatedEmail`` and ``sendBulkEmail``: mail from a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import FailedEntry, Field, Sent, Unavailable, current_call
from jackfield_aws import AwsClients
from jackfield_aws.refused_items import all_refused
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.pacing import SENDING, recipients
from jackfield_aws_ses.provider import Answer, ask, iam, one_example, read
from jackfield_aws_ses.sending import (
    TAGGED,
    TOLD,
    accepted_id,
    destination,
    options,
    warn_of_missing,
)
from jackfield_aws_ses.templated import (
    ONE_TEMPLATE,
    BulkEmail,
    TemplatedEmail,
    dumped,
    template_request,
)

_RECIPIENT = {"anyOf": [{"required": ["to"]}, {"required": ["cc"]}, {"required": ["bcc"]}]}
_ID = "0102018f6b1c2d3e-4f5a6b7c-8d9e-4f0a-b1c2-d3e4f5a6b7c8-000000"
_COMMON = {"sender": "noreply@example.com", "templateName": "welcome"}


class TemplatedSent(Answer):
    """Proof that Amazon SES accepted the message; it is rendered afterwards, and fails if a
    placeholder has no value.
    """

    message_id: str = Field(
        title="Message ID",
        description="The ID that Amazon SES assigned to the message.",
        reference=True,
        schema={"minLength": 1},
    )


class BulkResult(Answer):
    """Outcome of one destination."""

    status: str = Field(
        description="SUCCESS, or why Amazon SES did not accept the message, such as MESSAGE_REJECTED."
    )
    error: str | None = Field(None, description="Amazon SES's message about it.")
    message_id: str | None = Field(
        None, description="The ID that Amazon SES assigned to the message.", reference=True
    )


class BulkSent(Answer):
    """Outcome of each destination, in the order of the destinations."""

    bulk_email_entry_results: list[BulkResult] = Field(
        description="One entry for each destination, in their order."
    )
    accepted: int = Field(
        alias="accepted", description="Number of messages that Amazon SES accepted."
    )
    refused: int = Field(
        alias="refused",
        description="Number of messages that Amazon SES did not accept; send only these again.",
    )


@connector.action(
    "sendTemplatedEmail",
    effect="write",
    marker=TAGGED,
    evidence=TOLD,
    permissions=iam("SendEmail", "SendTemplatedEmail"),
    budget=SENDING,
    cost=recipients,
    examples=one_example(
        "sendTemplatedEmail",
        "Welcome Ada",
        {**_COMMON, "to": ["ada@example.com"], "templateData": {"name": "Ada"}},
        {"MessageId": _ID},
    ),
    schema={"allOf": [_RECIPIENT, ONE_TEMPLATE]},
    keywords=("send a template",),
)
def send_templated_email(mail: TemplatedEmail, aws: AwsClients) -> TemplatedSent:
    """Send an email from a template, with values for its placeholders."""
    composed = mail.composed
    warn_of_missing(mail.missing_pictures)
    parameters = {
        **options(mail, composed),
        "Destination": destination(composed),
        "Content": {"Template": template_request(mail, composed)},
    }
    return TemplatedSent(
        message_id=accepted_id(aws.client("sesv2", mail.aws_region).send_email(**parameters))
    )


def _all_recipients(mail: BulkEmail) -> float:
    return float(
        sum(len(item.message.to) + len(item.message.cc) + len(item.bcc) for item in mail.each)
    )


@connector.action(
    "sendBulkEmail",
    effect="write",
    no_evidence=(
        "One request sends many messages: events tell of each, and none of them of the request."
    ),
    permissions=iam("SendBulkEmail", "SendBulkTemplatedEmail", "SendEmail"),
    budget=SENDING,
    cost=_all_recipients,
    examples=one_example(
        "sendBulkEmail",
        "Two messages, of which one is refused",
        {
            **_COMMON,
            "templateData": {"name": "friend"},
            "destinations": [
                {"to": ["ada@example.com"], "templateData": {"name": "Ada"}},
                {"to": ["bob@example.com"]},
            ],
        },
        {
            "BulkEmailEntryResults": [
                {"Status": "SUCCESS", "MessageId": _ID},
                {"Status": "MESSAGE_REJECTED", "Error": "Email address is not verified."},
            ],
            "accepted": 1,
            "refused": 1,
        },
    ),
    schema=ONE_TEMPLATE,
    keywords=(
        "newsletter",
        "mass mailing",
        "many recipients",
        "campaign",
    ),
)
def send_bulk_email(mail: BulkEmail, aws: AwsClients) -> BulkSent:
    """Send a message from one template to each of up to 50 destinations, in one request; the output
    has the outcome of each.

    The action succeeds if Amazon SES has accepted at least one message: 'accepted' and 'refused'
    count messages, and a warning names each refused one. If all were refused, it fails, with a
    detail for each. No message is retried automatically, not even a throttled one, since other
    messages in the request may have been accepted.
    """
    warn_of_missing(mail.missing_pictures)
    answer = ask(
        aws, mail.aws_region, "send_bulk_email", _bulk_request(mail), "BulkEmailEntryResults"
    )
    rows = answer["BulkEmailEntryResults"]
    if len(rows) != len(mail.destinations):
        raise Unavailable(
            f"Amazon SES told the outcome of {len(rows)} of {len(mail.destinations)} messages",
            sent=Sent.UNKNOWN,
        )
    refused = [
        _refusal(number, row) for number, row in enumerate(rows) if row.get("Status") != "SUCCESS"
    ]
    if len(refused) == len(rows):
        raise all_refused(refused, answer)
    call = current_call()
    if refused and call is not None:
        call.failed_in_part(refused, path="/BulkEmailEntryResults")
    return read(BulkSent, answer, accepted=len(rows) - len(refused), refused=len(refused))


def _refusal(number: int, row: Mapping[str, Any]) -> FailedEntry:
    said = ": ".join(str(row[name]) for name in ("Status", "Error") if row.get(name))
    return FailedEntry(f"/BulkEmailEntryResults/{number}", said, input=f"/destinations/{number}")


def _bulk_request(mail: BulkEmail) -> dict[str, Any]:
    common = options(mail, mail.composed)
    tags = mail.tags_in_common
    entries = []
    for item, composed in zip(mail.destinations, mail.each, strict=True):
        entry: dict[str, Any] = {"Destination": destination(composed)}
        if item.template_data is not None:
            data = {
                "ReplacementTemplateData": dumped(
                    {**(mail.template_data or {}), **item.template_data}
                )
            }
            entry["ReplacementEmailContent"] = {"ReplacementTemplate": data}
        if item.tags:
            entry["ReplacementTags"] = [
                {"Name": name, "Value": value} for name, value in composed.tags
            ]
        if item.headers:
            entry["ReplacementHeaders"] = [
                {"Name": name, "Value": value} for name, value in composed.message.headers
            ]
        entries.append(entry)
    common.pop("EmailTags", None)
    content = {"Template": template_request(mail, mail.composed, headers=mail.headers_in_common)}
    return {
        **common,
        **({"DefaultEmailTags": tags} if tags else {}),
        "DefaultContent": content,
        "BulkEmailEntries": entries,
    }
