"""Sending of a composed message: over another transport, or through SES API v2, as Simple content
if it suffices, else as Raw.

An endpoint without version 2 gets the message through version 1.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol

from botocore.exceptions import ClientError

from jackfield.connector import (
    Detail,
    EventEvidence,
    InvalidInput,
    Marker,
    Sent,
    Unavailable,
    current_call,
)
from jackfield.connector.evidence import PREFIX
from jackfield_aws import AwsClients
from jackfield_aws_ses.attachments import Attachment
from jackfield_aws_ses.compose import MARKER_TAG, MAX_TAGS, Composed
from jackfield_aws_ses.content_types import MAX_SIMPLE, simple_content_type
from jackfield_aws_ses.headers import field_words
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.mime import Message, write_message

# SES API v2: Message.Headers allows 15; a value 995 characters, name and value together 996.
_MAX_HEADERS = 15
_MAX_HEADER_VALUE = 995
_MAX_HEADER = 996
_SHOWN = 100
_OF_VERSION_2 = frozenset({"TenantName", "EndpointId"})
"""Parameters that version 1 lacks: a message with one of them is never sent through version 1,
which would ignore its tenant.
"""


TAGGED = Marker(code=f"the message tag '{MARKER_TAG}'")
"""Place of an attempt's marker in a message."""
TOLD = (EventEvidence("mailEvents"), EventEvidence("mailQueue", "queue"))
"""Evidence for a send whose answer was lost."""


class Transport(Protocol):
    """Client that can only send mail."""

    def send(self, email: Email) -> str:
        """Send the message and return the id assigned by Amazon SES."""


def send(email: Email, client: AwsClients | Transport) -> str:
    """Send the message with the open client; return the id assigned by Amazon SES.

    :raises Unavailable: if SES reports success without a message id.
    """
    composed = email.composed
    if email.html is not None:
        warn_of_missing(composed.message.missing_pictures)
    if not isinstance(client, AwsClients):
        if email.endpoint_id:
            raise _no_global_endpoint()
        return client.send(email)
    return sent_by_either(
        client,
        email.aws_region,
        request(email, composed),
        lambda: _request_of_version_1(email, composed),
    )


def warn_of_missing(pictures: Iterable[str]) -> None:
    """Warn of pictures that the HTML links to and no attachment has: recipients would see a gap."""
    call = current_call()
    for content_id in pictures:
        if call is not None:
            call.warn(
                f"'html' shows the picture 'cid:{content_id[:_SHOWN]}', but no attachment has "
                "that 'contentId'"
            )


def _no_global_endpoint() -> InvalidInput:
    text = "is not for SMTP: Amazon SES takes mail for a multi-region endpoint over its API v2 only"
    hint = "Omit 'endpointId', or use a connection over the API."
    return InvalidInput("1 input is not valid", details=[Detail("/endpointId", text)], hint=hint)


def sent_by_either(
    client: AwsClients,
    region: str | None,
    parameters: dict[str, Any],
    of_version_1: Callable[[], dict[str, Any]],
) -> str:
    """Send through version 2, or through version 1 if the endpoint lacks version 2; return the id
    assigned by Amazon SES.

    ``parameters`` are validated parameters of ``SendEmail``; ``of_version_1`` builds the parameters
    of version 1's ``SendRawEmail``. A 501 is a refusal: an emulator or a proxy without the
    operation has sent nothing.
    """
    try:
        # Tests check the parameters against the service's model: validating again costs 3 % of a
        # send.
        return accepted_id(client.client("sesv2", region, validates=False).send_email(**parameters))
    except ClientError as error:
        lacks = (
            error.response["ResponseMetadata"].get("HTTPStatusCode") == HTTPStatus.NOT_IMPLEMENTED
        )
        if not lacks or parameters.keys() & _OF_VERSION_2:
            raise
    call = current_call()
    if call is not None:
        call.refused()
    return accepted_id(client.client("ses", region).send_raw_email(**of_version_1()))


def _request_of_version_1(email: Email, composed: Composed) -> dict[str, Any]:
    message = composed.message
    recipients = (*message.to, *message.cc, *composed.bcc)
    return _filled(
        {
            "Source": composed.return_path.address
            if composed.return_path
            else message.sender.header,
            "Destinations": [mailbox.address for mailbox in recipients],
            "RawMessage": {"Data": write_message(message)},
            "SourceArn": email.identity_arn,
            "Tags": [{"Name": name, "Value": value} for name, value in marked(composed.tags)],
            "ConfigurationSetName": email.configuration_set_name,
        }
    )


def accepted_id(answer: Any) -> str:
    """Return the message id of an answer of ``SendEmail``.

    :raises Unavailable: if there is none.
    """
    message_id = answer.get("MessageId") if isinstance(answer, dict) else None
    if (
        not isinstance(message_id, str)
        or not message_id
        or answer["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.OK
    ):
        raise Unavailable(
            "Amazon SES returned no clear answer with a message id", sent=Sent.UNKNOWN
        )
    return message_id


def request(email: Email, composed: Composed) -> dict[str, Any]:
    """Return the parameters of ``SendEmail`` without empty members: even an empty list would be
    sent.
    """
    message = composed.message
    headers = _unfolded(message)
    content = (
        {"Simple": _simple(message, headers)}
        if _suffices(message, headers)
        else {"Raw": {"Data": write_message(message)}}
    )
    return {**options(email, composed), "Destination": destination(composed), "Content": content}


def destination(composed: Composed) -> dict[str, list[str]]:
    """Return the recipients, without empty lists."""
    message = composed.message
    lists = {"ToAddresses": message.to, "CcAddresses": message.cc, "BccAddresses": composed.bcc}
    return {
        name: [mailbox.header for mailbox in mailboxes]
        for name, mailboxes in lists.items()
        if mailboxes
    }


def options(email: Any, composed: Composed) -> dict[str, Any]:
    """Return the parameters of a send other than its recipients and its content, without empty
    members.
    """
    message = composed.message
    members: dict[str, Any] = {
        "FromEmailAddress": message.sender.header,
        "FromEmailAddressIdentityArn": email.identity_arn,
        "ReplyToAddresses": [mailbox.header for mailbox in message.reply_to],
        "FeedbackForwardingEmailAddress": composed.return_path.address
        if composed.return_path
        else None,
        "EmailTags": [{"Name": name, "Value": value} for name, value in marked(composed.tags)],
        "ConfigurationSetName": email.configuration_set_name,
        "TenantName": email.tenant,
        "EndpointId": email.endpoint_id,
    }
    return _filled(members)


def marked(tags: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return a message's tags with this attempt's marker added. Tags stay unchanged if one has the
    marker's name, or if SES accepts no more.
    """
    call = current_call()
    if call is None or call.mark is None or len(tags) >= MAX_TAGS or MARKER_TAG in dict(tags):
        return tags
    marker = call.marker
    return tags if marker is None else (*tags, (MARKER_TAG, f"{PREFIX}{marker}"))


def is_simple(message: Message) -> bool:
    """Return whether the message is sent over the API as Simple content, which Amazon SES encodes
    itself.
    """
    return _suffices(message, _unfolded(message))


def _unfolded(message: Message) -> tuple[tuple[str, str], ...]:
    return tuple([(name, " ".join(field_words(name, value))) for name, value in message.headers])


def _filled(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}


def _suffices(message: Message, headers: tuple[tuple[str, str], ...]) -> bool:
    """Return whether Simple content can express the message: without invitations, and with few and
    short headers and media types.
    """
    return (
        message.calendar is None
        and len(headers) <= _MAX_HEADERS
        and not [item for item in message.attachments if len(item.content_type) > MAX_SIMPLE]
        and not [
            name
            for name, value in headers
            if len(value) > _MAX_HEADER_VALUE or len(name) + len(value) > _MAX_HEADER
        ]
    )


def _simple(message: Message, headers: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    bodies = {"Text": message.text, "Html": message.html}
    return _filled(
        {
            "Subject": _content(message.subject),
            "Body": {name: _content(body) for name, body in bodies.items() if body},
            "Headers": [{"Name": name, "Value": value} for name, value in headers],
            "Attachments": [_attachment(item) for item in message.attachments],
        }
    )


def attachment_parts(message: Message) -> list[dict[str, Any]]:
    """Return the attachments of a message in the form of API v2."""
    return [_attachment(item) for item in message.attachments]


def _content(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _attachment(item: Attachment) -> dict[str, Any]:
    return {
        "RawContent": item.data,
        "FileName": item.name,
        "ContentType": simple_content_type(item.content_type),
        "ContentDisposition": "INLINE" if item.inline else "ATTACHMENT",
        **({"ContentId": item.content_id} if item.content_id is not None else {}),
        "ContentTransferEncoding": "BASE64",
    }
